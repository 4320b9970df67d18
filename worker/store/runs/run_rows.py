"""A run in the database: read, let go or given up by a person, tried again, closed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, and_, or_, select, update

from worker.core.definition import Definition
from worker.store import trail
from worker.store.catalogue.exports_in_force import load_definition
from worker.store.database.instants import database_time
from worker.store.database.portions import portions, size
from worker.store.database.tables import entry_rows, runs, tardies
from worker.store.entries.matching import EntryKey
from worker.store.entries.settling import release_entries


def open_run(connection: Connection, export_id: str) -> RowMapping | None:
    """The export's open run, if there is one."""
    return (
        connection.execute(select(runs).where(runs.c.export_id == export_id, runs.c.finished_at.is_(None)))
        .mappings()
        .one_or_none()
    )


def get(connection: Connection, run_id: str) -> RowMapping | None:
    """A run's row."""
    return connection.execute(select(runs).where(runs.c.run_id == run_id)).mappings().one_or_none()


def is_of_records(run: RowMapping) -> bool:
    """Whether the run, once sealed, sends records: a file has its name from its run's first sealing on."""
    return run["file_name"] is None


def lock_for(connection: Connection, run_id: str) -> RowMapping | None:
    """The run's row, held until the transaction ends."""
    return (
        connection.execute(select(runs).where(runs.c.run_id == run_id).with_for_update())
        .mappings()
        .one_or_none()
    )


def pinned(connection: Connection, run: RowMapping) -> Definition:
    """The revision the run was sealed under."""
    return load_definition(connection, run["export_id"], run["revision"])


def lines(connection: Connection, run: RowMapping, page: int = 2000) -> Iterator[str]:
    """The run's stored rows in file order, as JSON text, streamed."""
    source, c = run["resend_of"] or run["run_id"], entry_rows.c
    weighed = select(c.line, size(connection, c.row_values).label("size")).where(c.run_id == source)
    stored = select(c.row_values).where(c.run_id == source).order_by(c.line)
    last = 0
    while found := connection.execute(weighed.where(c.line > last).order_by(c.line).limit(page)).all():
        for part in portions(found, lambda row: int(row.size)):
            yield from connection.execute(stored.where(c.line.between(part[0].line, part[-1].line))).scalars()
        last = found[-1].line


def places_of(connection: Connection, run_id: str, lines: Sequence[int]) -> list[EntryKey]:
    """The entries that are these lines of the run."""
    c, found = entry_rows.c, []
    named = select(tardies.c.tardy_id, c.version, c.ordinal).join(tardies, tardies.c.tardy == c.tardy)
    for start in range(0, len(lines), 500):
        some = c.line.in_(lines[start : start + 500])
        rows = connection.execute(named.where(c.run_id == run_id, some))
        found += [(row.tardy_id, row.version, row.ordinal) for row in rows]
    return found


def approve(connection: Connection, run: RowMapping, *, who: str, reason: str, now: datetime) -> None:
    """A person lets a guarded run go, under the definition as it is now, and what little comes to it until it goes.
    The caller holds the run's row."""
    connection.execute(
        update(runs)
        .where(runs.c.run_id == run["run_id"])
        .values(state="sealed", error=None, approved_revision=run["revision"], approved_rows=run["rows"])
    )
    trail.note(
        connection, "approve", who, now, export_id=run["export_id"], run_id=run["run_id"], reason=reason
    )


def ask_to_abandon(
    connection: Connection, run: RowMapping, *, who: str, reason: str | None, now: datetime
) -> None:
    """A person gives up a run whose file may have left: its next attempt, at once, finds out and ends it. The caller
    holds the run's row."""
    asked: dict[str, Any] = {"abandon_by": who, "abandon_reason": reason, "state": "waiting"}
    asked["next_attempt_at"] = database_time(connection)
    connection.execute(update(runs).where(runs.c.run_id == run["run_id"]).values(**asked))


def retry_open_run(
    connection: Connection, export_id: str, *, states: Sequence[str] = ("waiting", "failed")
) -> bool:
    """Has the definition's open run, if it is in one of these states, tried again at once; False: there is none."""
    statement = (
        update(runs)
        .where(runs.c.export_id == export_id, runs.c.finished_at.is_(None), runs.c.state.in_(states))
        .values(state="waiting", next_attempt_at=database_time(connection))
    )
    return connection.execute(statement).rowcount > 0


def close_unsent(connection: Connection, export_id: str, now: datetime) -> str | None:
    """Ends an open run of which nothing can have left and which nobody is working on; returns its id."""
    unsent = and_(
        runs.c.export_id == export_id,
        runs.c.finished_at.is_(None),
        runs.c.departed_attempt.is_(None),
        or_(runs.c.lease_until.is_(None), runs.c.lease_until < database_time(connection)),
    )
    run_id: str | None = connection.execute(select(runs.c.run_id).where(unsent)).scalar_one_or_none()
    if run_id is not None:
        release_entries(connection, run_id)
        close(connection, run_id, "abandoned", now)
    return run_id


def close(connection: Connection, run_id: str, state: str, now: datetime, **values: Any) -> None:
    """Ends a run in this state: nothing is claimed of it any more."""
    connection.execute(
        update(runs)
        .where(runs.c.run_id == run_id)
        .values(
            state=state, finished_at=now, next_attempt_at=None, lease_token=None, lease_until=None, **values
        )
    )
