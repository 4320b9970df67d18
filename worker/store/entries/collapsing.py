"""`collapse` in the store: what an entry competes with, and who is judged again when a place comes free."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, RowMapping, and_, exists, func, literal, or_, select, tuple_, update

from worker.core.judgement.collapse import NO_KEY, Rival
from worker.store.database.tables import (
    definitions,
    entries,
    tardies,
    tardy_versions,
)
from worker.store.entries.matching import EntryKey, active_in, carries_newest, has_data, same_version
from worker.store.entries.rejudging import JUDGED_AGAIN

_IN_DOUBT = or_(  # the SIS may have it, whatever has become of the entry since
    entries.c.sis_waits == "unknown",
    and_(entries.c.state == "held", entries.c.reason_code == "sis-unknown"),
)
_DOUBT = func.coalesce(_IN_DOUBT, literal(False)).label("in_doubt")
_COMPETES = or_(entries.c.state.in_(("delivered", "sealed", "buffered", "collapsed")), _IN_DOUBT)


def of_export(export_id: str) -> Any:
    """SQL: the entry is of that export; said so that the primary key serves to find a tardy's entries."""
    d = definitions.c
    district = select(d.district_id).where(d.export_id == export_id).scalar_subquery()
    return and_(entries.c.export_id == export_id, entries.c.district_id == district)


def rivals_of(
    connection: Connection, export_id: str, keys: Iterable[str], besides: set[EntryKey]
) -> dict[str, list[Rival]]:
    """{key: what competes under it}, apart from the entries `besides` that are being judged just now."""
    c = entries.c
    wanted = sorted(set(keys) - {NO_KEY})
    rows = connection.execute(
        select(c.collapse_key, c.tardy_id, c.version, c.ordinal, c.state, c.sort_at, _DOUBT).where(
            c.export_id == export_id, c.collapse_key.in_(wanted), _COMPETES
        )
    ).all()
    in_sis = _in_sis(connection, export_id, {row.tardy_id for row in rows if row.state == "delivered"})
    seen_to = _seen_to(connection, export_id, {row.tardy_id for row in rows if row.in_doubt})
    found: dict[str, list[Rival]] = defaultdict(list)
    for row in rows:
        place = (row.tardy_id, row.version, row.ordinal)
        if row.state == "delivered" and in_sis.get(row.tardy_id) != place:
            continue
        if row.in_doubt and row.version <= seen_to.get(row.tardy_id, 0):
            continue
        if place not in besides:
            taken = row.in_doubt or row.state in ("delivered", "sealed")
            found[row.collapse_key].append(Rival(row.tardy_id, row.sort_at, "taken" if taken else "waiting"))
    return found


def _in_sis(connection: Connection, export_id: str, tardy_ids: set[str]) -> dict[str, EntryKey]:
    """Each tardy's entry that the SIS has: the last delivered, if it is no void and no person has seen to one."""
    c = entries.c
    rows = connection.execute(
        select(c.tardy_id, c.version, c.ordinal, c.state, c.action)
        .where(
            of_export(export_id),
            c.tardy_id.in_(sorted(tardy_ids)),
            c.state.in_(("delivered", "dismissed")),
        )
        .order_by(c.version, c.ordinal)
    )
    found: dict[str, EntryKey] = {}
    for row in rows:
        if row.action == "void":
            found.pop(row.tardy_id, None)
        elif row.state == "delivered":
            found[row.tardy_id] = (row.tardy_id, row.version, row.ordinal)
    return found


def _seen_to(connection: Connection, export_id: str, tardy_ids: set[str]) -> dict[str, int]:
    """{tardy: the newest version whose void a person has seen to}: of what was in doubt up to it nothing is there."""
    c = entries.c
    dismissed = (c.state == "dismissed", c.action == "void", c.tardy_id.in_(sorted(tardy_ids)))
    statement = select(c.tardy_id, func.max(c.version)).where(of_export(export_id), *dismissed)
    return {row[0]: row[1] for row in connection.execute(statement.group_by(c.tardy_id))} if tardy_ids else {}


