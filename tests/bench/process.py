"""A measured process: what it uses is read from /proc while it runs."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from time import monotonic

from tests.bench.stage import ROOT, Stage, module
from tests.servers import ServerError
from tests.servers.engines import last_words

PROC = Path("/proc")
PATIENCE = 300.0  # seconds that anything may take before the measurement is given up
_GOODBYE = 30.0
PROGRAMS = ("ours", "plain")  # those that race
_COMMANDS = {
    "ours": [sys.executable, "-m", "worker", "run", "consumer"],
    "plain": module("plain"),
    "whole": [sys.executable, "-m", "worker", "run"],
}
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process has used so far: CPU seconds (all threads, user and system), highest memory in bytes."""

    cpu: float
    peak_memory: int


class Measured:
    """A program running on a stage."""

    def __init__(self, process: subprocess.Popen[bytes], name: str, log: Path) -> None:
        self._process = process
        self._name = name
        self._log = log

    def usage(self) -> Usage:
        """What it has used so far."""
        return usage_of(self._process.pid)

    def forget_peak(self) -> None:
        """From here on the highest memory is counted anew."""
        (PROC / str(self._process.pid) / "clear_refs").write_text("5")  # proc(5): resets VmHWM

    def wait_until(self, done: Callable[[], bool], every: float, patience: float = PATIENCE) -> None:
        """Returns once `done()` is true, asking `every` so many seconds. Raises ServerError if it never is."""
        deadline, pause = monotonic() + patience, Event()
        while not done():
            if self._process.poll() is not None:
                raise ServerError(f"{self._name} ended by itself: {self._complaint()}")
            if monotonic() > deadline:
                raise ServerError(f"{self._name} is not done after {patience:g} s: {self._complaint()}")
            pause.wait(every)

    def end(self) -> None:
        """Ends it with SIGTERM. Raises ServerError where it does not end in good order."""
        self._process.terminate()
        status = self._process.wait(_GOODBYE)
        if status != 0:
            raise ServerError(f"{self._name} ended with status {status}: {self._complaint()}")

    def _complaint(self) -> str:
        return last_words(self._log.read_text(errors="replace"))


@contextmanager
def running(name: str, stage: Stage) -> Iterator[Measured]:
    """Starts one of the commands on the stage; ended afterwards, whatever happens."""
    log = stage.home / f"{name}.log"
    with log.open("wb") as stderr:
        process = stage.servers.janitor.spawn(
            _COMMANDS[name], cwd=ROOT, env=stage.environment, stdin=subprocess.DEVNULL, stderr=stderr
        )
    try:
        yield Measured(process, name, log)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def usage_of(pid: int | str) -> Usage:
    """What the process has used so far; `"self"` is this one."""
    fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    status = (PROC / str(pid) / "status").read_text()
    peak = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return Usage((int(fields[11]) + int(fields[12])) / _TICKS, int(peak.split()[1]) * 1024)
