"""What stands aside: an export, outcome or task that met a defect of this version of the program, until it is tried
again."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Connection, and_, delete, func, select

from worker.store.database.statements import insert_into
from worker.store.database.tables import (
    IS_UNSEALED,
    asides,
    attempts,
    definitions,
    entry_rows,
    runs,
)

Kind = Literal["export", "outcome", "task"]
_KEY = ("version", "kind", "thing")

SHORTEST = timedelta(minutes=1)
LONGEST = timedelta(hours=6)
_LEFT_BEHIND = timedelta(minutes=15)  # nobody has tried it again: no worker of that version lives


@dataclass(frozen=True, slots=True)
class Aside:
    """One thing that stands aside for the workers of one version, since when, and when it is tried again."""

    version: str
    kind: Kind
    thing: str
    step: str
    reference: str
    error: str
    since: datetime
    times: int
    again_at: datetime


def of_kind(connection: Connection, version: str, kind: Kind) -> list[Aside]:
    """What stands aside for this version, what is to be tried again by now included."""
    found = select(asides).where(asides.c.version == version, asides.c.kind == kind)
    return [Aside(**row) for row in connection.execute(found).mappings()]


def put(
    connection: Connection,
    version: str,
    kind: Kind,
    thing: str,
    *,
    step: str,
    reference: str,
    error: str,
    now: datetime,
) -> Aside:
    """Sets a thing aside, or, where it was, for twice as long as the last time."""
    here = _key(version, kind, thing)
    before = connection.execute(select(asides).where(*here).with_for_update()).mappings().one_or_none()
    times = 1 if before is None else before["times"] + 1
    since = now if before is None else before["since"]
    aside = Aside(version, kind, thing, step, reference, error, since, times, now + _pause(times))
    values = {name: getattr(aside, name) for name in Aside.__dataclass_fields__}
    statement = insert_into(connection, asides).values(**values)
    connection.execute(statement.on_conflict_do_update(index_elements=_KEY, set_=values))
    return aside


def _pause(times: int) -> timedelta:
    doublings = min(times - 1, 20)
    return min(LONGEST, SHORTEST * int(2**doublings))


def done(connection: Connection, version: str, kind: Kind, things: Collection[str], now: datetime) -> None:
    """These went well when they were tried again. Which another worker has set aside anew meanwhile stay."""
    a = asides.c
    mine = (a.version == version, a.kind == kind, a.thing.in_(sorted(things)), a.again_at <= now)
    connection.execute(delete(asides).where(*mine))


def release(connection: Connection, kind: Kind, thing: str) -> bool:
    """A person may have put the cause right: every version tries again at once. False: it did not stand aside."""
    a = asides.c
    return connection.execute(delete(asides).where(a.kind == kind, a.thing == thing)).rowcount > 0


def standing(connection: Connection, now: datetime) -> list[Aside]:
    """Everything that stands aside for any version of which a worker lives, the oldest first."""
    statement = select(asides).where(asides.c.again_at > now - _LEFT_BEHIND)
    ordered = statement.order_by(asides.c.since, asides.c.kind, asides.c.thing, asides.c.version)
    return [Aside(**row) for row in connection.execute(ordered).mappings()]


def held_by_defects(connection: Connection) -> dict[str, int]:
    """{export: how many of its entries are held by a defect}."""
    e, d = entry_rows.c, definitions.c
    by_export = select(d.export_id, func.count()).join(entry_rows, e.export == d.export)
    held = by_export.where(IS_UNSEALED, e.state == "held", e.reason_code == "defect").group_by(d.export_id)
    return {row[0]: row[1] for row in connection.execute(held)}


def failed_by_defects(connection: Connection) -> dict[str, str]:
    """{export: its open run that a defect has failed}."""
    r, a = runs.c, attempts.c
    last = and_(a.run_id == r.run_id, a.number == r.attempts, a.defect_version.is_not(None))
    failed = select(r.export_id, r.run_id).join(attempts, last)
    return {
        row[0]: row[1]
        for row in connection.execute(failed.where(r.finished_at.is_(None), r.state == "failed"))
    }


def forget(connection: Connection, now: datetime) -> None:
    """Forgets what belongs to versions that nobody runs any more."""
    connection.execute(delete(asides).where(asides.c.again_at <= now - _LEFT_BEHIND))


def _key(version: str, kind: Kind, thing: str) -> tuple[Any, ...]:
    return (asides.c.version == version, asides.c.kind == kind, asides.c.thing == thing)
