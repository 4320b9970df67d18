"""What carries each command out. To add a command: an action, and its line in `HANDLERS`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any

from sqlalchemy import Connection

from schemas.messages.payload import DEFAULT_DISTRICT
from worker.actions import exports
from worker.actions.codes import map_code, unmap_code
from worker.actions.commands.asked import Asked
from worker.actions.entries import decide_entries
from worker.actions.runs import abandon_run, approve_run, resend_run
from worker.store.entries.decisions import Decision
from worker.views.reference.spoken_codes import CodePlace

Handler = Callable[[Connection, Asked], Collection[str]]
"""Carries a command out; returns the exports that it concerns. Raises RefusedError: then nothing is to be changed."""


def _save(connection: Connection, asked: Asked) -> Collection[str]:
    run_for = asked.key if asked.data.get("run_now", False) else None
    version, definition = asked.data.get("version"), asked.data["definition"]
    return [
        exports.save_export(
            connection,
            definition,
            places=asked.places,
            locks=asked.locks,
            version=version,
            run_for=run_for,
            **asked.signed,
        )
    ]


def _run_now(connection: Connection, asked: Asked) -> Collection[str]:
    data = asked.data
    if "export_id" in data:
        exports.run_export(connection, data["export_id"], asked.key, now=asked.now)
        return [data["export_id"]]
    district_id = data.get("district_id", DEFAULT_DISTRICT)
    return exports.run_school(connection, district_id, data["school_id"], asked.key, now=asked.now)


def _export(act: Callable[..., None], connection: Connection, asked: Asked) -> Collection[str]:
    act(connection, asked.data["export_id"], **asked.signed)
    return [asked.data["export_id"]]


def _approve(connection: Connection, asked: Asked) -> Collection[str]:
    return [approve_run.within(connection, asked.data["run_id"], **asked.signed).run["export_id"]]


def _resend(connection: Connection, asked: Asked) -> Collection[str]:
    return [resend_run.within(connection, asked.data["run_id"], **asked.signed).run["export_id"]]


def _abandon(connection: Connection, asked: Asked) -> Collection[str]:
    not_sent = asked.data.get("not_sent", False)
    abandoned = abandon_run.within(connection, asked.data["run_id"], not_sent=not_sent, **asked.signed)
    return [abandoned.run["export_id"]]


def _decide(decision: Decision, connection: Connection, asked: Asked) -> Collection[str]:
    decided = decide_entries(connection, decision, asked.data["ids"], **asked.signed)
    return sorted({row["export_id"] for row in decided})


def _map(connection: Connection, asked: Asked) -> Collection[str]:
    reference = None if asked.data.get("never_send") else asked.data["external_reference_code"]
    return map_code.within(connection, _code(asked.data), reference, **asked.signed).export_ids


def _unmap(connection: Connection, asked: Asked) -> Collection[str]:
    return unmap_code.within(connection, _code(asked.data), **asked.signed).export_ids


def _code(data: Mapping[str, Any]) -> CodePlace:
    return CodePlace(data.get("district_id", DEFAULT_DISTRICT), data["code"], data.get("school_id"))


HANDLERS: dict[str, Handler] = {
    "export.save": _save,
    "export.run_now": _run_now,
    "export.pause": partial(_export, exports.pause_export),
    "export.resume": partial(_export, exports.resume_export),
    "export.delete": partial(_export, exports.delete_export),
    "export.retry": partial(_export, exports.retry_export),
    "run.approve": _approve,
    "run.resend": _resend,
    "run.abandon": _abandon,
    "entry.release": partial(_decide, "release"),
    "entry.dismiss": partial(_decide, "dismiss"),
    "entry.undo": partial(_decide, "undo"),
    "code.map": _map,
    "code.unmap": _unmap,
}
