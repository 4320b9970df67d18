"""What an SIS that takes records has been given already, sent once more: for a record that somebody has changed or
removed there."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, and_, exists, literal, or_, select, tuple_

from worker.store.database.statements import insert_into
from worker.store.database.tables import definitions, entry_rows, tardies
from worker.store.entries.matching import ROW_KEY, has_data, of_export

_KEPT = ROW_KEY[:3]


@dataclass(frozen=True, slots=True)
class OnceMore:
    """Which tardies: those that occurred from `begin` on and before `end`; of one student, by `student.id`, or all."""

    begin: datetime
    end: datetime
    student_id: str | None = None


def send_once_more(connection: Connection, export_id: str, wanted: OnceMore, now: datetime) -> int:
    """Has the last row that was delivered of each of these tardies go again, if it was no void and the tardy has not
    changed since; how many. The caller owns the catalogue, and holds the definition: it has no open run."""
    e = entry_rows.c
    later = entry_rows.alias("later")
    newest = ~exists().where(
        *(later.c[name] == e[name] for name in _KEPT[:2]),
        or_(later.c.version > e.version, and_(later.c.version == e.version, later.c.ordinal > e.ordinal)),
    )
    t, d = tardies.c, definitions.c
    district = select(d.district_id).where(d.export_id == export_id).scalar_subquery()
    heads = [t.district_id == district, t.occurred_at >= wanted.begin, t.occurred_at < wanted.end, ~t.voided]
    if wanted.student_id is not None:
        heads.append(t.student_id == wanted.student_id)
    there = (
        of_export(export_id),
        e.state == "delivered",
        e.action != "void",
        tuple_(e.tardy, e.version).in_(select(t.tardy, t.version).where(*heads)),
        has_data(),
        newest,
    )
    again = select(
        *(e[name] for name in _KEPT),
        e.ordinal + 1,
        literal("buffered"),
        e.sort_at,
        literal(False),
        literal(True),
        e.collapse_key,
        literal("half"),
        literal(now, e.buffered_at.type),
    ).where(*there)
    names = [
        *_KEPT,
        "ordinal",
        "state",
        "sort_at",
        "judged",
        "released",
        "collapse_key",
        "sis_waits",
        "buffered_at",
    ]
    statement = insert_into(connection, entry_rows).from_select(names, again).returning(entry_rows.c.tardy)
    return len(connection.execute(statement).all())
