"""A run in the database: what it is sealed from, how it is sealed anew, closed, told of and read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, RowMapping, and_, case, insert, or_, select, update

from schemas.definition.filename import render_name
from schemas.fields.zones import zone_of
from worker.core.definition import Definition
from worker.core.judging import Waits
from worker.store import trail
from worker.store.catalogue.catalogue import (
    Export,
    hold_definition,
    load_definition,
    load_export,
)
from worker.store.database.instants import database_time
from worker.store.database.portions import portions, size
from worker.store.database.tables import (
    attempts,
    definitions,
    entries,
    runs,
)
from worker.store.entries.settling import cancel_if_retired, release_entries
from worker.store.outcome_rows import CommandKey, tell
from worker.store.runs.claims import Claim, fenced, lease_end
from worker.store.runs.requests import close_request, next_request
from worker.store.runs.sealing import Place, fill_run


def seal_next(connection: Connection, export_id: str, now: datetime) -> str | None:
    """Seals the export's oldest request into a run, if nothing speaks against it; returns the run's id.

    The caller shares the catalogue. A run with nothing to send closes as `empty` at once.
    """
    export = load_export(connection, export_id, lock=True)
    if export is None or not export.active or export.paused or open_run(connection, export_id) is not None:
        return None
    request = next_request(connection, export_id)
    if request is None:
        return None
    run_id = uuid4().hex
    _insert_run(connection, export.row, run_id, request, now)
    close_request(connection, request["request_id"], run_id)
    if _fill(connection, export, run_id, now):
        _guard(connection, export, run_id, now)
    return run_id


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


def lock_for(connection: Connection, run_id: str) -> RowMapping | None:
    """The run's row, held until the transaction ends."""
    return (
        connection.execute(select(runs).where(runs.c.run_id == run_id).with_for_update())
        .mappings()
        .one_or_none()
    )


def _insert_run(
    connection: Connection, export: RowMapping, run_id: str, request: RowMapping, now: datetime, **other: Any
) -> None:
    connection.execute(
        insert(runs).values(
            run_id=run_id,
            export_id=export["export_id"],
            revision=export["revision"],
            trigger=request["trigger"],
            command_source=request["command_source"],
            command_id=request["command_id"],
            due_at=request["due_at"] or now,
            rows=0,
            refused_rows=0,
            held_rows=0,
            attempts=0,
            started_at=now,
            **{"state": "sealed", **other},
        )
    )


def _fill(
    connection: Connection,
    export: Export,
    run_id: str,
    now: datetime,
    held: Mapping[Place, Waits] | None = None,
) -> bool:
    """Seals the buffer into the run; False: there was nothing to send and the run is closed."""
    filling = fill_run(connection, export.definition, export.route, run_id, now, held or {})
    values: dict[str, Any] = {
        "rows": filling.rows,
        "held_rows": filling.held,
        "revision": export.row["revision"],
    }
    connection.execute(update(runs).where(runs.c.run_id == run_id).values(**values))
    if filling.rows == 0 and export.definition.file.when_empty == "skip":
        _close_empty(connection, run_id, now)
        return False
    _name_file(connection, export, run_id)
    return True


def _guard(connection: Connection, export: Export, run_id: str, now: datetime) -> bool:
    """Has a run that is larger than the definition's guard wait for a person; True: it does."""
    run, most = get(connection, run_id), export.definition.guard_rows
    assert run is not None
    approved = run["approved_rows"] if run["approved_revision"] == run["revision"] else 0
    if most is None or run["rows"] <= most + approved:
        return False
    error = (
        f"{run['rows']} rows are more than the {most} of the definition's guard; look at them with `writeback"
        f" exports preview {run['export_id']}`, then `writeback runs approve {run_id}` or"
        f" `writeback runs abandon {run_id}`"
    )
    values = {"state": "guarded", "error": error, "lease_token": None, "lease_until": None}
    connection.execute(update(runs).where(runs.c.run_id == run_id).values(**values))
    under_way = (attempts.c.run_id == run_id, attempts.c.outcome.is_(None))
    connection.execute(update(attempts).where(*under_way).values(outcome="waiting", finished_at=now))
    tell_of_run(connection, run_id, "run.waiting", now)
    return True


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


