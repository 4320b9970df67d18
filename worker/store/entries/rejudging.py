"""Entries that go back into the buffer because something that they were judged by has changed.

Every function here runs in the transaction of the change, which owns the catalogue: no batch is buffered meanwhile.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, literal, select, update

from worker.core.references import EVERY_SCHOOL
from worker.store.database.statements import insert_into
from worker.store.database.tables import IS_ENDED, IS_UNSEALED, definitions, entry_rows, tardies
from worker.store.entries.matching import ROW_KEY, active_numbers, carries_newest, has_data, of_export

JUDGED_AGAIN = {"state": "buffered", "judged": False, "reason": None, "reason_code": None, "settled_at": None}
"""What an entry is set to that goes back into the buffer. It must have its data: see `matching.has_data`."""

_LOOKED_AT_ANEW = ("cancelled", "ignored", "collapsed", "not_required")
"""States that a saved definition may change, beside those that wait."""

Code = tuple[str, str]
"""A school, or EVERY_SCHOOL, and a behavior code."""


def rejudge_held(connection: Connection, district_id: str) -> None:
    """Has every held entry of the district judged again: its cause may be gone."""
    exports = select(definitions.c.export).where(definitions.c.district_id == district_id)
    connection.execute(
        update(entry_rows)
        .where(entry_rows.c.export.in_(exports), IS_UNSEALED, entry_rows.c.state == "held")
        .values(judged=False)
    )


def rejudge_codes(connection: Connection, district_id: str, codes: Collection[Code]) -> int:
    """Has what of these codes waits or has ended, undelivered, judged again: another word on them is in force.
    Returns how many entries."""
    found = 0
    for code in codes:
        bears = (*_of_active(district_id), IS_UNSEALED, _bears(code), has_data())
        found += connection.execute(update(entry_rows).where(*bears).values(judged=False)).rowcount
    return found + _wake(connection, district_id, codes, ("collapsed", "ignored", "not_required"))


def wake_codes(connection: Connection, district_id: str, codes: Collection[Code]) -> None:
    """The behavior system has described these codes anew: has what of them is not required, or ignored because its row
    read the same, judged again."""
    _wake(connection, district_id, codes, ("ignored", "not_required"))


def _wake(connection: Connection, district_id: str, codes: Collection[Code], states: Collection[str]) -> int:
    found = 0
    for code in codes:
        asleep = (
            *_of_active(district_id),
            IS_ENDED,
            entry_rows.c.state.in_(states),
            _bears(code),
            has_data(),
        )
        found += connection.execute(update(entry_rows).where(*asleep).values(**JUDGED_AGAIN)).rowcount
    return found


def rejudge_definition(connection: Connection, export_id: str, now: datetime) -> None:
    """Has everything of the definition judged again that is not final and carries its tardy's newest version."""
    looked_at_anew = (IS_ENDED, entry_rows.c.state.in_(_LOOKED_AT_ANEW), carries_newest(), has_data())
    for which in ((IS_UNSEALED,), looked_at_anew):  # each by an index of its own
        connection.execute(
            update(entry_rows).where(of_export(export_id), *which).values(**JUDGED_AGAIN, later_at=None)
        )
    _send_refused_again(connection, export_id, now)


def _send_refused_again(connection: Connection, export_id: str, now: datetime) -> None:
    """What the SIS has refused keeps its receipt; the same version comes to matter once more."""
    c = entry_rows.c
    kept = ROW_KEY[:3]
    refused = (
        of_export(export_id),
        IS_ENDED,
        c.state == "refused",
        ~c.released,
        carries_newest(),
        has_data(),
    )
    again = select(
        *(c[name] for name in kept),
        c.ordinal + 1,
        literal("buffered"),
        c.sort_at,
        literal(False),
        c.collapse_key,
        c.sis_waits,
        literal(now, c.buffered_at.type),
    ).where(*refused)
    names = [*kept, "ordinal", "state", "sort_at", "judged", "collapse_key", "sis_waits", "buffered_at"]
    connection.execute(insert_into(connection, entry_rows).from_select(names, again))
    connection.execute(update(entry_rows).where(*refused).values(released=True))


def _of_active(district_id: str) -> tuple[Any, ...]:
    return (entry_rows.c.export.in_(active_numbers(district_id)),)


def _bears(code: Code) -> Any:
    """SQL: the entry carries its tardy's newest version, which bears the code (at that school, if it names one)."""
    school_id, name = code
    of_school = () if school_id == EVERY_SCHOOL else (tardies.c.school_id == school_id,)
    return carries_newest(tardies.c.behavior_code == name, *of_school)
