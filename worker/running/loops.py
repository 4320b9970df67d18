"""The one loop that every thread of the program runs in: whatever a step meets, the thread goes on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from time import monotonic

import structlog

from worker import defects
from worker.errors import ConfigurationError, UnavailableError
from worker.instruments import Pulse

log = structlog.get_logger("loops")

_LOOK = 5.0  # seconds between two signs of life of a loop that waits: waiting is no trouble


class Loop:
    """A step done again and again. `within`: seconds after which a step that shows no progress counts as stuck;
    `longest`: seconds between two tries at the most, unless `longest_of` has others for the kind of an
    UnavailableError; `waiting`: what the log says while a server is waited for."""

    def __init__(
        self,
        name: str,
        pulse: Pulse,
        *,
        within: float,
        longest: float = 15.0,
        longest_of: Mapping[str, float] | None = None,
        waiting: str = "the database is waited for",
    ) -> None:
        self._name = name
        self._pulse = pulse
        self._within = within
        self._longest = longest
        self._longest_of = longest_of or {}
        self._waiting = waiting
        self._failures = 0
        defects.expect(name)

    def run(
        self, step: Callable[[], float], stop: threading.Event, woken: threading.Event | None = None
    ) -> None:
        """Takes the step until told to stop; it returns the seconds to wait for the next (or until `woken`).

        A server that is gone is waited for; a defect is logged and the step tried again, each with back-off.
        Raises ConfigurationError: waiting would not help.
        """
        self._pulse.expect(self._name, within=self._within)
        try:
            while not stop.is_set():
                pause = self._take(step)
                self._wait(pause, stop if self._failures or woken is None else woken, stop)
        finally:
            self._pulse.stopped(self._name)

    def well(self) -> None:
        """What went wrong before is over: the next pause is short again."""
        self._failures = 0

    def is_well(self) -> bool:
        """Whether nothing has gone wrong since the last step that went through, or since `well`."""
        return self._failures == 0

    def _take(self, step: Callable[[], float]) -> float:
        try:
            pause = step()
        except ConfigurationError:
            raise
        except UnavailableError as error:
            pause = self._next_pause(self._longest_of.get(error.kind, self._longest))
            log.warning(self._waiting, reason=str(error), seconds=pause)
        except Exception as error:  # noqa: BLE001 - no error of one step may end the thread
            pause = self._next_pause(self._longest)
            defects.noted(self._name, error, seconds=pause)
        else:
            self._failures = 0
            self._pulse.worked(self._name)
        return pause

    def _next_pause(self, longest: float) -> float:
        self._failures += 1
        return min(longest, 0.25 * 2.0 ** min(self._failures, 12))

    def _wait(self, seconds: float, sooner: threading.Event, stop: threading.Event) -> None:
        until = monotonic() + seconds
        self._pulse.beat(self._name)
        while (left := until - monotonic()) > 0 and not stop.is_set():
            if sooner.wait(min(left, _LOOK)):
                return
            self._pulse.beat(self._name)
