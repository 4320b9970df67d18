"""Starts of the program without its imports, which take longer than what most commands do: forks of one that has it all
imported already (`warm_process.py`)."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import IO, Any

from tests.servers.janitor import Janitor
from tests.warm_process import LARGEST

ROOT = Path(__file__).resolve().parent.parent
CAN_FORK = hasattr(os, "pidfd_open")  # on Linux alone
_MOUNTS = Path("/proc/thread-self/ns/mnt")
# What Python, or the system's loader, reads before any code of ours runs.
_AT_START = ("PYTHON", "LD_", "LC_", "LANG", "TZ")


class Forked:
    """One process, as `subprocess.Popen` has it; another than its parent waits for it, so it has a number as long as
    nobody has asked how it ended."""

    def __init__(self, starts: WarmStarts, pid: int) -> None:
        self.pid = pid
        self._starts = starts
        self._handle = os.pidfd_open(pid)
        self._status: int | None = None

    def poll(self) -> int | None:
        """Its exit status; None: it still runs."""
        return self._ended(0)

    def wait(self, timeout: float | None = None) -> int:
        """Its exit status, once it has ended. Raises TimeoutExpired."""
        status = self._ended(timeout)
        if status is None:
            raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0)
        return status

    def send_signal(self, number: signal.Signals) -> None:
        if self.poll() is None:
            signal.pidfd_send_signal(self._handle, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def _ended(self, timeout: float | None) -> int | None:
        if self._status is None and select.select([self._handle], [], [], timeout)[0]:
            self._status = self._starts.status_of(self.pid)
            os.close(self._handle)
        return self._status


class WarmStarts:
    """The tests' end of the socket. Safe to use from several threads."""

    def __init__(self, janitor: Janitor) -> None:
        self._janitor = janitor
        self._lock = threading.Lock()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            janitor.spawn([sys.executable, "-m", "tests.warm_process"], cwd=ROOT, stdin=theirs)
        self._socket = ours

    def start(
        self,
        module: str,
        arguments: Sequence[str],
        *,
        folder: Path,
        environment: Mapping[str, str],
        output: IO[bytes],
        errors: IO[bytes],
    ) -> Forked:
        """What `python -m module …` in the folder starts. The janitor ends it at the end."""
        request = {
            "module": module,
            "arguments": arguments,
            "folder": str(folder),
            "environment": dict(environment),
        }
        with Path(os.devnull).open("rb") as nothing:
            pid = self._ask(request, [nothing.fileno(), output.fileno(), errors.fileno()])
        self._janitor.look_after(pid)
        return Forked(self, pid)

    def run(
        self,
        module: str,
        arguments: Sequence[str],
        *,
        folder: Path,
        environment: Mapping[str, str],
        seconds: float,
    ) -> subprocess.CompletedProcess[str]:
        """The same to its end, with what it has printed. Raises TimeoutExpired."""
        with ExitStack() as files:
            printed = [files.enter_context(tempfile.TemporaryFile()) for _ in range(2)]
            process = self.start(
                module,
                arguments,
                folder=folder,
                environment=environment,
                output=printed[0],
                errors=printed[1],
            )
            try:
                status = process.wait(seconds)
            finally:
                process.kill()
            output, errors = (_read(file) for file in printed)
        return subprocess.CompletedProcess([module, *arguments], status, output, errors)

    def status_of(self, pid: int) -> int:
        """How a process that has ended did so; asked once."""
        return self._ask({"ended": pid}, [])

    def _ask(self, request: dict[str, Any], streams: list[int]) -> int:
        with self._lock:
            socket.send_fds(self._socket, [json.dumps(request).encode()], streams)
            return int(json.loads(self._socket.recv(LARGEST)))


def _read(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode().replace("\r\n", "\n")


def may_be_warm(environment: Mapping[str, str]) -> bool:
    """Whether a process with this environment begins as ours did."""

    def at_start(variables: Mapping[str, str]) -> dict[str, str]:
        return {name: value for name, value in variables.items() if name.startswith(_AT_START)}

    return CAN_FORK and at_start(environment) == at_start(os.environ) and _mounts() == _FIRST_MOUNTS


def _mounts() -> str:
    """Which file systems this thread sees: a test may have some of its own."""
    return str(_MOUNTS.readlink()) if CAN_FORK else ""


_FIRST_MOUNTS = _mounts()


@cache
def warm_starts(janitor: Janitor) -> WarmStarts:
    """Those of a run of tests."""
    return WarmStarts(janitor)