def cancel_requested(connection: Connection, export: RowMapping, request: RowMapping, now: datetime) -> None:
    """A run that was asked for and that a delete overtakes: it ends before it begins, and who asked is told.

    It is never open, not even for a moment: the export may have an open run whose file may have left.
    """
    run_id = uuid4().hex
    _insert_run(connection, export, run_id, request, now, state="abandoned", finished_at=now)
    tell_of_run(connection, run_id, "run.cancelled", now)


def _name_file(connection: Connection, export: Export, run_id: str) -> None:
    """Gives the run its number and file name, once: later sealings keep both."""
    run = get(connection, run_id)
    assert run is not None
    if run["file_name"] is not None:
        return
    sequence = (
        connection.execute(
            update(definitions)
            .where(definitions.c.export_id == run["export_id"])
            .values(next_sequence=definitions.c.next_sequence + 1)
            .returning(definitions.c.next_sequence)
        ).scalar_one()
        - 1
    )
    name = render_name(
        export.definition.file.name,
        export=run["export_id"],
        due=run["due_at"].astimezone(zone_of(export.definition.schedule.time_zone)),
        sequence=sequence,
        run=run_id,
    )
    connection.execute(update(runs).where(runs.c.run_id == run_id).values(sequence=sequence, file_name=name))


def renumber(connection: Connection, claim: Claim, after: int) -> None:
    """Gives a run of which nothing can have left a number, and a name, behind one that the place has had already:
    the database was restored from a backup. Raises StaleLeaseError."""
    fenced(connection, claim, runs.c.departed_attempt.is_(None), sequence=None, file_name=None)
    c = definitions.c
    behind = (c.export_id == claim.export_id, c.next_sequence <= after)
    connection.execute(update(definitions).where(*behind).values(next_sequence=after + 1))
    export = load_export(connection, claim.export_id)
    assert export is not None
    _name_file(connection, export, claim.run_id)


def _close_empty(connection: Connection, run_id: str, now: datetime) -> None:
    """Closes a run that has nothing to send; a number it had taken goes to the next file."""
    run = get(connection, run_id)
    assert run is not None
    if run["sequence"] is not None:
        connection.execute(
            update(definitions)
            .where(
                definitions.c.export_id == run["export_id"],
                definitions.c.next_sequence == run["sequence"] + 1,
            )
            .values(next_sequence=run["sequence"])
        )
    close(connection, run_id, "empty", now, sequence=None, file_name=None, error=None)
    tell_of_run(connection, run_id, "run.empty", now)


def close(connection: Connection, run_id: str, state: str, now: datetime, **values: Any) -> None:
    """Ends a run in this state: nothing is claimed of it any more."""
    connection.execute(
        update(runs)
        .where(runs.c.run_id == run_id)
        .values(
            state=state, finished_at=now, next_attempt_at=None, lease_token=None, lease_until=None, **values
        )
    )


def tell_of_run(connection: Connection, run_id: str, kind: str, now: datetime) -> None:
    """Queues an outcome that tells how the run stands."""
    run = get(connection, run_id)
    assert run is not None
    has_file = run["sha256"] is not None
    data = {
        "run_id": run_id,
        "export_id": run["export_id"],
        "trigger": run["trigger"],
        "command_id": run["command_id"],
        "sequence": run["sequence"],
        "rows": run["rows"],
        "refused_rows": run["refused_rows"],
        "held_rows": run["held_rows"],
        "file": {"name": run["file_name"], "sha256": run["sha256"], "bytes": run["bytes"]}
        if has_file
        else None,
        "attempts": run["attempts"],
        "next_attempt_at": _text(run["next_attempt_at"]),
        "error": run["error"],
        "started_at": _text(run["started_at"]),
        "finished_at": _text(run["finished_at"]),
    }
    command = CommandKey(run["command_source"], run["command_id"]) if run["command_id"] is not None else None
    tell(connection, kind, data, now, command)


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat().replace("+00:00", "Z")


