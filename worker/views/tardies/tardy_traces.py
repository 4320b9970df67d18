"""Where a tardy is: every step it took, in every export of its district. No student's name or number is in it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping

from worker.errors import RefusedError
from worker.store.database.engine import Database
from worker.store.entries.taking_back import taken_back_of
from worker.store.queries.tracing import ExportTrace, districts_of, tardies_of, traces
from worker.store.queries.tracing import Trace as Trace
from worker.views.tardies.row_receipts_told import receipt_shape
from worker.views.tardies.trace_words import overtaken, summary, taken_back
from worker.views.words import instant, picked


def trace_tardy(database: Database, tardy_id: str, district: str | None) -> Trace:
    """A tardy's steps. Raises RefusedError: it has not arrived, or several districts have it."""
    with database.read() as connection:
        place = (_district(connection, tardy_id, district), tardy_id)
        [found] = traces(connection, [place])
    return found


def trace_student(database: Database, local_id: str, district: str | None) -> Sequence[Trace]:
    """The steps of each of a student's tardies, the earliest first. Raises RefusedError: there is none."""
    with database.read() as connection:
        places = tardies_of(connection, local_id, district)
        if not places:
            where = f" in district {district!r}" if district is not None else ""
            raise RefusedError(
                f"no tardy of a student with this local_id has been buffered{where}, or its data has been purged"
            )
        return list(traces(connection, places))


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


def trace_shape(found: Trace) -> dict[str, Any]:
    """A tardy's steps as JSON."""
    head = found.head
    return picked(head, "tardy_id district_id school_id behavior_code occurred_at version voided") | {
        "versions": [_version_shape(one) for one in found.versions],
        "overtaken": overtaken(head["version"], found.versions),
        "exports": [_export_shape(one) for one in found.exports],
    }


def _version_shape(version: RowMapping) -> dict[str, Any]:
    taken_back = (version[name] for name in ("taken_back_at", "taken_back_by", "take_back_reason"))
    return picked(version, "version type received_at message_id source") | {
        "taken_back": taken_back_shape(*taken_back)
    }


def taken_back_shape(at: datetime | None, who: str | None, reason: str | None) -> dict[str, Any] | None:
    """By whom, when and why a version was taken back, as JSON; None: it was not."""
    return None if at is None else {"at": instant(at), "who": who, "reason": reason}


def _export_shape(one: ExportTrace) -> dict[str, Any]:
    return {
        "export_id": one.export.row["export_id"],
        "state": "paused" if one.export.paused else one.export.row["state"],
        "excluded_by": one.excluded_by,
        "summary": summary(one),
        "collapsed_behind": one.behind,
        "next_run_at": instant(one.export.row["next_due_at"]),
        "entries": [_entry_shape(one, entry) for entry in one.entries],
        "decisions": [picked(said, "version ordinal decision who at reason was") for said in one.decisions],
    }


def _entry_shape(one: ExportTrace, entry: RowMapping) -> dict[str, Any]:
    named = "version ordinal state reason_code reason action released run_id run_state line"
    ended = picked(entry, "sha256") | {"resent_by": list(one.resent_by.get(entry["run_id"], ()))}
    moments = picked(entry, "buffered_at settled_at")
    delivered_at = moments["settled_at"] if entry["state"] == "delivered" else None
    file = {"file": entry["file_name"]}
    told = {"receipts": [receipt_shape(receipt) for receipt in one.receipts_of(entry)]}
    return picked(entry, named) | file | ended | moments | {"delivered_at": delivered_at} | told
