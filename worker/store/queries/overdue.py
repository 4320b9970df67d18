"""Since when an export has been behind its own schedule: what alerts are about, whatever the day of the week."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import islice
from typing import Any

from sqlalchemy import Connection, and_, func, select

from worker.core.definition import Definition, as_far_as_known, parse_definition
from worker.core.due import local_date
from worker.errors import UnreadableError
from worker.store.catalogue.schools import all_out, in_session, known_schools
from worker.store.database.tables import definition_revisions, definitions, run_requests

_LINGER = 5.0  # seconds, where a continuous schedule names none
_NEGLIGIBLE = timedelta(seconds=30)  # a full buffer is asked for, sealed and sent within this
_PAGE = 1000  # definitions looked up at once


@dataclass(frozen=True, slots=True)
class Behind:
    """What of an export waits: when its schedule runs next, its open run's due time, its oldest buffered entry; None
    where there is none."""

    frequency: str
    next_due_at: datetime | None
    run_due_at: datetime | None
    oldest_buffered_at: datetime | None


def overdue_since(connection: Connection, going: Mapping[str, Behind], now: datetime) -> dict[str, datetime]:
    """{export: since when a due time, a run-now or a full buffer of it has not been answered by a delivery}.

    `going` are the active exports but for those that are paused, which are never late; nothing is due on a day without
    school or on a blackout day.
    """
    asked = _asked_for(connection)
    filled = _filled_since(connection, going, now)
    found: dict[str, datetime] = {}
    for export_id, behind in going.items():
        since = (behind.run_due_at, behind.next_due_at, asked.get(export_id), filled.get(export_id))
        late = [moment for moment in since if moment is not None and moment < now]
        if late:
            found[export_id] = min(late)
    return found


def _asked_for(connection: Connection) -> dict[str, datetime]:
    """{export: when the oldest run that is asked for and not sealed was due}."""
    c = run_requests.c
    due = func.min(func.coalesce(c.due_at, c.requested_at), type_=c.requested_at.type)
    rows = connection.execute(select(c.export_id, due).where(c.state == "pending").group_by(c.export_id))
    return {row[0]: row[1] for row in rows}


def _filled_since(connection: Connection, going: Mapping[str, Behind], now: datetime) -> dict[str, datetime]:
    """{continuous export: since when its rows have gathered for longer than it lets them}.

    Only of what has waited for a while is the definition read: in an hour when an SIS of thousands of exports is
    silent, too, that is no question for each of them.
    """
    waiting = {
        export_id: behind.oldest_buffered_at
        for export_id, behind in going.items()
        if behind.frequency == "continuous"
        and behind.oldest_buffered_at is not None
        and behind.oldest_buffered_at + _NEGLIGIBLE < now
    }
    days = _Days(connection, now)
    found: dict[str, datetime] = {}
    for export_id, district_id, document in _documents(connection, waiting):
        since = waiting[export_id] + _linger(document)
        if since + _NEGLIGIBLE < now and days.sends(export_id, district_id, document):
            found[export_id] = since
    return found


def _documents(
    connection: Connection, wanted: Mapping[str, datetime]
) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Export, district and document in force of each."""
    d, r = definitions.c, definition_revisions.c
    in_force = and_(r.export_id == d.export_id, r.revision == d.revision)
    statement = select(d.export_id, d.district_id, r.document).join(definition_revisions, in_force)
    left = iter(wanted)
    while page := list(islice(left, _PAGE)):
        for row in connection.execute(statement.where(d.export_id.in_(page))):
            yield row.export_id, row.district_id, row.document


def _linger(document: Mapping[str, Any]) -> timedelta:
    """How long the rows may gather, or, where the definition is of another version, those of none."""
    seconds = _schedule(document).get("linger_seconds", _LINGER)
    return timedelta(seconds=float(seconds) if isinstance(seconds, (int, float)) else _LINGER)


def _schedule(document: Mapping[str, Any]) -> Mapping[str, Any]:
    schedule = document.get("schedule")
    return schedule if isinstance(schedule, Mapping) else {}


class _Days:
    """Whether exports send by themselves today: most definitions say nothing of days at all, and a district's are told
    its days without school by one question."""

    def __init__(self, connection: Connection, now: datetime) -> None:
        self._connection = connection
        self._now = now
        self._said: dict[tuple[str, date], Mapping[str, bool]] = {}
        self._schools: dict[str, frozenset[str]] = {}

    def sends(self, export_id: str, district_id: str, document: Mapping[str, Any]) -> bool:
        if not document.get("blackout") and not _schedule(document).get("school_days_only"):
            return True
        try:
            definition = parse_definition(document)
        except UnreadableError:
            definition = as_far_as_known(export_id, district_id, document)
        return self._sends(definition)

    def _sends(self, definition: Definition) -> bool:
        day = local_date(self._now, definition.schedule.time_zone)
        if definition.is_blackout(day):
            return False
        if not definition.schedule.school_days_only:
            return True
        district_id = definition.district_id
        said = self._said.get((district_id, day))
        if said is None:
            said = self._said[district_id, day] = in_session(self._connection, district_id, day)
        return not all_out(said, definition.schools or self._known(district_id))

    def _known(self, district_id: str) -> frozenset[str]:
        if district_id not in self._schools:
            self._schools[district_id] = known_schools(self._connection, district_id)
        return self._schools[district_id]
