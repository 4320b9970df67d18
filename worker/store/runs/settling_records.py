"""How a run of records ends: each entry by its receipt, counts that add up, the outcome queued. Fenced by the claim."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, and_, exists, select, update

from worker.store import trail
from worker.store.catalogue.exports_in_force import hold_definition
from worker.store.database.column_types import instant_text
from worker.store.database.statements import update_given
from worker.store.database.tables import IS_UNSEALED, definitions, entry_rows, receipts
from worker.store.entries.collapsing import wake_behind_run
from worker.store.entries.matching import ROW_KEY, carries_newest, of_export
from worker.store.entries.settling import cancel_if_retired, reconsider_after_delivery, release_entries
from worker.store.runs.claims import Claim, fenced
from worker.store.runs.receipts import finish_attempt, settle_abandoned
from worker.store.runs.run_outcomes import tell_of_run
from worker.store.runs.run_rows import close, is_of_records
from worker.store.runs.sealing import count_held

_FIRST = timedelta(minutes=10)
_LONGEST = timedelta(hours=6)
_CLEARED = {"sis_waits": None, "later_at": None, "later_times": None}


def settle_records(connection: Connection, claim: Claim, now: datetime) -> None:
    """Every row has its final answer: receipts become the entries' states, and the run is closed.

    Raises StaleLeaseError.
    """
    fenced(connection, claim, state="delivered", error=None)
    hold_definition(connection, claim.export_id)
    _end(connection, claim, now)
    finish_attempt(connection, claim, "delivered", None, now)
    _close(connection, claim, "delivered", now)
    tell_of_run(connection, claim.run_id, "run.delivered", now)


def give_up(
    connection: Connection, claim: Claim, run: RowMapping, *, who: str, reason: str | None, now: datetime
) -> int:
    """A person gives the run up, of which nothing has left, or of which each row that may have has its receipt;
    returns how many entries are buffered again. Raises StaleLeaseError."""
    has_receipts = is_of_records(run) and run["departed_attempt"] is not None
    settle = settle_given_up if has_receipts else settle_abandoned
    return settle(connection, claim, who=who, reason=reason, now=now)


def settle_given_up(
    connection: Connection, claim: Claim, *, who: str, reason: str | None, now: datetime
) -> int:
    """A person gives the run up: rows with a final answer are settled by it, those asked for and not answered are
    held for a person, the others buffered again; returns how many. Raises StaleLeaseError."""
    fenced(connection, claim, state="abandoned")
    hold_definition(connection, claim.export_id)
    _hold_unanswered(connection, claim.run_id)
    _note_half(connection, claim.run_id, receipts.c.outcome.is_(None))
    went = _end(connection, claim, now)
    released = release_entries(connection, claim.run_id)
    cancel_if_retired(connection, claim.export_id, now)
    finish_attempt(connection, claim, "abandoned", None, now)
    _close(connection, claim, "delivered" if went else "abandoned", now)
    trail.note(connection, "abandon", who, now, export_id=claim.export_id, run_id=claim.run_id, reason=reason)
    tell_of_run(connection, claim.run_id, "run.delivered" if went else "run.cancelled", now)
    return released


def _end(connection: Connection, claim: Claim, now: datetime) -> int:
    """Moves the entries; how many rows the SIS has taken or refused."""
    run_id = claim.run_id
    wake_behind_run(connection, claim.export_id, run_id)
    delivered = _deliver(connection, run_id, now)
    refused = _refuse(connection, run_id, now)
    _put_off(connection, run_id, now)
    _hold_unknown(connection, run_id)
    _supersede_outdated(connection, claim.export_id, now)
    reconsider_after_delivery(connection, run_id, now)
    counts: dict[str, Any] = {"rows": delivered, "refused_rows": refused}
    fenced(connection, claim, **counts, held_rows=count_held(connection, claim.export_id))
    return delivered + refused


def _close(connection: Connection, claim: Claim, state: str, now: datetime) -> None:
    close(connection, claim.run_id, state, now)
    if state == "delivered":
        export = definitions.c.export_id == claim.export_id
        connection.execute(update(definitions).where(export).values(last_delivered_at=now))
    cancel_if_retired(connection, claim.export_id, now)


def _of(run_id: str, *outcomes: str) -> Any:
    """SQL: entries of the run whose receipt says so."""
    e, r = entry_rows.c, receipts.c
    answered = exists().where(r.run_id == e.run_id, r.line == e.line, r.outcome.in_(outcomes))
    return and_(e.run_id == run_id, e.state == "sealed", answered)


def _deliver(connection: Connection, run_id: str, now: datetime) -> int:
    """What is open of these tardies from earlier is settled with it: the SIS's record is known."""
    told = _of(run_id, "done", "accepted")
    sent = select(entry_rows.c.export, entry_rows.c.tardy).where(told).subquery()
    same = (entry_rows.c.export == sent.c.export, entry_rows.c.tardy == sent.c.tardy)
    open_ = entry_rows.c.sis_waits.is_not(None)
    connection.execute(update(entry_rows).where(open_, exists().where(*same)).values(**_CLEARED))
    return connection.execute(
        update(entry_rows).where(told).values(state="delivered", settled_at=now)
    ).rowcount


