"""What a person looks at: runs, entries that wait, revisions, who did what. Only reads, locks nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    RowMapping,
    Select,
    and_,
    func,
    or_,
    select,
    tuple_,
    union_all,
)

from worker.store.database.tables import (
    IS_ENDED,
    IS_UNSEALED,
    actions,
    attempts,
    definition_revisions,
    definitions,
    entries,
    entry_rows,
    run_requests,
    runs,
    tardies,
)
from worker.store.entries.decisions import WAITS
from worker.store.entries.matching import ROW_KEY, of_export, same_tardy

_PAGE = 2000


def open_runs(connection: Connection, export_id: str | None = None) -> Mapping[str, RowMapping]:
    """{export: its open run}, of all exports or of one."""
    wanted = [runs.c.finished_at.is_(None)] + ([runs.c.export_id == export_id] if export_id else [])
    rows = connection.execute(select(runs).where(*wanted)).mappings()
    return {row["export_id"]: row for row in rows}


def list_runs(
    connection: Connection, *, export_id: str | None, states: Sequence[str], limit: int
) -> list[RowMapping]:
    """The newest runs (of the export; in one of the states, [] any), the newest first."""
    wanted = [runs.c.export_id == export_id] if export_id is not None else []
    wanted += [runs.c.state.in_(states)] if states else []
    statement = select(runs).where(*wanted).order_by(runs.c.started_at.desc(), runs.c.run_id).limit(limit)
    return list(connection.execute(statement).mappings())


def runs_like(connection: Connection, prefix: str, limit: int = 6) -> list[RowMapping]:
    """Runs whose id begins with these hexadecimal digits, `limit` at the most."""
    begins = and_(runs.c.run_id >= prefix, runs.c.run_id < prefix + "g")
    statement = select(runs).where(begins).order_by(runs.c.run_id).limit(limit)
    return list(connection.execute(statement).mappings())


def attempts_of(connection: Connection, run_id: str) -> list[RowMapping]:
    """A run's attempts, the first first."""
    statement = select(attempts).where(attempts.c.run_id == run_id).order_by(attempts.c.number)
    return list(connection.execute(statement).mappings())


def resends_of(connection: Connection, run_id: str) -> list[str]:
    """The runs that sent this run's file once more, the first first."""
    statement = select(runs.c.run_id).where(runs.c.resend_of == run_id).order_by(runs.c.started_at)
    return list(connection.execute(statement).scalars())


def is_purged(connection: Connection, run: RowMapping) -> bool:
    """Whether the rows of a delivered run (or of the one that it resends) are no longer all there."""
    source = run["resend_of"] or run["run_id"]
    kept = connection.execute(
        select(func.count()).where(entry_rows.c.run_id == source, entry_rows.c.row_values.is_not(None))
    ).scalar_one()
    return bool(kept != run["rows"])


def states_in_run(connection: Connection, run_id: str) -> Mapping[str, int]:
    """How many of the run's entries are in which state."""
    return dict(sorted(_counted(connection, entry_rows.c.run_id == run_id).items()))


def states_of_export(connection: Connection, export_id: str) -> Mapping[str, int]:
    """How many of the export's entries are in which state. What was delivered is taken from its runs: an export has
    as many of these as tardies."""
    r = runs.c
    found: Counter[str] = Counter()
    for indexed in (IS_UNSEALED, IS_ENDED):
        found += _counted(connection, of_export(export_id), indexed)
    for run_id in connection.execute(_own_runs(export_id, r.run_id).where(r.finished_at.is_(None))).scalars():
        found += _counted(connection, entry_rows.c.run_id == run_id, entry_rows.c.state == "sealed")
    delivered = _own_runs(export_id, func.coalesce(func.sum(r.rows), 0)).where(r.state == "delivered")
    found["delivered"] += connection.execute(delivered).scalar_one()
    return dict(sorted((+found).items()))


def _own_runs(export_id: str, what: Any) -> Select[Any]:
    """Of the export's runs, but for those that send another's rows once more."""
    return select(what).where(runs.c.export_id == export_id, runs.c.resend_of.is_(None))


