"""Looks whether files lay there when an SIS collected, and whether it did collect them: `collected_at`."""

from __future__ import annotations

import threading
from contextlib import closing
from datetime import datetime, timedelta
from functools import partial

import structlog
from sqlalchemy import Connection, RowMapping

from worker.core.collection_times import PATIENCE, collections
from worker.core.definition import Definition, parse_definition
from worker.core.due import local_date
from worker.delivery.means import Means
from worker.destinations.opening import Opener
from worker.errors import DeliveryError
from worker.running.loops import Loop
from worker.store.catalogue.exports_in_force import load_document
from worker.store.definitions import definitions
from worker.store.entries.quiet import is_in_session
from worker.store.runs.missed_collections import How, file_to_collect, is_noted, late_run, note_missed

log = structlog.get_logger("collecting")

_EVERY = 60.0  # seconds
_STUCK = 600.0  # seconds for one look: a destination may be silent for a while
_LOOK_BACK = timedelta(days=1)  # a worker that was down tells of it late
_ASKED_FOR = timedelta(
    hours=2
)  # for so long a destination is asked: later, it may be another file that lies there


class Collecting:
    """Any number may run side by side: what was missed is noted once. It keeps only which collections it has asked a
    destination about and need not ask again."""

    def __init__(self, means: Means, opener: Opener) -> None:
        self._database = means.database
        self._clock = means.clock
        self._pulse = means.instruments.pulse
        self._opener = opener
        self._tasks = means.isolation("task")
        self._answered: dict[tuple[str, datetime], datetime] = {}

    def run(self, stop: threading.Event) -> None:
        """Looks every minute until told to stop."""
        waiting = "whether files were collected is not looked at yet"
        Loop("collecting", self._pulse, within=_STUCK, longest=_EVERY, waiting=waiting).run(self.once, stop)

    def once(self) -> float:
        """Looks at each export that says when its SIS collects; the seconds till the next look."""
        now = self._clock()
        self._forget_answers(now)
        with self._database.read() as connection:
            rows = [row for row in definitions.every(connection) if row["document"].get("collected_at")]
        if not rows:
            return _EVERY
        self._tasks.begin()
        for row in rows:
            thing = f"collections of {row['export_id']}"
            if thing not in self._tasks.passed_over():
                self._tasks.apart(thing, "collect", partial(self._look, row, now))
            self._pulse.beat("collecting")
        self._tasks.end()
        return _EVERY

    def _forget_answers(self, now: datetime) -> None:
        self._answered = {key: at for key, at in self._answered.items() if at > now - _LOOK_BACK}

    def _look(self, row: RowMapping, now: datetime) -> None:
        """Times before the definition was saved as it is are nobody's."""
        definition = parse_definition(row["document"])
        since = max(row["saved_at"], now - _LOOK_BACK)
        for collection in collections(definition, since, now):
            if self._counts(definition, collection):
                self._look_for_late(definition, collection, now, row["schedule_saved_at"])
                self._look_for_uncollected(definition, collection, now)

    def _counts(self, definition: Definition, collection: datetime) -> bool:
        """On a day without school an SIS may well stand still."""
        with self._database.read() as connection:
            return is_in_session(
                connection, definition, local_date(collection, definition.schedule.time_zone)
            )

    def _look_for_late(
        self, definition: Definition, collection: datetime, now: datetime, schedule_saved_at: datetime
    ) -> None:
        with self._database.read() as connection:
            run = late_run(connection, definition, collection, schedule_saved_at)
            if run is None or is_noted(connection, "late", definition.export_id, run["run_id"]):
                return
        due, at = (_local(definition, moment) for moment in (run["due_at"], collection))
        reason = f"the run due at {due} had not delivered its file by {at}, when the SIS collects"
        self._note("late", definition.export_id, run["run_id"], reason, now)

    def _look_for_uncollected(self, definition: Definition, collection: datetime, now: datetime) -> None:
        key = (definition.export_id, collection)
        if key in self._answered or not collection + PATIENCE <= now <= collection + _ASKED_FOR:
            return
        with self._database.read() as connection:
            run = file_to_collect(connection, definition, collection)
            options = None if run is None else _destination(connection, definition.export_id, run)
        if run is not None and options is not None:
            lies = self._lies(options, run)
            if lies is None:
                return
            if lies:
                at = _local(definition, collection)
                reason = (
                    f"{run['file_name']} still lay there at {_local(definition, now)}: the SIS was to collect"
                    f" it at {at}"
                )
                self._note("uncollected", definition.export_id, run["run_id"], reason, now)
        self._answered[key] = now

    def _lies(self, options: dict[str, object], run: RowMapping) -> bool | None:
        """Whether the run's file still lies there, as far as its destination can be looked into; None: not now."""
        seen: list[str] = []

        def replaceable(sha256: str) -> bool:
            seen.append(sha256)
            return True

        try:
            with closing(self._opener.files(options)) as destination:
                destination.require_free(run["file_name"], replace=replaceable)
        except DeliveryError as error:
            log.info("not looked whether the file was collected", run=run["run_id"], reason=str(error))
            return None
        return run["sha256"] in seen

    def _note(self, how: How, export_id: str, run_id: str, reason: str, now: datetime) -> None:
        with self._database.write() as connection:
            new = note_missed(connection, how, export_id, run_id, reason, now)
        if new:
            log.warning("a collection was missed", how=how, export=export_id, run=run_id, reason=reason)


def _destination(connection: Connection, export_id: str, run: RowMapping) -> dict[str, object]:
    return dict(load_document(connection, export_id, run["revision"])["destination"])


def _local(definition: Definition, moment: datetime) -> str:
    return f"{moment.astimezone(definition.schedule.zone):%Y-%m-%d %H:%M}"
