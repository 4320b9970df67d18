"""`collected_at`: when the SIS fetches what lies there, which run is to be there by then, with how much time to it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from worker.core.definition import Definition, Schedule
from worker.core.due import latest_due, next_due

LEAST_TIME = timedelta(minutes=5)
"""What a run needs between its due time and the SIS's: sealing, sending, and a second try half a minute later."""
PATIENCE = timedelta(minutes=10)
"""How long after its time an SIS may still come: some fetch two minutes late, and take the files one by one."""

_INSTANT = timedelta(microseconds=1)
_LONGEST_APART = timedelta(
    days=3
)  # between two collections of one time a day, across a change of the clocks or zone
_SOME_DAY = datetime(2026, 10, 1, tzinfo=UTC)
_SOME_WEEKS = timedelta(days=28)


def collections(definition: Definition, after: datetime, until: datetime) -> Iterator[datetime]:
    """When the SIS collects, later than `after` and not later than `until`; the earliest first, in UTC."""
    schedule = _collecting(definition)
    moment = next_due(schedule, after) if schedule is not None else None
    while schedule is not None and moment is not None and moment <= until:
        yield moment
        moment = next_due(schedule, moment)


def collection_before(definition: Definition, collection: datetime) -> datetime:
    """The collection before this one."""
    schedule = _collecting(definition)
    assert schedule is not None
    before = latest_due(schedule, collection - _LONGEST_APART, collection - _INSTANT)
    return before or collection - _LONGEST_APART


def due_for(definition: Definition, collection: datetime) -> datetime | None:
    """The last time before this collection at which a run is due that the one before has not had; None: none is."""
    since = collection_before(definition, collection)
    return latest_due(definition.schedule, since, collection - _INSTANT)


def hurried(definition: Definition) -> dict[str, tuple[str, int]]:
    """{local time at which the SIS collects: (the run due too shortly before, the minutes it has)}. What runs every
    so many minutes has always had one before."""
    found: dict[str, tuple[str, int]] = {}
    if definition.schedule.frequency == "interval":
        return found
    zone = definition.schedule.zone
    for collection in collections(definition, _SOME_DAY, _SOME_DAY + _SOME_WEEKS):
        due = latest_due(definition.schedule, collection - LEAST_TIME, collection)
        if due is not None:
            minutes = (collection - due) // timedelta(minutes=1)
            found[f"{collection.astimezone(zone):%H:%M}"] = (f"{due.astimezone(zone):%H:%M}", minutes)
    return found


def _collecting(definition: Definition) -> Schedule | None:
    """A collection is due as a daily run is."""
    if not definition.collected_at:
        return None
    return Schedule("daily", definition.schedule.time_zone, at=definition.collected_at)