def _counted(connection: Connection, *conditions: Any) -> Counter[str]:
    state = entry_rows.c.state
    statement = select(state, func.count()).where(*conditions).group_by(state)
    return Counter({row[0]: row[1] for row in connection.execute(statement)})


def revisions(connection: Connection, export_id: str) -> list[RowMapping]:
    """A definition's revisions without their documents, the first first."""
    c = definition_revisions.c
    statement = select(c.revision, c.saved_at, c.saved_by, c.reason).where(c.export_id == export_id)
    return list(connection.execute(statement.order_by(c.revision)).mappings())


def revision_documents(connection: Connection, export_id: str) -> dict[int, dict[str, Any]]:
    """{revision: its document}, the first first."""
    c = definition_revisions.c
    rows = connection.execute(
        select(c.revision, c.document).where(c.export_id == export_id).order_by(c.revision)
    )
    return {row.revision: row.document for row in rows}


def audit(
    connection: Connection, *, export_id: str | None = None, run_id: str | None = None
) -> list[RowMapping]:
    """What persons did to an export or a run, the first first."""
    wanted = actions.c.run_id == run_id if run_id is not None else actions.c.export_id == export_id
    statement = select(actions).where(wanted).order_by(actions.c.at, actions.c.action_id)
    return list(connection.execute(statement).mappings())


def request_of(connection: Connection, export_id: str, source: str, command_id: str) -> RowMapping:
    """The run that a command asked of an export: its state, and its run once it is sealed."""
    c = run_requests.c
    statement = select(run_requests).where(
        c.export_id == export_id, c.command_source == source, c.command_id == command_id
    )
    return connection.execute(statement).mappings().one()


def held_groups(connection: Connection, export_id: str | None) -> list[RowMapping]:
    """Entries held, or refused by the SIS, by export, action and reason: `count`, and since when the `oldest`
    waits; most first."""
    c = entries.c
    count = func.count().label("count")
    alike = (c.export_id, c.state, c.action, c.reason_code, c.reason)
    statement = (
        select(*alike, count, func.min(c.buffered_at).label("oldest"))
        .where(_waits(export_id))
        .group_by(*alike)
        .order_by(c.export_id, count.desc(), c.reason, c.action)
    )
    return list(connection.execute(statement).mappings())


def held_page(
    connection: Connection, export_id: str | None, after: RowMapping | None
) -> Sequence[RowMapping]:
    """The entries held or refused that follow `after` (None: the first), each with its tardy's school and code, by
    export and tardy; a page of them."""
    c = entries.c
    key = (c.export_id, c.district_id, c.tardy_id, c.version, c.ordinal)
    same = same_tardy(tardies.c, c)
    statement = (
        select(entries, tardies.c.school_id, tardies.c.behavior_code)
        .join(tardies, same)
        .where(_waits(export_id), *([] if after is None else [_beyond(key, after)]))
        .order_by(*key)
        .limit(_PAGE)
    )
    return connection.execute(statement).mappings().all()


def _waits(export_id: str | None) -> ColumnElement[bool]:
    """By export and state, as the indexes have them: what was delivered long ago is not read."""
    known = select(definitions.c.export)
    if export_id is not None:
        known = known.where(definitions.c.export_id == export_id)
    live = union_all(
        *(
            select(*(entry_rows.c[name] for name in ROW_KEY)).where(
                entry_rows.c.export.in_(known), indexed, entry_rows.c.state == state
            )
            for indexed, state in ((IS_UNSEALED, "held"), (IS_ENDED, "refused"))
        )
    )
    return and_(tuple_(*(entries.c[name] for name in ROW_KEY)).in_(live), WAITS)


def _beyond(key: Sequence[Column[Any]], last: RowMapping) -> ColumnElement[bool]:
    clauses = []
    for position, column in enumerate(key):
        equal = [before == last[before.name] for before in key[:position]]
        clauses.append(and_(*equal, column > last[column.name]))
    return or_(*clauses)