def known_keys(connection: Connection, export_id: str, tardy_ids: Sequence[str]) -> Mapping[str, set[str]]:
    """{tardy: every key that one of its entries has competed under}."""
    c = entries.c
    rows = connection.execute(
        select(c.tardy_id, c.collapse_key).where(
            of_export(export_id),
            c.tardy_id.in_(tardy_ids),
            c.collapse_key.is_not(None),
            c.collapse_key != NO_KEY,
        )
    )
    found: dict[str, set[str]] = defaultdict(set)
    for tardy_id, key in rows:
        found[tardy_id].add(key)
    return found


def wake(connection: Connection, export_id: str, keys: Iterable[str]) -> None:
    """A place may have come free: has what was collapsed under these keys judged again."""
    wanted = sorted(set(keys) - {NO_KEY})
    if wanted:
        _wake(connection, export_id, entries.c.collapse_key.in_(wanted))


def wake_behind_run(connection: Connection, export_id: str, run_id: str) -> None:
    """The run's rows have not gone yet after all: what was collapsed behind them is judged beside them again."""
    sealed = entries.alias("sealed")
    keys = select(sealed.c.collapse_key).where(
        sealed.c.run_id == run_id, sealed.c.state == "sealed", sealed.c.collapse_key.is_not(None)
    )
    _wake(connection, export_id, entries.c.collapse_key.in_(keys))


def _wake(connection: Connection, export_id: str, *conditions: Any) -> None:
    """A deleted export's entries sleep on."""
    d = definitions.c
    active = exists().where(d.export_id == export_id, d.state == "active")
    collapsed = (entries.c.export_id == export_id, entries.c.state == "collapsed", active)
    connection.execute(update(entries).where(*collapsed, *conditions).values(**JUDGED_AGAIN))


def wake_after_delivery(connection: Connection, run: RowMapping) -> None:
    """The run's changes and voids have reached the SIS: what they took back makes room."""
    c = entries.c
    corrected = list(
        connection.execute(
            select(c.tardy_id).where(c.run_id == run["run_id"], c.action.in_(("change", "void")))
        ).scalars()
    )
    for start in range(0, len(corrected), 1000):
        keys = known_keys(connection, run["export_id"], corrected[start : start + 1000])
        wake(connection, run["export_id"], {key for each in keys.values() for key in each})


def wake_schools(connection: Connection, district_id: str, school_ids: Collection[str]) -> None:
    """A school's days or periods are others now: has what is collapsed there, ignored because its row read the
    same, or not required judged again."""
    if not school_ids:
        return
    there = carries_newest(tardies.c.school_id.in_(sorted(set(school_ids))))
    asleep = (
        entries.c.export_id.in_(active_in(district_id)),
        entries.c.state.in_(("collapsed", "ignored", "not_required")),
    )
    connection.execute(update(entries).where(*asleep, there, has_data()).values(**JUDGED_AGAIN))


def delivered_page(
    connection: Connection, export_id: str, after: EntryKey | None, limit: int, *conditions: Any
) -> list[tuple[EntryKey, str | None]]:
    """Delivered adds and changes with their versions' documents (None: purged), by key, from behind `after` on."""
    c = entries.c
    statement = (
        select(c.tardy_id, c.version, c.ordinal, tardy_versions.c.document)
        .join(tardy_versions, same_version(tardy_versions.c, c))
        .where(of_export(export_id), c.state == "delivered", c.action != "void", *conditions)
        .order_by(c.tardy_id, c.version, c.ordinal)
        .limit(limit)
    )
    if after is not None:
        statement = statement.where(tuple_(c.tardy_id, c.version, c.ordinal) > tuple_(*map(literal, after)))
    return [((row[0], row[1], row[2]), row[3]) for row in connection.execute(statement)]
