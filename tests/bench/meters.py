"""What processes use, read from /proc while they run: a program's, and those of the servers it works with."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.servers import Servers
from tests.servers.janitor import family

PROC = Path("/proc")
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process has used so far: CPU seconds (all threads, user and system), highest memory in bytes."""

    cpu: float
    peak_memory: int


@dataclass(frozen=True, slots=True)
class Spent:
    """CPU seconds of a program, of PostgreSQL and of RabbitMQ; None: that server is not one of ours to look into."""

    program: float
    postgresql: float | None
    rabbitmq: float | None

    def since(self, before: Spent) -> Spent:
        """What was spent between the two."""
        return Spent(
            self.program - before.program,
            _difference(self.postgresql, before.postgresql),
            _difference(self.rabbitmq, before.rabbitmq),
        )

    def per_100k(self, events: int) -> Spent:
        """So much for 100,000 events."""
        factor = 100_000 / events
        return Spent(
            self.program * factor,
            None if self.postgresql is None else self.postgresql * factor,
            None if self.rabbitmq is None else self.rabbitmq * factor,
        )


def spent(servers: Servers, pids: Iterable[int]) -> Spent:
    """What the programs of these processes, with what they have started, and both servers have spent so far."""
    return Spent(
        sum(cpu_of_tree(pid) for pid in pids),
        _of_server(servers.postgresql().pid),
        _of_server(servers.rabbitmq().pid),
    )


def cpu_of_tree(pid: int) -> float:
    """CPU seconds of the process and all its descendants, those included that have ended and were waited for: what a
    PostgreSQL's backend has used stays with its postmaster."""
    return sum(_cpu(_fields(member), with_children=True) for member in family(pid))


def peak_of_tree(pid: int) -> int:
    """The highest memory of the process and of its descendants, each at its own moment, in bytes."""
    return sum(usage_of(member).peak_memory for member in family(pid))


def usage_of(pid: int | str) -> Usage:
    """What the process has used so far; `"self"` is this one."""
    status = (PROC / str(pid) / "status").read_text()
    peak = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return Usage(_cpu(_fields(pid), with_children=False), int(peak.split()[1]) * 1024)


def _fields(pid: int | str) -> Sequence[str]:
    """What follows the name in proc(5)'s stat; nothing where the process has just ended."""
    try:
        return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return ()


def _cpu(fields: Sequence[str], *, with_children: bool) -> float:
    return sum(int(field) for field in fields[11 : 15 if with_children else 13]) / _TICKS


def _of_server(pid: int | None) -> float | None:
    return None if pid is None else cpu_of_tree(pid)


def _difference(after: float | None, before: float | None) -> float | None:
    return None if after is None or before is None else after - before
