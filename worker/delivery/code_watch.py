"""Looks every hour whether the SISs still have the codes that their exports use: a code that somebody has taken out
there is told before the first row is refused, and what is kept of a dictionary for rows is no older."""

from __future__ import annotations

import random
import threading
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from time import monotonic
from typing import cast

import structlog

from worker import defects
from worker.core.definition import Definition
from worker.core.sis_codes import codes_used, lacking_told
from worker.delivery.means import Means
from worker.destinations.opening import Opener
from worker.destinations.placing import server_of
from worker.destinations.record_port import CodedDestination
from worker.errors import DeliveryError, TransientError, UnavailableError
from worker.running.loops import Loop
from worker.store.definitions.noticed_codes import coded_exports, note_codes, references_of

log = structlog.get_logger("codes")

_EVERY = 3600.0  # seconds
_JITTER = 300.0  # seconds that a look may come sooner: workers that began together do not stay so
_STUCK = 600.0  # seconds for one look: a destination may be silent for a while
_LOOK = 5.0  # seconds between two signs of life
_HUNG = 720.0  # seconds without any answer after which a destination's code is taken to hang
_SERVERS = 4  # that are asked side by side


@dataclass(frozen=True, slots=True)
class Watched:
    """An export, the revision of its definition, and the codes that it may send."""

    revision: int
    definition: Definition
    codes: frozenset[str]


class CodeWatch:
    """Any number may run side by side, each for what its own process keeps: what has changed is noted once.

    A server is asked one thing at a time, apart from the flusher's places there, within the time of the destination's
    own requests, and after a question that it does not answer nothing more until the next look: who is silent or
    slow keeps no other server's exports, no run and no housekeeping waiting. `hung`: seconds without an answer.
    """

    def __init__(self, means: Means, opener: Opener, *, hung: float = _HUNG) -> None:
        self._database = means.database
        self._clock = means.clock
        self._pulse = means.instruments.pulse
        self._opener = opener
        self._hung = hung
        self._under_way: set[str] = set()  # servers that a thread is asking

    def run(self, stop: threading.Event) -> None:
        """Looks about every hour until told to stop."""
        waiting = "whether SISs still have their codes is not looked at yet"
        loop = Loop("codes", self._pulse, within=_STUCK, longest=60.0, waiting=waiting)
        loop.run(lambda: self.once(stop), stop)

    def once(self, stop: threading.Event | None = None) -> float:
        """Looks at the dictionary of each export whose SIS has one; the seconds till the next look. Raises
        UnavailableError."""
        by_server = self._by_server()
        looks: SimpleQueue[tuple[str, Sequence[Watched]]] = SimpleQueue()
        ended: SimpleQueue[UnavailableError | None] = SimpleQueue()
        for look in by_server.items():
            looks.put(look)
        for _ in range(min(_SERVERS, len(by_server))):
            # No pool: the program's end would wait for a thread that a silent SIS holds.
            threading.Thread(
                target=self._work, args=(looks, ended), name="asks for codes", daemon=True
            ).start()
        self._wait(len(by_server), ended, stop or threading.Event())
        _emptied(looks)
        return _EVERY - random.random() * _JITTER

    def _by_server(self) -> dict[str, list[Watched]]:
        """But for servers that still hold a thread of an earlier look."""
        by_server: defaultdict[str, list[Watched]] = defaultdict(list)
        with self._database.read() as connection:
            coded = coded_exports(connection)
        for revision, definition in coded:
            server = server_of(definition.destination)
            if server not in self._under_way and (codes := self._codes(definition)):
                by_server[server].append(Watched(revision, definition, codes))
        return by_server

    def _codes(self, definition: Definition) -> frozenset[str]:
        self._pulse.beat("codes")
        with self._database.read() as connection:
            references = references_of(connection, definition)
        return codes_used(definition, references, self._clock())

    def _wait(self, count: int, ended: SimpleQueue[UnavailableError | None], stop: threading.Event) -> None:
        """Until all have looked, nobody has for too long, or the program is to stop. Raises UnavailableError."""
        since = monotonic()
        while count and not stop.is_set():
            self._pulse.beat("codes")
            try:
                error = ended.get(timeout=min(_LOOK, self._hung))
            except Empty:
                if monotonic() - since > self._hung:
                    log.warning("SISs do not come back from being asked for their codes", servers=count)
                    return
                continue
            count, since = count - 1, monotonic()
            if error is not None:
                raise error

    def _work(
        self,
        looks: SimpleQueue[tuple[str, Sequence[Watched]]],
        ended: SimpleQueue[UnavailableError | None],
    ) -> None:
        with suppress(Empty):
            while True:
                server, exports = looks.get_nowait()
                self._under_way.add(server)
                try:
                    self._look(exports)
                except UnavailableError as error:
                    ended.put(error)
                else:
                    ended.put(None)
                finally:
                    self._under_way.discard(server)

    def _look(self, exports: Sequence[Watched]) -> None:
        """Asks one server, export by export, until it does not answer; each time in another order, so that one that it
        never answers keeps none of the others from ever being looked at. Raises UnavailableError."""
        for one in random.sample(exports, len(exports)):
            if not self._looked(one):
                return

    def _looked(self, one: Watched) -> bool:
        """Whether the server answered. What a delivery would meet as well, it tells of itself."""
        export_id = one.definition.export_id
        try:
            self._note(one, self._lacking(one))
        except DeliveryError as error:
            log.info("an SIS's codes could not be looked at", export=export_id, reason=str(error))
            return not isinstance(error, TransientError)
        except UnavailableError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the other exports are looked at
            defects.noted("codes", error, export=export_id)
        return True

    def _lacking(self, one: Watched) -> str | None:
        destination = cast(CodedDestination, self._opener.records(one.definition.destination))
        return lacking_told(destination.lacking(one.codes))

    def _note(self, one: Watched, found: str | None) -> None:
        export_id = one.definition.export_id
        with self._database.write() as connection:
            turned = note_codes(connection, export_id, one.revision, found, self._clock())
        if turned == "gone":
            log.warning("codes are gone from an SIS's dictionary", export=export_id, reason=found)
        elif turned == "back":
            log.info("an SIS has every code again", export=export_id)


def _emptied(looks: SimpleQueue[tuple[str, Sequence[Watched]]]) -> None:
    """What nobody has begun waits for the next look."""
    with suppress(Empty):
        while True:
            looks.get_nowait()
