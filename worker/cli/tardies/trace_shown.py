"""What `writeback trace` prints."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, RowMapping

from worker.bootstrap import Program
from worker.cli.printing.output import (
    counted,
    emit,
    emit_facts,
    emit_list,
    emit_object,
    emit_wrapped,
    instant,
    when,
)
from worker.cli.tardies.trace_words import (
    decided,
    excluded,
    overtaken,
    overtaken_text,
    summary,
    taken_back,
)
from worker.errors import RefusedError
from worker.store.entries.taking_back import taken_back_of
from worker.store.queries.tracing import (
    ExportTrace,
    Place,
    Trace,
    districts_of,
    tardies_of,
    traces,
)


def trace_tardy(program: Program, tardy_id: str, district: str | None, *, as_json: bool) -> None:
    """Prints a tardy's steps. Raises RefusedError: it has not arrived, or several districts have it."""
    with program.database.read() as connection:
        place = (_district(connection, tardy_id, district), tardy_id)
        [found] = traces(connection, [place])
    if as_json:
        emit_object(_shape(found))
    else:
        _print(found)


def trace_student(program: Program, local_id: str, district: str | None, *, as_json: bool) -> None:
    """Prints the steps of each of a student's tardies, the earliest first. Raises RefusedError: there is none."""
    with program.database.read() as connection:
        found = list(traces(connection, _of_student(connection, local_id, district)))
    if as_json:
        emit_list(map(_shape, found))
        return
    for number, one in enumerate(found, start=1):
        if number > 1:
            emit("")
        if len(found) > 1:
            emit(f"--- {number} of {counted(len(found), 'tardy', 'tardies')} ---")
        _print(one)


def _of_student(connection: Connection, local_id: str, district: str | None) -> Sequence[Place]:
    places = tardies_of(connection, local_id, district)
    if not places:
        where = f" in district {district!r}" if district is not None else ""
        raise RefusedError(
            f"no tardy of a student with this local_id has been buffered{where}, or its data has been purged"
        )
    return places


def _district(connection: Connection, tardy_id: str, district: str | None) -> str:
    known = districts_of(connection, tardy_id)
    if district is not None and district in known:
        return district
    if not known and (taken := taken_back_of(connection, tardy_id, district)):
        versions = "; ".join(f"version {one['version']}{taken_back(one, 'UTC')}" for one in taken)
        raise RefusedError(
            f"no version of tardy {tardy_id!r} counts: {versions}; the next that comes is its first"
        )
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
    return {
        "tardy_id": head["tardy_id"],
        "district_id": head["district_id"],
        "school_id": head["school_id"],
        "behavior_code": head["behavior_code"],
        "occurred_at": instant(head["occurred_at"]),
        "version": head["version"],
        "voided": head["voided"],
        "versions": [_version_shape(one) for one in found.versions],
        "overtaken": overtaken(head["version"], found.versions),
        "exports": [_export_shape(one) for one in found.exports],
    }


def _version_shape(version: RowMapping) -> dict[str, Any]:
    names = ("version", "type", "received_at", "message_id", "source")
    at, who, reason = (version[name] for name in ("taken_back_at", "taken_back_by", "take_back_reason"))
    taken_back = None if at is None else {"at": instant(at), "who": who, "reason": reason}
    return {name: version[name] for name in names} | {"taken_back": taken_back}


def _export_shape(one: ExportTrace) -> dict[str, Any]:
    return {
        "export_id": one.export.row["export_id"],
        "state": "paused" if one.export.paused else one.export.row["state"],
        "excluded_by": one.excluded_by,
        "summary": summary(one),
        "collapsed_behind": one.behind,
        "next_run_at": instant(one.export.row["next_due_at"]),
        "entries": [_entry_shape(one, entry) for entry in one.entries],
        "decisions": [_decision_shape(decision) for decision in one.decisions],
    }


