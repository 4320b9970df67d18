"""How the process is doing, told to the service manager that started it (systemd, `Type=notify`).

Its protocol is a datagram of `NAME=value` lines to the socket in NOTIFY_SOCKET, a promise of systemd's
(https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html), and so a few lines here in place of a library.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from time import monotonic

from schemas.shown import mask_passwords, plain

_START = (
    600  # seconds that a step of the start may take: the embedded database may have to be brought up to date
)
_EVERY = 5.0  # seconds between two signs of life, unless the watchdog wants them more often
_PER_WATCH = 3  # signs of life within the time after which the watchdog would end the process


class ServiceManager:
    """Does nothing where no service manager asked to be told, and never raises: work does not wait for it.

    Safe to call in a signal handler: one datagram is sent, which waits for nobody.
    """

    def __init__(self, environment: Mapping[str, str], clock: Callable[[], float] = monotonic) -> None:
        self._address = _address(environment.get("NOTIFY_SOCKET", ""))
        self._every = min(_EVERY, _watchdog_seconds(environment) / _PER_WATCH)
        self._clock = clock
        self._next = 0.0
        self._ready = False

    def starting(self, what: str) -> None:
        """Not ready yet, and `what` is being tried or waited for: that takes as long as it takes, so no timeout of the
        manager's may end it."""
        self._send(
            f"EXTEND_TIMEOUT_USEC={_START * 1_000_000}", f"STATUS=Starting: {plain(mask_passwords(what))}"
        )

    def working(self, *, at_work: bool, stuck: Mapping[str, float]) -> None:
        """A sign of life, as often as one is wanted. `at_work`: the roles do their work, and so the start is over;
        `stuck`: {loop that makes no progress: seconds}. While one is stuck there is none, and the watchdog acts."""
        if self._clock() < self._next:
            return
        self._next = self._clock() + self._every
        if stuck:
            told = ", ".join(f"{loop} for {seconds:.0f} s" for loop, seconds in sorted(stuck.items()))
            self._send(f"STATUS=No progress: {told}")
        elif self._ready:
            self._send("WATCHDOG=1", "STATUS=Working")
        elif at_work:
            self._ready = True
            self._send("READY=1", "WATCHDOG=1", "STATUS=Working")
        else:
            self.starting("beginning to work")

    def stopping(self) -> None:
        """The process was told to stop and finishes what is in hand."""
        self._send("STOPPING=1", "STATUS=Finishing what is in hand")

    def _send(self, *lines: str) -> None:
        if self._address is None:
            return
        with (
            suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as line,
        ):
            line.setblocking(False)
            line.sendto("\n".join(lines).encode(), self._address)


def _address(named: str) -> str | None:
    """A path, or a name of the abstract space, written with `@` for its first byte; anything else: nobody listens."""
    if named.startswith("@"):
        return "\0" + named[1:]
    return named if named.startswith("/") else None


def _watchdog_seconds(environment: Mapping[str, str]) -> float:
    """Within how many seconds the manager wants signs of life; without a watchdog for this process, no matter when."""
    given, process = environment.get("WATCHDOG_USEC", ""), environment.get("WATCHDOG_PID", "")
    if not given.isdecimal() or process not in ("", str(os.getpid())):
        return float("inf")
    return int(given) / 1_000_000
