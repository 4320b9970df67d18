"""`collapse` in the store: what an entry competes with, and who is judged again when a place comes free."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Literal

from sqlalchemy import (
    Connection,
    RowMapping,
    Select,
    and_,
    exists,
    func,
    literal,
    or_,
    select,
    tuple_,
    update,
)

from worker.core.judgement.collapse import NO_KEY, Rival
from worker.store.database.tables import (
    IS_ENDED,
    definitions,
    entry_rows,
    runs,
    tardies,
    tardy_versions,
)
from worker.store.entries.matching import (
    ROW_KEY,
    EntryKey,
    active_numbers,
    carries_newest,
    has_data,
    of_export,
    same_tardy,
)
from worker.store.entries.rejudging import JUDGED_AGAIN

RowPlace = tuple[str, int]
"""A run's line."""

_IN_DOUBT = or_(  # the SIS may have it, whatever has become of the entry since
    entry_rows.c.sis_waits == "unknown",
    and_(entry_rows.c.state == "held", entry_rows.c.reason_code == "sis-unknown"),
)
_DOUBT = func.coalesce(_IN_DOUBT, literal(False)).label("in_doubt")
_COMPETES = or_(entry_rows.c.state.in_(("delivered", "sealed", "buffered", "collapsed")), _IN_DOUBT)


def rivals_of(
    connection: Connection, export_id: str, keys: Iterable[str], besides: set[EntryKey]
) -> dict[str, list[Rival]]:
    """{key: what competes under it}, apart from the entries `besides` that are being judged just now."""
    c, wanted = entry_rows.c, sorted(set(keys) - {NO_KEY})
    if not wanted:
        return {}
    rows = connection.execute(
        select(c.collapse_key, c.tardy, tardies.c.tardy_id, c.version, c.ordinal, c.state, c.sort_at, _DOUBT)
        .join(tardies, tardies.c.tardy == c.tardy)
        .where(of_export(export_id), c.collapse_key.in_(wanted), _COMPETES)
    ).all()
    in_sis = _in_sis(connection, export_id, {row.tardy for row in rows if row.state == "delivered"})
    seen_to = _seen_to(connection, export_id, {row.tardy for row in rows if row.in_doubt})
    found: dict[str, list[Rival]] = defaultdict(list)
    for row in rows:
        if row.state == "delivered" and in_sis.get(row.tardy) != (row.version, row.ordinal):
            continue
        if row.in_doubt and row.version <= seen_to.get(row.tardy, 0):
            continue
        if (row.tardy_id, row.version, row.ordinal) not in besides:
            taken = row.in_doubt or row.state in ("delivered", "sealed")
            standing: Literal["taken", "waiting"] = "taken" if taken else "waiting"
            found[row.collapse_key].append(Rival(row.tardy, row.tardy_id, row.sort_at, standing))
    return found


def _in_sis(connection: Connection, export_id: str, numbers: set[int]) -> dict[int, tuple[int, int]]:
    """Each tardy's entry that the SIS has: the last delivered, if it is no void and no person has seen to one."""
    c = entry_rows.c
    rows = connection.execute(
        select(c.tardy, c.version, c.ordinal, c.state, c.action)
        .where(of_export(export_id), c.tardy.in_(sorted(numbers)), c.state.in_(("delivered", "dismissed")))
        .order_by(c.version, c.ordinal)
    )
    found: dict[int, tuple[int, int]] = {}
    for row in rows:
        if row.action == "void":
            found.pop(row.tardy, None)
        elif row.state == "delivered":
            found[row.tardy] = (row.version, row.ordinal)
    return found


def _seen_to(connection: Connection, export_id: str, numbers: set[int]) -> dict[int, int]:
    """{tardy: the newest version whose void a person has seen to}: of what was in doubt up to it nothing is there."""
    if not numbers:
        return {}
    c = entry_rows.c
    dismissed = (c.state == "dismissed", c.action == "void", c.tardy.in_(sorted(numbers)))
    statement = select(c.tardy, func.max(c.version)).where(of_export(export_id), *dismissed)
    return {row[0]: row[1] for row in connection.execute(statement.group_by(c.tardy))}


