"""The janitor: a small process of its own that ends servers and removes their folders, however the tests end.

It is told through a pipe what there is to clear up, and does so when the pipe is closed: by
`Janitor.close()`, or by the kernel when the tests' process has been killed. The normal end takes the same
way, so that way is always tried. (PR_SET_PDEATHSIG would not do: it fires when the *thread* that started the
server ends, and leaves the folders.)

This file is also the janitor's own program: it runs by its path, imports nothing but the standard library.
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

FAREWELL_SECONDS = 5.0
PROC = Path("/proc")


class Janitor:
    """The tests' end of the pipe. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._children: list[subprocess.Popen[bytes]] = []
        self._closed = False
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(Path(__file__).resolve()), str(os.getpid())],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )

    def spawn(
        self, command: Sequence[str], *, farewell: signal.Signals = signal.SIGKILL, **options: Any
    ) -> subprocess.Popen[bytes]:
        """Starts a process that is sent `farewell`, then SIGKILL, at the end; `options` are those of Popen.

        Raises RuntimeError once the janitor is closed.
        """
        with self._lock:
            self._refuse_if_closed()
            process: subprocess.Popen[bytes] = subprocess.Popen(command, **options)
            self._tell(f"process {process.pid} {farewell.value}")
            self._children.append(process)
        return process

    def look_after(self, pid: int) -> None:
        """Has a process that somebody else has started killed at the end. Raises RuntimeError once the janitor is
        closed."""
        with self._lock:
            self._tell(f"process {pid} {signal.SIGKILL.value}")

    def new_folder(self, name: str) -> Path:
        """A fresh temporary folder, removed at the end. Others may pass through, since a server may run as
        another user. Raises RuntimeError once the janitor is closed."""
        with self._lock:
            self._refuse_if_closed()
            folder = Path(tempfile.mkdtemp(prefix=f"writeback-{name}-"))
            self._tell(f"folder {folder}")
        folder.chmod(0o755)
        return folder

    def remove_container(self, name: str) -> None:
        """Removes the Docker container at the end, whether it is there yet or not."""
        with self._lock:
            self._tell(f"container {name}")

    def close(self) -> None:
        """Ends and removes everything; returns when it is gone."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            assert self._process.stdin is not None
            self._process.stdin.close()
        self._process.wait()
        for child in self._children:
            child.wait()

    def _tell(self, line: str) -> None:
        self._refuse_if_closed()
        assert self._process.stdin is not None
        self._process.stdin.write(line.encode() + b"\n")
        self._process.stdin.flush()

    def _refuse_if_closed(self) -> None:
        if self._closed or self._process.poll() is not None:
            raise RuntimeError("the servers of the tests are being ended: no other can be started")


def family(pid: int) -> list[int]:
    """The process and all its descendants, parents first (where there is no /proc: itself alone)."""
    children: dict[int, list[int]] = {}
    for entry in PROC.glob("[0-9]*"):
        state, parent, _ = _stat(int(entry.name))
        if state != "Z":
            children.setdefault(parent, []).append(int(entry.name))
    found = [pid]
    for member in found:
        found.extend(children.get(member, []))
    return found


def send(pids: Iterable[int], number: int) -> None:
    """Sends the signal to each that is still there."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def _stat(pid: int) -> tuple[str, int, str]:
    """The process's state letter ("Z": it has ended), its parent, and when it started."""
    try:
        fields = PROC.joinpath(str(pid), "stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return "Z", 0, ""
    return fields[0], int(fields[1]), fields[19]


def _born(pid: int) -> str | None:
    """When the process started, which tells it from a later one of its number; None: it has ended."""
    if not PROC.joinpath("self/stat").exists():
        return "unknown" if _answers(pid) else None
    state, _, started = _stat(pid)
    return None if state == "Z" else started


def _answers(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


class _Duties:
    """What is to be cleared up, as told by the lines of the pipe."""

    def __init__(self) -> None:
        self._processes: list[tuple[int, str | None, int]] = []
        self._folders: list[str] = []
        self._containers: list[str] = []

    def take(self, line: str) -> None:
        word, _, rest = line.partition(" ")
        if word == "process":
            pid, farewell = map(int, rest.split())
            self._processes.append((pid, _born(pid), farewell))
        elif word == "folder":
            self._folders.append(rest)
        elif word == "container":
            self._containers.append(rest)

    def fulfil(self) -> None:
        for pid, born, farewell in reversed(self._processes):
            if born is not None and _born(pid) == born:
                _end(pid, farewell)
        for name in self._containers:
            subprocess.run(["docker", "rm", "-f", "-v", name], capture_output=True, check=False)
        for folder in self._folders:
            shutil.rmtree(folder, ignore_errors=True)


def _end(pid: int, farewell: int) -> None:
    """Sends the farewell and waits a little, then kills whoever of the process's family is left."""
    members = {member: _born(member) for member in family(pid)}
    send(members, signal.SIGCONT)
    if farewell != signal.SIGKILL:
        send([pid], farewell)
        _wait(lambda: not _left({pid: members[pid]}), FAREWELL_SECONDS)
    send(_left(members), signal.SIGKILL)
    _wait(lambda: not _left(members), FAREWELL_SECONDS)


def _left(members: Mapping[int, str | None]) -> list[int]:
    return [pid for pid, born in members.items() if born is not None and _born(pid) == born]


def _wait(condition: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)


def _attend(parent: int) -> _Duties:
    """Takes note of what is told, to the last line, until the pipe is closed; or until nothing more comes and
    the parent has changed: it died, and a child of its own keeps the pipe open."""
    duties, heard = _Duties(), b""
    while True:
        if not select.select([0], [], [], 1.0)[0]:
            if os.getppid() != parent:
                return duties
            continue
        chunk = os.read(0, 65536)
        if not chunk:
            return duties
        *lines, heard = (heard + chunk).split(b"\n")
        for line in lines:
            duties.take(line.decode())


if __name__ == "__main__":
    for unwanted in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(unwanted, signal.SIG_IGN)
    _attend(int(sys.argv[1])).fulfil()
