"""A measured program: one process, or several at the same work."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from time import monotonic

from tests.bench.meters import PROC, Spent, Usage, peak_of_tree, spent, usage_of
from tests.bench.stage import ROOT, Stage
from tests.servers import ServerError
from tests.servers.engines import last_words

PATIENCE = 300.0  # seconds that anything may take before the measurement is given up
_GOODBYE = 30.0


class Measured:
    """A program running on a stage."""

    def __init__(self, processes: Sequence[subprocess.Popen[bytes]], name: str, stage: Stage) -> None:
        self._processes = processes
        self._name = name
        self._stage = stage

    @property
    def _pids(self) -> list[int]:
        return [process.pid for process in self._processes]

    def usage(self) -> Usage:
        """What its first process has used so far, without what that has started."""
        return usage_of(self._pids[0])

    def spent(self) -> Spent:
        """CPU seconds so far: its own, of all its processes, and those of both servers."""
        return spent(self._stage.servers, self._pids)

    def peak_memory(self) -> int:
        """The highest memory of one of its processes with what that has started, in bytes."""
        return max(peak_of_tree(pid) for pid in self._pids)

    def forget_peak(self) -> None:
        """From here on the highest memory is counted anew."""
        for pid in self._pids:
            (PROC / str(pid) / "clear_refs").write_text("5")  # proc(5): resets VmHWM

    def wait_until(self, done: Callable[[], object], every: float, patience: float = PATIENCE) -> None:
        """Returns once `done()` is true, asking `every` so many seconds. Raises ServerError if it never is."""
        deadline, pause = monotonic() + patience, Event()
        while not done():
            if any(process.poll() is not None for process in self._processes):
                raise ServerError(f"{self._name} ended by itself: {self._complaint()}")
            if monotonic() > deadline:
                raise ServerError(f"{self._name} is not done after {patience:g} s: {self._complaint()}")
            pause.wait(every)

    def end(self) -> None:
        """Ends it with SIGTERM. Raises ServerError where it does not end in good order."""
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            status = process.wait(_GOODBYE)
            if status != 0:
                raise ServerError(f"{self._name} ended with status {status}: {self._complaint()}")

    def _complaint(self) -> str:
        return last_words(log_of(self._name, self._stage).read_text(errors="replace"))


def log_of(name: str, stage: Stage) -> Path:
    """Where a program's errors go."""
    return stage.home / f"{name}.log"


@contextmanager
def running(
    name: str,
    command: Sequence[str],
    stage: Stage,
    *,
    processes: int = 1,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Measured]:
    """Starts the command on the stage, so many times; ended afterwards, whatever happens."""
    started: list[subprocess.Popen[bytes]] = []
    with log_of(name, stage).open("wb") as log:
        for _ in range(processes):
            started.append(
                stage.servers.janitor.spawn(
                    list(command),
                    cwd=ROOT,
                    env={**stage.environment, **(environment or {})},
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=log,
                )
            )
    try:
        yield Measured(started, name, stage)
    finally:
        for process in started:
            if process.poll() is None:
                process.kill()
                process.wait()
