"""The program as processes of their own: started with an environment, watched from outside, killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import gettempdir
from typing import IO, Any, TypeVar

from prometheus_client.parser import text_string_to_metric_families

from tests.servers.boot import free_ports
from tests.servers.janitor import Janitor
from tests.warm_starts import CAN_FORK, ROOT, Forked, may_be_warm, warm_starts

START_SECONDS = 180.0  # for a lease to end, a kill, and a machine that is busy with something else
STOP_SECONDS = 45.0  # contract: SIGTERM, then the end within 30; and a busy machine's leisure
_LOOK, _LATER = 0.02, 0.1  # seconds between two looks at a condition: at first, and at the most
_TICKS = os.sysconf("SC_CLK_TCK")
_FOREIGN = ("WRITEBACK_", "BROKER_URL", "DATABASE_URL")

Value = TypeVar("Value")


def wait_for(condition: Callable[[], Value], what: str, seconds: float = START_SECONDS) -> Value:
    """The condition's first value that is true; looks until the deadline, the longer it takes the more seldom: whoever
    looks takes time from whoever is waited for. Fails with `what` it waited for."""
    begun = time.monotonic()
    while not (value := condition()):
        waited = time.monotonic() - begun
        assert waited < seconds, f"after {seconds:g} s still waiting for: {what}"
        time.sleep(min(max(waited / 20, _LOOK), _LATER))
    return value


class Worker:
    """One `writeback run`. `log` holds what it wrote to standard error."""

    def __init__(self, process: subprocess.Popen[bytes] | Forked, log: Path, ops_port: int) -> None:
        self._process = process
        self._ops_port = ops_port
        self.log = log
        self._read, self._events, self._reading = 0, list[dict[str, Any]](), threading.Lock()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def kill(self) -> None:
        """Ends it as a power cut would (SIGKILL); returns when it is gone."""
        self._process.kill()
        self._process.wait()

    def stop(self) -> int:
        """SIGTERM; returns the exit status. Fails where it takes longer than the contract allows."""
        self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the worker still runs {STOP_SECONDS:g} s after SIGTERM") from None

    def wait(self, seconds: float = STOP_SECONDS) -> int:
        """Its exit status, once it has ended by itself."""
        return self._process.wait(seconds)

    def cpu_seconds(self) -> float:
        """Processor time it has used so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def peak_memory(self) -> int:
        """Bytes of the most memory it has had resident."""
        status = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM:"))

    def events(self) -> list[dict[str, Any]]:
        """What it has logged, whole lines only, one dict a line (`event` is the text)."""
        with self._reading, self.log.open("rb") as log:
            log.seek(self._read)
            whole, newline, _ = log.read().rpartition(b"\n")
            self._read += len(whole + newline)
            lines = whole.decode(errors="replace").split("\n")
            self._events += [json.loads(line) for line in lines if line.startswith("{")]
            return list(self._events)

    def logged(self, event: str) -> int:
        """How often it has logged this event."""
        return sum(line.get("event") == event for line in self.events())

    def last_words(self) -> str:
        """The last line it has written."""
        return self.log.read_text(errors="replace").strip().rpartition("\n")[2]

    @property
    def ops_address(self) -> str:
        """Where its ops server listens."""
        return f"127.0.0.1:{self._ops_port}"

    def page(self, path: str) -> tuple[int, str]:
        """Status and text of a page of its ops server; (0, "") where nothing listens there."""
        return page(self._ops_port, path)

    def metric(self, name: str, **labels: str) -> float:
        """The sum of a metric's samples that bear these labels, read from /metrics."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self._ops_port}/metrics", timeout=10) as answer:
            families = list(text_string_to_metric_families(answer.read().decode()))
        samples = [sample for family in families for sample in family.samples if sample.name == name]
        return sum(sample.value for sample in samples if labels.items() <= sample.labels.items())


class Processes:
    """Starts workers and commands that share one environment; files may go to folders under `folder`. `module` is
    what Python runs as the program.

    They are forks of a process that has imported the program; `cold`, where the start itself or what the process takes
    is looked at, they are started as a person does.
    """

    def __init__(
        self,
        janitor: Janitor,
        folder: Path,
        environment: Mapping[str, str],
        module: str = "worker",
        *,
        cold: bool = False,
    ) -> None:
        self._cold = cold
        self._module = module
        self._janitor = janitor
        self._folder = folder
        self._started: list[Worker] = []
        kept = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
        ours = {"WRITEBACK_LOG_FORMAT": "json", "WRITEBACK_DESTINATION_ROOTS": f"{folder}:{gettempdir()}"}
        self._environment = {**kept, **ours, **environment}

    def start(self, *roles: str, **environment: str) -> Worker:
        """Starts `writeback run` in these roles and returns at once; further variables win over the shared
        ones."""
        [port] = free_ports(1)
        log = self._folder / f"worker-{len(self._started)}.log"
        with log.open("wb") as sink:
            ours = {"WRITEBACK_OPS_ADDRESS": f"127.0.0.1:{port}"}
            process = self._begin(["run", *roles], {**self._environment, **ours, **environment}, sink)
        worker = Worker(process, log, port)
        self._started.append(worker)
        return worker

    def _begin(
        self, arguments: list[str], environment: Mapping[str, str], sink: IO[bytes]
    ) -> subprocess.Popen[bytes] | Forked:
        if self._is_warm(environment):
            return warm_starts(self._janitor).start(
                self._module, arguments, folder=ROOT, environment=environment, output=sink, errors=sink
            )
        return self._janitor.spawn(
            command_line(*arguments, module=self._module),
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
        )

    def _is_warm(self, environment: Mapping[str, str]) -> bool:
        return not self._cold and may_be_warm(environment)

    def start_ready(self, *roles: str, **environment: str) -> Worker:
        """The same; returns once it works."""
        worker = self.start(*roles, **environment)
        event = "consuming" if not roles or "consumer" in roles else "running"
        wait_for(lambda: worker.logged(event) or not worker.alive, f"{worker.log.name} to say {event!r}")
        assert worker.alive, worker.log.read_text(errors="replace")[-2000:]
        return worker

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Runs one command of the command line to its end."""
        given = {**self._environment, **environment}
        if self._is_warm(given):
            return warm_starts(self._janitor).run(
                self._module, arguments, folder=ROOT, environment=given, seconds=START_SECONDS
            )
        return subprocess.run(
            command_line(*arguments, module=self._module),
            cwd=ROOT,
            env=given,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=START_SECONDS,
            check=False,
        )

    def close(self) -> None:
        """Kills whoever still runs."""
        for worker in self._started:
            if worker.alive:
                worker.kill()


def page(port: int, path: str) -> tuple[int, str]:
    """Status and text of a page on this machine; (0, "") where nothing listens."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()
    except OSError:
        return 0, ""


def run_in(
    janitor: Janitor, folder: Path, environment: Mapping[str, str], *arguments: str
) -> subprocess.CompletedProcess[str]:
    """Runs one command in the folder, with no environment but this."""
    if CAN_FORK:
        starts = warm_starts(janitor)
        return starts.run("worker", arguments, folder=folder, environment=environment, seconds=START_SECONDS)
    return subprocess.run(
        command_line(*arguments),
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=START_SECONDS,
        check=False,
    )


def command_line(*arguments: str, module: str = "worker") -> list[str]:
    """`writeback` with these arguments, as Popen wants it."""
    return [sys.executable, "-m", module, *arguments]


@contextmanager
def processes(
    janitor: Janitor,
    folder: Path,
    environment: Mapping[str, str],
    module: str = "worker",
    *,
    cold: bool = False,
) -> Iterator[Processes]:
    """Processes that are gone at the end."""
    started = Processes(janitor, folder, environment, module, cold=cold)
    try:
        yield started
    finally:
        started.close()