def _refuse(connection: Connection, run_id: str, now: datetime) -> int:
    reason = f"its own words: `writeback runs show {run_id[:8]} --rows`"
    values = {"state": "refused", "reason_code": "sis-refused", "reason": reason, "judged": True}
    _note_half(connection, run_id, receipts.c.outcome == "refused")
    return connection.execute(
        update(entry_rows).where(_of(run_id, "refused")).values(**values, settled_at=now)
    ).rowcount


def _note_half(connection: Connection, run_id: str, which: ColumnElement[bool]) -> None:
    """The SIS has let go of the old record and not taken the new one."""
    e, r = entry_rows.c, receipts.c
    half = exists().where(r.run_id == e.run_id, r.line == e.line, which, r.step > 0)
    connection.execute(
        update(entry_rows).where(e.run_id == run_id, e.state == "sealed", half).values(sis_waits="half")
    )


def _put_off(connection: Connection, run_id: str, now: datetime) -> None:
    """Rows that the SIS takes later leave the run, and are looked at again twice as long after each time."""
    _note_half(connection, run_id, receipts.c.outcome == "later")
    found = connection.execute(
        select(
            *(entry_rows.c[name] for name in ROW_KEY), entry_rows.c.later_times, entry_rows.c.sis_waits
        ).where(_of(run_id, "later"))
    ).mappings()
    rows = [_put_off_row(dict(row), now) for row in found]
    values = [name for name in rows[0] if name not in ROW_KEY] if rows else []
    update_given(connection, entry_rows, ROW_KEY, values, rows)


def _put_off_row(row: dict[str, Any], now: datetime) -> dict[str, Any]:
    times = row["later_times"] or 0
    at = now + min(_FIRST * 2 ** min(times, 10), _LONGEST)
    reason = f"the SIS does not take it yet; it is looked at again at {at:%H:%M} UTC"
    return (
        {name: row[name] for name in ROW_KEY}
        | _left("sis-later", reason)
        | {
            "sis_waits": row["sis_waits"] or "later",
            "later_at": instant_text(at),
            "later_times": times + 1,
        }
    )


def _hold_unanswered(connection: Connection, run_id: str) -> None:
    r = receipts.c
    unanswered = r.outcome.is_(None) | (r.outcome == "unknown")
    lost = (r.run_id == run_id, r.asked_at.is_not(None), unanswered)
    connection.execute(update(receipts).where(*lost).values(outcome="held"))


def _hold_unknown(connection: Connection, run_id: str) -> None:
    reason = "the answer of the SIS was lost, or it can do no more by itself: look there, then release or dismiss it"
    values = _left("sis-unknown", reason) | {"sis_waits": "unknown", "settled_at": None}
    connection.execute(update(entry_rows).where(_of(run_id, "held")).values(**values))


def _supersede_outdated(connection: Connection, export_id: str, now: datetime) -> None:
    """What has left the run waits no more where a newer version came meanwhile: that one waits in its place."""
    e = entry_rows.c
    left = (
        of_export(export_id),
        IS_UNSEALED,
        e.state == "held",
        e.reason_code.in_(("sis-later", "sis-unknown")),
    )
    superseded = {"state": "superseded", "reason": "a newer version arrived", "reason_code": None}
    outdated = update(entry_rows).where(*left, ~carries_newest())
    connection.execute(outdated.values(**superseded, later_at=None, settled_at=now, judged=True))


def _left(code: str, reason: str) -> dict[str, Any]:
    """An entry that leaves its run and is held."""
    held = {"state": "held", "reason_code": code, "reason": reason, "judged": True}
    return held | dict.fromkeys(("run_id", "line", "row_values"))
