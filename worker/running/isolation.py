"""Work on many things, each apart from the others: what one of them meets sets it aside, and the next is done."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import structlog

from worker import __version__, defects
from worker.clock import Clock
from worker.errors import ConfigurationError, UnavailableError, UnreadableError
from worker.store import asides
from worker.store.asides import Aside, Kind
from worker.store.database.engine import Database

log = structlog.get_logger("isolation")

T = TypeVar("T")

STOPS_RUNS = ("read", "claim", "settle")
"""Steps whose trouble keeps an export's runs back; what stands aside over another has its sealed run delivered."""


class Isolation:
    """The things of one kind that stand aside, as one thread sees them from one look to the next.

    Each look begins with `begin` and ends with `end`; in between each thing's work goes through `apart`.
    `version`: the program's, for whose workers alone they stand aside. `ping` tells whether a server that did not
    take a thing's work is there for the others; None: it is believed to be away for all.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        kind: Kind,
        *,
        version: str = __version__,
        ping: Callable[[], None] | None = None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._kind: Kind = kind
        self._version = version[:32]
        self._ping = ping
        self._standing: dict[str, str] = {}  # {thing: step}
        self._tried_again: dict[str, str] = {}

    def begin(self) -> None:
        """A new look: who stands aside now, and who is tried again. Raises UnavailableError."""
        now = self._clock()
        with self._database.read() as connection:
            found = asides.of_kind(connection, self._version, self._kind)
        self._standing = {one.thing: one.step for one in found if one.again_at > now}
        self._tried_again = {one.thing: one.step for one in found if one.again_at <= now}

    def passed_over(self, *steps: str) -> frozenset[str]:
        """What to leave out of this look: of what stands aside over one of these steps (none named: over any)."""
        return frozenset(thing for thing, step in self._standing.items() if not steps or step in steps)

    def apart(self, thing: str, step: str, work: Callable[[], T]) -> T | None:
        """Does a thing's work; None where it met something that sets it aside.

        Raises UnavailableError (the database is not there for anybody) and ConfigurationError.
        """
        try:
            return work()
        except ConfigurationError:
            raise
        except UnavailableError as error:
            if self._ping is None:
                raise
            log.warning("tried once more", kind=self._kind, thing=thing, step=step, reason=str(error))
            return self._once_more(thing, step, work, self._ping)
        except Exception as error:  # noqa: BLE001 - whatever it is, the others go on
            self.set_aside(thing, step, error)
            return None

    def _once_more(self, thing: str, step: str, work: Callable[[], T], ping: Callable[[], None]) -> T | None:
        """The database did not take this thing's work: is it there for the others?"""
        ping()
        try:
            return work()
        except ConfigurationError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the others go on
            if isinstance(error, UnavailableError):
                ping()
            self.set_aside(thing, step, error)
            return None

    def set_aside(self, thing: str, step: str, error: BaseException) -> None:
        """Has the thing passed over for a while. Where the database is away it is, as long as this look lasts."""
        unreadable = isinstance(error, UnreadableError)
        self._standing[thing] = "read" if unreadable else step
        if unreadable:
            reference = ""
            log.warning("left to another version", kind=self._kind, thing=thing, reason=str(error))
        else:
            reference = defects.noted(step, error, kind=self._kind, thing=thing)
        what = str(error) if unreadable else type(error).__name__
        try:
            aside = self._put(thing, self._standing[thing], reference, what)
        except UnavailableError as away:
            log.warning("not written down what stands aside", thing=thing, reason=str(away))
        else:
            log.warning(
                "stands aside", kind=self._kind, thing=thing, step=step, until=aside.again_at.isoformat()
            )
        self._tried_again.pop(thing, None)

    def _put(self, thing: str, step: str, reference: str, what: str) -> Aside:
        for attempt in self._database.retrying():
            with attempt, self._database.write() as connection:
                aside = asides.put(
                    connection,
                    self._version,
                    self._kind,
                    thing,
                    step=step,
                    reference=reference,
                    error=what,
                    now=self._clock(),
                )
        return aside

    def end(self, *but: str) -> None:
        """The look is over: what was tried again (but for those set aside over one of these steps, which this look
        does not take) and met nothing stands aside no longer. Raises UnavailableError."""
        done = [thing for thing, step in self._tried_again.items() if step not in but]
        if not done:
            return
        with self._database.write() as connection:
            asides.done(connection, self._version, self._kind, done, self._clock())
        for thing in done:
            del self._tried_again[thing]
        log.info("no longer aside", kind=self._kind, things=done)
