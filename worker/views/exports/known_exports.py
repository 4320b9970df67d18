"""Exports as an administrator sees them: when each runs, what it waits for, and what was done to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping

from worker.errors import RefusedError
from worker.store.database.engine import Database
from worker.store.definitions import definitions
from worker.store.queries import listing
from worker.store.runs.missed_collections import missed_since
from worker.views.exports.at_the_sis import at_the_sis
from worker.views.leaving import what_to_do
from worker.views.missed_collections_told import MISSED_SHOWN, missed_shape, missed_told
from worker.views.words import instant, picked, when
from worker.views.zone_names import zone_of


@dataclass(frozen=True, slots=True)
class KnownExport:
    """A definition's row with its open run, if there is one."""

    row: RowMapping
    run: RowMapping | None
    missed: RowMapping | None = None  # the last collection of these days that was missed

    @property
    def zone(self) -> str:
        return zone_of(self.row["document"])

    @property
    def paused(self) -> bool:
        return self.row["paused_at"] is not None

    @property
    def state(self) -> str:
        return "paused" if self.paused else str(self.row["state"])

    @property
    def next_run(self) -> str | None:
        return when(self.row["next_due_at"], self.zone, seconds=False)

    @property
    def last_delivered(self) -> str | None:
        return when(self.row["last_delivered_at"], self.zone, seconds=False)


@dataclass(frozen=True, slots=True)
class WholeExport:
    """An export with its history. `states`: how many of its entries are in which; `acts`: what persons did to it."""

    export: KnownExport
    states: Mapping[str, int]
    revisions: Sequence[RowMapping]
    acts: Sequence[RowMapping]


def known_exports(database: Database, now: datetime, *, retired: bool) -> list[KnownExport]:
    """Every export by id; with `retired` also those that were deleted. Raises UnavailableError."""
    with database.read() as connection:
        running = listing.open_runs(connection)
        rows = definitions.every(connection, retired=retired)
        missed = {one["export_id"]: one for one in missed_since(connection, now - MISSED_SHOWN)}
    return [KnownExport(row, running.get(row["export_id"]), missed.get(row["export_id"])) for row in rows]


def export_row(connection: Connection, export_id: str) -> RowMapping:
    """The definition's row, retired or not. Raises RefusedError: there is no such export."""
    row = definitions.find(connection, export_id)
    if row is None:
        raise RefusedError(
            f"no export {export_id!r}; `writeback exports list --all` shows the exports there are"
        )
    return row


def require_export(connection: Connection, export_id: str | None) -> None:
    """Raises RefusedError where an export is named that never was."""
    if export_id is not None:
        export_row(connection, export_id)


def whole_export(database: Database, export_id: str, now: datetime) -> WholeExport:
    """All that is known of one. Raises RefusedError: there is no such export; UnavailableError."""
    with database.read() as connection:
        row = export_row(connection, export_id)
        missed = missed_since(connection, now - MISSED_SHOWN, export_id=export_id)
        running = listing.open_runs(connection, export_id).get(export_id)
        return WholeExport(
            KnownExport(row, running, missed[-1] if missed else None),
            listing.states_of_export(connection, export_id),
            listing.revisions(connection, export_id),
            listing.audit(connection, export_id=export_id),
        )


def schedule_words(schedule: Mapping[str, Any]) -> str:
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


def collected_words(document: Mapping[str, Any]) -> str | None:
    """When the SIS collects: `at 10:30, 15:00`; None: nobody has said."""
    times = document.get("collected_at")
    return f"at {_words(times, ', ')}" if times else None


def _words(value: Any, separator: str) -> str:
    return separator.join(value) if isinstance(value, list) else str(value)


def export_facts(one: WholeExport) -> list[tuple[str, object]]:
    """What is known of it by name, in words; None: there is nothing to say."""
    row, run, zone = one.export.row, one.export.run, one.export.zone
    pause = f"since {when(row['paused_at'], zone)} by {row['paused_by']}: {row['pause_reason']}"
    error = ""
    if run and run["error"]:
        what = what_to_do(run["state"], run["export_id"], paused=one.export.paused)
        error = f": {run['error']}{what}"
    decide = f"`writeback held list --export {row['export_id']}`"
    return [
        ("export", row["export_id"]),
        ("state", f"{row['state']}, revision {row['revision']}"),
        ("paused", pause if one.export.paused else None),
        ("schedule", f"{schedule_words(row['document']['schedule'])}, {zone}"),
        ("next run", when(row["next_due_at"], zone) or "none planned"),
        ("collected", collected_words(row["document"])),
        ("missed", missed_told(one.export.missed) if one.export.missed is not None else None),
        ("last delivered", when(row["last_delivered_at"], zone) or "never"),
        ("open run", f"{run['run_id']}, {run['state']}{error}" if run else None),
        ("first day", row["backfill_from"]),
        ("entries", ", ".join(f"{count} {state}" for state, count in one.states.items()) or "none"),
        ("decide", decide if one.states.get("held") or one.states.get("refused") else None),
    ]


def acts_told(one: WholeExport) -> list[tuple[object, ...]]:
    """(when, what, who, why) of all that was done to it, in order. A save's reason is told with its revision."""
    kept = [(it["saved_at"], "save", it["saved_by"], f"revision {it['revision']}") for it in one.revisions]
    kept += [(it["at"], it["action"], it["who"], it["reason"]) for it in one.acts if it["action"] != "save"]
    return [(when(at, one.export.zone), *act) for at, *act in sorted(kept, key=lambda act: act[0])]


def export_shape(one: KnownExport) -> dict[str, Any]:
    """An export as JSON."""
    row, run, document = one.row, one.run, one.row["document"]
    return {
        "export_id": row["export_id"],
        "district_id": row["district_id"],
        "name": document.get("name", row["export_id"]),
        "state": row["state"],
        "paused": one.paused,
        "frequency": row["frequency"],
        "time_zone": document["schedule"]["time_zone"],
        "destination": document["destination"]["type"],
        "revision": row["revision"],
        "next_run_at": instant(row["next_due_at"]),
        "last_delivered_at": instant(row["last_delivered_at"]),
        "open_run_id": run["run_id"] if run else None,
        "open_run_state": run["state"] if run else None,
        "error": run["error"] if run else None,
        "collected_at": document.get("collected_at") or [],
        "missed_collection": missed_shape(one.missed) if one.missed is not None else None,
    }


def whole_export_shape(one: WholeExport) -> dict[str, Any]:
    """The same with its definition and its history."""
    row = one.export.row
    pause = {"at": instant(row["paused_at"]), "by": row["paused_by"], "reason": row["pause_reason"]}
    return export_shape(one.export) | {
        "backfill_from": row["backfill_from"].isoformat(),
        "pause": pause if one.export.paused else None,
        "entries": dict(one.states),
        "revisions": [picked(it, "revision saved_at saved_by") for it in one.revisions],
        "actions": [picked(it, "at who action run_id reason") for it in one.acts],
        "what_happens": [
            {"demand": demand, "sentence": said} for demand, said in at_the_sis(row["document"])
        ],
        "definition": row["document"],
    }
