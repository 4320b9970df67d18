"""What `writeback trace` prints, and the sentence that says where a tardy stands in an export."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, RowMapping

from worker.bootstrap import Program
from worker.cli.output import Column, emit, emit_facts, emit_object, emit_table, instant, when
from worker.errors import RefusedError
from worker.store.reading_trace import ExportTrace, Trace, districts_of
from worker.store.reading_trace import trace as read_trace

_ENDED = ("superseded", "cancelled", "ignored", "refused", "dismissed", "collapsed")
_FOR_A_PERSON = ("correction", "purged")


def trace_tardy(program: Program, tardy_id: str, district: str | None, *, as_json: bool) -> None:
    """Prints a tardy's steps. Raises RefusedError: it has not arrived, or several districts have it."""
    with program.database.read() as connection:
        found = read_trace(connection, _district(connection, tardy_id, district), tardy_id)
    if as_json:
        emit_object(_shape(found))
    else:
        _print(found)


def _district(connection: Connection, tardy_id: str, district: str | None) -> str:
    known = districts_of(connection, tardy_id)
    if district is not None and district in known:
        return district
    if not known or district is not None:
        where = f" of district {district!r}" if district is not None else ""
        raise RefusedError(
            f"no tardy {tardy_id!r}{where} has been buffered; `writeback status` shows what waits in the queue,"
            " `writeback rejected list` what could not be read"
        )
    if len(known) > 1:
        raise RefusedError(
            f"tardy {tardy_id!r} is in districts {', '.join(known)}; say which with --district"
        )
    return known[0]


def _shape(found: Trace) -> dict[str, Any]:
    head = found.head
    names = ("version", "type", "received_at", "message_id", "source")
    return {
        "tardy_id": head["tardy_id"],
        "district_id": head["district_id"],
        "school_id": head["school_id"],
        "behavior_code": head["behavior_code"],
        "occurred_at": instant(head["occurred_at"]),
        "version": head["version"],
        "voided": head["voided"],
        "versions": [{name: one[name] for name in names} for one in found.versions],
        "exports": [_export_shape(one) for one in found.exports],
    }


def _export_shape(one: ExportTrace) -> dict[str, Any]:
    return {
        "export_id": one.export.row["export_id"],
        "state": "paused" if one.export.paused else one.export.row["state"],
        "excluded_by": one.excluded_by,
        "summary": summary(one),
        "entries": [_entry_shape(entry) for entry in one.entries],
    }


def _entry_shape(entry: RowMapping) -> dict[str, Any]:
    names = ("version", "state", "reason_code", "reason", "action", "run_id", "run_state", "line")
    return {name: entry[name] for name in names} | {
        "file": entry["file_name"],
        "buffered_at": instant(entry["buffered_at"]),
        "settled_at": instant(entry["settled_at"]),
        "delivered_at": instant(entry["settled_at"]) if entry["state"] == "delivered" else None,
    }


def _print(found: Trace) -> None:
    head = found.head
    emit_facts(
        [
            ("tardy", head["tardy_id"]),
            ("district", head["district_id"]),
            ("school", head["school_id"]),
            ("code", head["behavior_code"]),
            ("occurred", when(head["occurred_at"])),
            ("newest version", f"{head['version']}{', voided' if head['voided'] else ''}"),
        ]
    )
    emit("")
    columns = [Column("VERSION", number=True), Column("TYPE"), Column("RECEIVED"), Column("MESSAGE")]
    arrived = [
        (one["version"], one["type"], when(one["received_at"]), one["message_id"]) for one in found.versions
    ]
    emit_table(columns, arrived, empty="")
    emit("")
    exports = [(one.export.row["export_id"], summary(one)) for one in found.exports]
    emit_table(
        [Column("EXPORT"), Column("WHERE IT STANDS")], exports, empty="its district has no export at all"
    )
    steps = [_step(one, entry) for one in found.exports for entry in one.entries]
    if steps:
        emit("")
        emit_table(_STEP_COLUMNS, steps, empty="")


_STEP_COLUMNS = [
    Column("EXPORT"),
    Column("VERSION", number=True),
    Column("STATE"),
    Column("ACTION"),
    Column("RUN", short=8),
    Column("LINE", number=True),
    Column("FILE"),
    Column("BUFFERED"),
    Column("SETTLED"),
    Column("REASON"),
]


def _step(one: ExportTrace, entry: RowMapping) -> tuple[object, ...]:
    placed = (entry["run_id"], entry["line"], entry["file_name"])
    times = (when(entry["buffered_at"]), when(entry["settled_at"]))
    state = (entry["version"], entry["state"], entry["action"])
    return (one.export.row["export_id"], *state, *placed, *times, entry["reason"])


def summary(one: ExportTrace) -> str:
    """One sentence: what became of the tardy in this export, or what it waits for."""
    if not one.entries:
        return f"not in it: {_excluded(one)}"
    last = one.entries[-1]
    state = last["state"]
    if state == "delivered":
        what = {"add": "", "change": " as a change", "void": " as a void"}.get(last["action"] or "add", "")
        return f"delivered{what} {when(last['settled_at'])} in {last['file_name']}, row {last['line']}"
    if state == "sealed":
        return f"row {last['line']} of run {last['run_id'][:8]}, which is {_run_state(one)}"
    if state in _ENDED:
        return f"{state}: {last['reason'] or 'nothing of it is to be sent'}"
    if not one.export.active:
        return "the export is deleted: it is not sent"
    if state == "held":
        by_itself = (
            "" if last["reason_code"] in _FOR_A_PERSON else "; it goes by itself once that is put right"
        )
        return f"held: {last['reason']}{by_itself}"
    return f"buffered; {leaves(one)}"


def _excluded(one: ExportTrace) -> str:
    route = one.export.route
    return {
        "schools": "its school is not one of the definition's schools",
        "codes": "its behavior code is not one of the definition's codes",
        "backfill_from": f"it happened before the definition's first day, {route.backfill_from}",
        "voided": "it was voided before the definition had it",
        None: "the definition matches it; saving the definition again takes it in",
    }[one.excluded_by]


def _run_state(one: ExportTrace) -> str:
    run = one.open_run
    if run is None:
        return "ending"
    if run["error"] is None:
        return str(run["state"])
    following = f"; next attempt {when(run['next_attempt_at'])}" if run["next_attempt_at"] else ""
    return f"{run['state']}: {run['error']}{following}"


def leaves(one: ExportTrace) -> str:
    """When a buffered entry will leave, as far as that is known now."""
    export, schedule = one.export, one.export.definition.schedule
    if export.paused:
        row = export.row
        return f"the export is paused since {when(row['paused_at'])} by {row['paused_by']}: {row['pause_reason']}"
    if one.open_run is not None:
        return f"it waits behind run {one.open_run['run_id'][:8]}, which is {_run_state(one)}"
    if one.run_asked_for:
        return "a run is asked for: it goes within a minute"
    if schedule.frequency == "continuous":
        return f"it goes within about {schedule.linger_seconds:g} s"
    due = export.row["next_due_at"]
    if due is None:
        return f"no run is planned; `writeback exports run-now {export.row['export_id']}` sends it"
    return f"it goes with the next run, {when(due, schedule.time_zone)}"