def note_sealed(connection: Connection, run_id: str) -> None:
    """Sealing the run, or sealing it anew, is done: how old it is, and its lease, count from here."""
    lease = case((runs.c.lease_token.is_not(None), lease_end(connection)), else_=None)
    connection.execute(
        update(runs)
        .where(runs.c.run_id == run_id, runs.c.finished_at.is_(None))
        .values(sealed_at=database_time(connection), lease_until=lease)
    )


def reseal(
    connection: Connection, claim: Claim, now: datetime, held: Mapping[Place, Waits] | None = None
) -> bool:
    """Seals a run of which nothing can have left once more: current revision, current versions, what came since;
    without the entries that are to be `held`.

    False: nothing is to be sent now, the run is closed or waits for a person. Raises StaleLeaseError. The caller
    shares the catalogue.
    """
    fenced(connection, claim, runs.c.departed_attempt.is_(None), lease_until=lease_end(connection))
    hold_definition(connection, claim.export_id)
    release_entries(connection, claim.run_id)
    export = load_export(connection, claim.export_id)
    assert export is not None
    if not export.active:
        close(connection, claim.run_id, "abandoned", now)
        cancel_if_retired(connection, claim.export_id, now)
        tell_of_run(connection, claim.run_id, "run.cancelled", now)
        return False
    if not _fill(connection, export, claim.run_id, now, held):
        return False
    connection.execute(
        update(attempts)
        .where(attempts.c.run_id == claim.run_id, attempts.c.number == claim.attempt)
        .values(revision=export.row["revision"])
    )
    return not _guard(connection, export, claim.run_id, now)


def resend(connection: Connection, run: RowMapping, *, who: str, reason: str, now: datetime) -> str:
    """A new run that sends the delivered run's bytes once more under the same name; returns its id."""
    run_id = uuid4().hex
    kept = ("export_id", "revision", "trigger", "sequence", "file_name", "sha256", "bytes", "rows", "due_at")
    connection.execute(
        insert(runs).values(
            run_id=run_id,
            resend_of=run["resend_of"] or run["run_id"],
            state="sealed",
            refused_rows=0,
            held_rows=0,
            attempts=0,
            started_at=now,
            **{name: run[name] for name in kept},
        )
    )
    trail.note(
        connection, "resend", who, now, export_id=run["export_id"], run_id=run["run_id"], reason=reason
    )
    return run_id


def lines(connection: Connection, run: RowMapping, page: int = 2000) -> Iterator[str]:
    """The run's stored rows in file order, as JSON text, streamed."""
    source, c = run["resend_of"] or run["run_id"], entries.c
    weighed = select(c.line, size(connection, c.row_values).label("size")).where(c.run_id == source)
    stored = select(c.row_values).where(c.run_id == source).order_by(c.line)
    last = 0
    while found := connection.execute(weighed.where(c.line > last).order_by(c.line).limit(page)).all():
        for part in portions(found, lambda row: int(row.size)):
            yield from connection.execute(stored.where(c.line.between(part[0].line, part[-1].line))).scalars()
        last = found[-1].line


def places_of(connection: Connection, run_id: str, lines: Sequence[int]) -> list[Place]:
    """The entries that are these lines of the run."""
    c, found = entries.c, []
    for start in range(0, len(lines), 500):
        some = c.line.in_(lines[start : start + 500])
        rows = connection.execute(select(c.tardy_id, c.version, c.ordinal).where(c.run_id == run_id, some))
        found += [(row.tardy_id, row.version, row.ordinal) for row in rows]
    return found


def pinned(connection: Connection, run: RowMapping) -> Definition:
    """The revision the run was sealed under."""
    return load_definition(connection, run["export_id"], run["revision"])


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
