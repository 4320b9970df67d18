"""`writeback exports list` and `show`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import RowMapping

from schemas.shown import plain
from worker.bootstrap import Program
from worker.cli.exports.definition_yaml import write_document
from worker.cli.printing.output import (
    Column,
    dump,
    emit,
    emit_facts,
    emit_list,
    emit_object,
    emit_table,
    instant,
    when,
)
from worker.errors import RefusedError
from worker.store.definitions import definitions
from worker.store.queries import listing
from worker.views.leaving import what_to_do
from worker.views.zone_names import zone_of


def list_definitions(program: Program, *, retired: bool, as_json: bool) -> None:
    """Prints every definition, one an object or line."""
    with program.database.read() as connection:
        rows = definitions.every(connection, retired=retired)
        running = listing.open_runs(connection)
    if as_json:
        emit_list(_shape(row, running.get(row["export_id"])) for row in rows)
        return
    columns = [
        Column("EXPORT"),
        Column("STATE"),
        Column("SCHEDULE", prose=True),
        Column("NEXT RUN"),
        Column("LAST DELIVERED"),
        Column("OPEN RUN"),
    ]
    shown = [_line(row, running.get(row["export_id"])) for row in rows]
    emit_table(columns, shown, empty="no exports; `writeback exports apply FILE` saves one")


def _shape(row: RowMapping, run: RowMapping | None) -> dict[str, Any]:
    document = row["document"]
    return {
        "export_id": row["export_id"],
        "district_id": row["district_id"],
        "name": document.get("name", row["export_id"]),
        "state": row["state"],
        "paused": row["paused_at"] is not None,
        "frequency": row["frequency"],
        "time_zone": document["schedule"]["time_zone"],
        "destination": document["destination"]["type"],
        "revision": row["revision"],
        "next_run_at": instant(row["next_due_at"]),
        "last_delivered_at": instant(row["last_delivered_at"]),
        "open_run_id": run["run_id"] if run else None,
        "open_run_state": run["state"] if run else None,
        "error": run["error"] if run else None,
    }


def _line(row: RowMapping, run: RowMapping | None) -> tuple[object, ...]:
    zone = zone_of(row["document"])
    return (
        row["export_id"],
        _state(row),
        _schedule(row["document"]["schedule"]),
        when(row["next_due_at"], zone, seconds=False),
        when(row["last_delivered_at"], zone, seconds=False),
        run["state"] if run else None,
    )


def _state(row: RowMapping) -> str:
    return "paused" if row["paused_at"] is not None else str(row["state"])


def _schedule(schedule: Mapping[str, Any]) -> str:
    """The schedule in a few words: `daily 10:30, 15:10 (mon tue wed)`."""
    said = {
        "manual": "manual",
        "continuous": f"continuous, after {schedule.get('linger_seconds', 5)} s",
        "interval": f"every {schedule.get('every_minutes')} min",
        "hourly": f"hourly at minute {schedule.get('minute')}",
        "daily": f"daily {_words(schedule.get('at'), ', ')}",
        "weekly": f"weekly {_words(schedule.get('on'), ' ')} {_words(schedule.get('at'), ', ')}",
        "cron": f"cron {schedule.get('expression')}",
    }.get(str(schedule.get("frequency")), f"{schedule.get('frequency')} (not known to this version)")
    days = f" ({_words(schedule['days'], ' ')})" if "days" in schedule else ""
    school_days = ", school days only" if schedule.get("school_days_only") else ""
    return f"{said}{days}{school_days}"


def _words(value: Any, separator: str) -> str:
    return separator.join(value) if isinstance(value, list) else str(value)


def show_definition(program: Program, export_id: str, *, as_yaml: bool, as_json: bool) -> None:
    """Prints one definition with all that is known of it. Raises RefusedError where there is none."""
    with program.database.read() as connection:
        row = definitions.find(connection, export_id)
        if row is None:
            raise RefusedError(
                f"no export {export_id!r}; `writeback exports list --all` shows the exports there are"
            )
        run = listing.open_runs(connection, export_id).get(export_id)
        states = listing.entry_states(connection, export_id)
        revisions = listing.revisions(connection, export_id)
        actions = listing.audit(connection, export_id=export_id)
    if as_json:
        whole = _shape(row, run) | _more(row, states, revisions, actions)
        emit_object(whole)
    elif as_yaml:
        _emit_yaml(_facts(row, run, states), revisions, row["document"])
    else:
        emit_facts(_facts(row, run, states))
        emit("")
        emit(dump(row["document"], ascii_only=False))
        emit("")
        emit_table(*_history(revisions, actions, zone_of(row["document"])), empty="")


def _more(
    row: RowMapping,
    states: Mapping[str, int],
    revisions: Sequence[RowMapping],
    actions: Sequence[RowMapping],
) -> dict[str, Any]:
    paused = row["paused_at"] is not None
    pause = {"at": instant(row["paused_at"]), "by": row["paused_by"], "reason": row["pause_reason"]}
    return {
        "backfill_from": row["backfill_from"].isoformat(),
        "pause": pause if paused else None,
        "entries": dict(states),
        "revisions": [_picked(one, "revision", "saved_at", "saved_by") for one in revisions],
        "actions": [_picked(one, "at", "who", "action", "run_id", "reason") for one in actions],
        "definition": row["document"],
    }


def _picked(row: RowMapping, *names: str) -> dict[str, Any]:
    return {name: row[name] for name in names}


def _facts(row: RowMapping, run: RowMapping | None, states: Mapping[str, int]) -> list[tuple[str, object]]:
    zone = zone_of(row["document"])
    pause = f"since {when(row['paused_at'], zone)} by {row['paused_by']}: {row['pause_reason']}"
    error = f": {run['error']}{what_to_do(run['state'], run['export_id'])}" if run and run["error"] else ""
    return [
        ("export", row["export_id"]),
        ("state", f"{row['state']}, revision {row['revision']}"),
        ("paused", pause if row["paused_at"] is not None else None),
        ("schedule", f"{_schedule(row['document']['schedule'])}, {zone}"),
        ("next run", when(row["next_due_at"], zone) or "none planned"),
        ("last delivered", when(row["last_delivered_at"], zone) or "never"),
        ("open run", f"{run['run_id']}, {run['state']}{error}" if run else None),
        ("first day", row["backfill_from"]),
        ("entries", ", ".join(f"{count} {state}" for state, count in states.items()) or "none"),
        ("decide", f"`writeback held list --export {row['export_id']}`" if _for_a_person(states) else None),
    ]


def _for_a_person(states: Mapping[str, int]) -> bool:
    return bool(states.get("held") or states.get("refused"))


def _history(
    revisions: Sequence[RowMapping], actions: Sequence[RowMapping], zone: str
) -> tuple[list[Column], list[tuple[object, ...]]]:
    """Saves are actions too; their revisions are what the actions' reasons name."""
    kept = [(one["saved_at"], "save", one["saved_by"], f"revision {one['revision']}") for one in revisions]
    kept += [
        (one["at"], one["action"], one["who"], one["reason"]) for one in actions if one["action"] != "save"
    ]
    rows = [
        (when(at, zone), action, by, reason)
        for at, action, by, reason in sorted(kept, key=lambda one: one[0])
    ]
    return [Column("WHEN"), Column("WHAT"), Column("WHO"), Column("WHY", prose=True)], list(rows)


def _emit_yaml(
    facts: Iterable[tuple[str, object]], revisions: Sequence[RowMapping], document: Mapping[str, Any]
) -> None:
    for name, value in facts:
        if value is not None:
            emit(f"# {name}: {plain(str(value))}")
    for one in revisions:
        emit(
            f"# revision {one['revision']}: {when(one['saved_at'], zone_of(document))} by {plain(one['saved_by'])}"
        )
    emit(write_document(dict(document)).rstrip("\n"))