def _entry_shape(one: ExportTrace, entry: RowMapping) -> dict[str, Any]:
    names = ("version", "ordinal", "state", "reason_code", "reason", "action", "released")
    of_run = ("run_id", "run_state", "line")
    return {name: entry[name] for name in (*names, *of_run)} | {
        "file": entry["file_name"],
        "sha256": entry["sha256"],
        "resent_by": list(one.resent_by.get(entry["run_id"], ())),
        "buffered_at": instant(entry["buffered_at"]),
        "settled_at": instant(entry["settled_at"]),
        "delivered_at": instant(entry["settled_at"]) if entry["state"] == "delivered" else None,
    }


def _decision_shape(decision: RowMapping) -> dict[str, Any]:
    names = ("version", "ordinal", "decision", "who", "at", "reason", "was")
    return {name: decision[name] for name in names}


def _print(found: Trace) -> None:
    head, zone = found.head, found.zone.key if found.zone is not None else "UTC"
    voided = ", voided" if head["voided"] else ""
    unknown = "" if found.zone is not None else " (not known: no school.saved has arrived)"
    emit_facts(
        [
            ("tardy", f"{head['tardy_id']}, version {head['version']}{voided}"),
            ("district", head["district_id"]),
            ("school", f"{head['school_id']}{unknown}"),
            ("code", head["behavior_code"]),
            ("occurred", when(head["occurred_at"], zone)),
        ]
    )
    emit("")
    for version in found.versions:
        emit_wrapped(_arrival(version, zone))
    if late := overtaken(head["version"], found.versions):
        emit_wrapped(overtaken_text(head["version"], late))
    for one in found.exports:
        if one.entries:
            emit("")
            _print_export(one)
    outside = list(_outside(found.exports)) if found.exports else ["its district has no export at all"]
    if outside:
        emit("")
    for line in outside:
        emit_wrapped(line)


def _arrival(version: RowMapping, zone: str) -> str:
    message = f"; message {version['message_id']} from {version['source']}" if version["message_id"] else ""
    at = when(version["received_at"], zone)
    return (
        f"version {version['version']}: {version['type']}, received {at}{message}{taken_back(version, zone)}"
    )


def _outside(exports: Sequence[ExportTrace]) -> Iterator[str]:
    """The exports that have nothing of it, those that leave it out for the same reason together."""
    reasons: dict[str, list[str]] = {}
    for one in exports:
        if not one.entries:
            reasons.setdefault(excluded(one), []).append(one.export.row["export_id"])
    for reason, names in reasons.items():
        yield f"not in {', '.join(names)}: {reason}"


def _print_export(one: ExportTrace) -> None:
    emit_wrapped(f"{one.export.row['export_id']}: {summary(one)}")
    zone = one.export.definition.schedule.time_zone
    for entry in one.entries:
        emit_wrapped(_step(entry, zone, last=entry is one.entries[-1]), indent=2)
        for line in _receipt(one, entry):
            emit_wrapped(line, indent=4)
        for decision in one.decisions:
            if (decision["version"], decision["ordinal"]) == (entry["version"], entry["ordinal"]):
                emit_wrapped(decided(decision, zone), indent=4)


def _step(entry: RowMapping, zone: str, *, last: bool) -> str:
    """One entry's line; what the summary has said of the last one is not said again."""
    again = f" (entry {entry['ordinal'] + 1})" if entry["ordinal"] else ""
    action = f" as {entry['action']}" if entry["action"] and entry["state"] != "held" else ""
    ended = entry["settled_at"]
    at = f" {when(ended, zone)}" if ended else f" since {when(entry['buffered_at'], zone)}"
    reason = f": {entry['reason']}" if entry["reason"] and not last else ""
    return f"version {entry['version']}{again}: {entry['state']}{action}{at}{reason}"


def _receipt(one: ExportTrace, entry: RowMapping) -> Iterator[str]:
    if entry["run_id"] is None:
        return
    yield f"row {entry['line']} of {entry['file_name']}, run {entry['run_id']}"
    if entry["sha256"] is not None:
        yield f"sha256 {entry['sha256']}"
    for run_id in one.resent_by.get(entry["run_id"], ()):
        yield f"the file was sent once more by run {run_id}"