def known_keys(connection: Connection, export_id: str, numbers: Sequence[int]) -> Mapping[int, set[str]]:
    """{tardy, by number: every key that one of its entries has competed under}."""
    c = entry_rows.c
    rows = connection.execute(
        select(c.tardy, c.collapse_key).where(of_export(export_id), c.tardy.in_(numbers)).distinct()
    )
    found: dict[int, set[str]] = defaultdict(set)
    for tardy, key in rows:
        # Asked in SQL, it would have SQLite read the index of all keys there are.
        if key not in (None, NO_KEY):
            found[tardy].add(key)
    return found


def wake(connection: Connection, export_id: str, keys: Iterable[str]) -> None:
    """A place may have come free: has what was collapsed under these keys judged again."""
    wanted = sorted(set(keys) - {NO_KEY})
    if wanted:
        _wake(connection, export_id, entry_rows.c.collapse_key.in_(wanted))


def wake_behind_run(connection: Connection, export_id: str, run_id: str) -> None:
    """The run's rows have not gone yet after all: what was collapsed behind them is judged beside them again."""
    sealed = entry_rows.alias("sealed")
    keys = select(sealed.c.collapse_key).where(
        sealed.c.run_id == run_id, sealed.c.state == "sealed", sealed.c.collapse_key.is_not(None)
    )
    _wake(connection, export_id, entry_rows.c.collapse_key.in_(keys))


def _wake(connection: Connection, export_id: str, *conditions: Any) -> None:
    """A deleted export's entries sleep on."""
    d = definitions.c
    active = exists().where(d.export_id == export_id, d.state == "active")
    collapsed = (of_export(export_id), entry_rows.c.state == "collapsed", active)
    connection.execute(update(entry_rows).where(*collapsed, *conditions).values(**JUDGED_AGAIN))


def wake_after_delivery(connection: Connection, run: RowMapping) -> None:
    """The run's changes and voids have reached the SIS: what they took back makes room."""
    c = entry_rows.c
    corrected = list(
        connection.execute(
            select(c.tardy).where(c.run_id == run["run_id"], c.action.in_(("change", "void")))
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
        entry_rows.c.export.in_(active_numbers(district_id)),
        IS_ENDED,
        entry_rows.c.state.in_(("collapsed", "ignored", "not_required")),
    )
    connection.execute(update(entry_rows).where(*asleep, there, has_data()).values(**JUDGED_AGAIN))


def delivered_page(
    connection: Connection, export_id: str, after: RowPlace | None, limit: int
) -> Sequence[RowMapping]:
    """Delivered adds and changes, each with its tardy's id and its version's document (None: purged), in the order of
    their runs' lines, from behind `after` on."""
    c, r = entry_rows.c, runs.c
    statement = _delivered().where(c.run_id.in_(select(r.run_id).where(r.export_id == export_id)))
    if after is not None:
        statement = statement.where(tuple_(c.run_id, c.line) > tuple_(*map(literal, after)))
    return connection.execute(statement.order_by(c.run_id, c.line).limit(limit)).mappings().all()


def delivered_of(connection: Connection, export_id: str, numbers: Sequence[int]) -> Sequence[RowMapping]:
    """The same of these tardies, in any order."""
    these = (of_export(export_id), entry_rows.c.tardy.in_(numbers))
    return connection.execute(_delivered().where(*these)).mappings().all()


def _delivered() -> Select[Any]:
    c, v = entry_rows.c, tardy_versions.c
    of_version = and_(same_tardy(tardies.c, v), v.version == c.version)
    return (
        select(c.run_id, c.line, *(c[name] for name in ROW_KEY), tardies.c.tardy_id, v.document)
        .join(tardies, tardies.c.tardy == c.tardy)
        .join(tardy_versions, of_version)
        .where(c.state == "delivered", c.action != "void")
    )
