"""Commands: what another service or a person asks for, each carried out in one transaction and answered."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import Connection

from schemas.definition.document import DefinitionError
from schemas.definition.document import load as load_document
from schemas.messages.commands import Command
from worker.actions.authority import Authority
from worker.actions.codes import map_code, unmap_code
from worker.actions.entries import decide_entries
from worker.actions.runs import abandon_run, approve_run, resend_run
from worker.destinations.kinds import DESTINATIONS
from worker.destinations.places import Places
from worker.destinations.placing import place_name, place_problem
from worker.errors import RefusedError
from worker.store import asides, outcome_rows
from worker.store.database.engine import own_catalogue
from worker.store.definitions import definitions
from worker.store.entries.decisions import Decision
from worker.store.outcome_rows import NO_REPLY, CommandKey, ReplyAddress
from worker.store.runs import requests, run_rows
from worker.views.spoken_codes import CodePlace

_is_type = re.compile(r"[a-z0-9_.-]{1,64}").fullmatch


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a command: accepted for these exports, or refused for this reason."""

    export_ids: tuple[str, ...] = ()
    refused: str | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """A command with all that it is judged by: when, where files may go, where its answer goes as well, and
    whoever sends it (None: anybody may do anything)."""

    command: Command
    now: datetime
    places: Places
    reply: ReplyAddress = NO_REPLY
    authority: Authority | None = None

    @property
    def key(self) -> CommandKey:
        return CommandKey(self.command.source, self.command.command_id)

    @property
    def who(self) -> str:
        """Its source, shown in the audit trail."""
        return self.command.source


def valid_document(raw: object) -> dict[str, Any]:
    """The definition as it may be saved. Raises RefusedError with every problem in one line."""
    try:
        return load_document(raw, {name: kind.schema for name, kind in DESTINATIONS.items()})
    except DefinitionError as error:
        raise RefusedError(f"the definition is not valid: {error}") from None


def carry_out(connection: Connection, asked: Asked) -> Answer | None:
    """Carries a command out and queues its answer; None: it came before and is answered again.

    Everything happens in the caller's transaction; a refusal changes nothing but the answer. What its authority
    may not is refused as a stranger's.
    """
    own_catalogue(connection)
    if asked.authority is not None:
        objection = asked.authority.objection(connection, asked.command)
        if objection is not None:
            refuse_stranger(connection, asked, objection)
            return Answer(refused=objection)
        asked = replace(asked, command=asked.authority.sign(asked.command))
    if not outcome_rows.remember(connection, asked.command, asked.now, asked.reply):
        return None
    savepoint = connection.begin_nested()
    try:
        answer = Answer(tuple(HANDLERS[asked.command.type](connection, asked, asked.command.data)))
        savepoint.commit()
    except RefusedError as error:
        savepoint.rollback()
        answer = Answer(refused=str(error))
    _answer(connection, asked, answer)
    return answer


def refuse(connection: Connection, asked: Asked, reason: str) -> None:
    """Answers a command whose data cannot be read, as its authority's own."""
    if asked.authority is not None:
        asked = replace(asked, command=asked.authority.sign(asked.command))
    if outcome_rows.remember(connection, asked.command, asked.now, asked.reply):
        _answer(connection, asked, Answer(refused=reason))


def refuse_for_now(connection: Connection, asked: Asked, reason: str) -> None:
    """Answers a command that the program has failed at. It is not remembered: sent again, it is tried again."""
    data = _told(asked.command) | {"reason": reason}
    outcome_rows.tell_stranger(connection, "command.refused", data, asked.now, asked.reply)


def refuse_stranger(connection: Connection, asked: Asked, objection: str) -> None:
    """Answers a command whose sender may not give it. It is not remembered: it takes nobody's source and id."""
    refuse_for_now(connection, asked, f"unauthorised: {objection}")


def _answer(connection: Connection, asked: Asked, answer: Answer) -> None:
    data = _told(asked.command)
    if answer.refused is not None:
        outcome_rows.tell(
            connection, "command.refused", data | {"reason": answer.refused}, asked.now, asked.key
        )
    else:
        data |= {"export_ids": list(answer.export_ids)}
        outcome_rows.tell(connection, "command.accepted", data, asked.now, asked.key)


def _told(command: Command) -> dict[str, Any]:
    """What every outcome says of its command. A type that is none in its form may be anything, a student's name as
    well."""
    kind = command.type if _is_type(command.type) else "unknown"
    return {"command_id": command.command_id, "command_type": kind}


Handler = Callable[[Connection, Asked, Mapping[str, Any]], list[str]]


def _save(connection: Connection, asked: Asked, data: Mapping[str, Any]) -> list[str]:
    document = valid_document(data["definition"])
    if problem := place_problem(document["destination"], asked.places):
        raise RefusedError(f"export {document['export_id']}: {problem}")
    existing = definitions.find(connection, document["export_id"])
    if data.get("run_now", False) and existing is not None and existing["paused_at"] is not None:
        raise RefusedError(
            f"export {document['export_id']} is paused; save it without run_now, or resume it first"
        )
    definitions.save(
        connection,
        document,
        who=asked.who,
        now=asked.now,
        version=data.get("version"),
        place_name=lambda destination: place_name(destination, asked.places),
        reason=data.get("reason"),
    )
    asides.release(connection, "export", document["export_id"])
    if data.get("run_now", False):
        _request(connection, asked, document["export_id"])
    return [document["export_id"]]


def _run_now(connection: Connection, asked: Asked, data: Mapping[str, Any]) -> list[str]:
    if "export_id" in data:
        row = definitions.active(connection, data["export_id"])
        if row["paused_at"] is not None:
            raise RefusedError(f"export {data['export_id']} is paused; resume it first")
        _request(connection, asked, data["export_id"])
        return [data["export_id"]]
    district_id, school_id = data.get("district_id", "default"), data["school_id"]
    naming = definitions.naming_school(connection, district_id, school_id)
    running = [row["export_id"] for row in naming if row["paused_at"] is None]
    if not running:
        which = "every export that names it is paused" if naming else "no export names it"
        raise RefusedError(f"school {school_id} of district {district_id}: {which}")
    for export_id in running:
        _request(connection, asked, export_id)
    return running


def _request(connection: Connection, asked: Asked, export_id: str) -> None:
    requests.request_by_command(connection, export_id, asked.key, asked.now)
    asides.release(connection, "export", export_id)
    definitions.retry_open_run(connection, export_id)


def _pause(connection: Connection, asked: Asked, data: Mapping[str, Any]) -> list[str]:
    definitions.pause(
        connection,
        data["export_id"],
        who=asked.who,
        reason=data.get("reason") or "no reason given",
        now=asked.now,
    )
    return [data["export_id"]]


def _resume(connection: Connection, asked: Asked, data: Mapping[str, Any]) -> list[str]:
    definitions.resume(connection, data["export_id"], who=asked.who, reason=data.get("reason"), now=asked.now)
    return [data["export_id"]]


def _delete(connection: Connection, asked: Asked, data: Mapping[str, Any]) -> list[str]:
    retired = definitions.retire(
        connection, data["export_id"], who=asked.who, reason=data.get("reason"), now=asked.now
    )
    if retired.run_id is not None:
        run_rows.tell_of_run(connection, retired.run_id, "run.cancelled", asked.now)
    for request in retired.requests:
        run_rows.cancel_requested(connection, retired.export, request, asked.now)
    asides.release(connection, "export", data["export_id"])
    return [data["export_id"]]


def _retry(connection: Connection, asked: Asked, data: Mapping[str, Any]) -> list[str]:
    if definitions.active(connection, data["export_id"])["paused_at"] is not None:
        raise RefusedError(f"export {data['export_id']} is paused; resume it first")
    stood_aside = asides.release(connection, "export", data["export_id"])
    if not definitions.retry_open_run(connection, data["export_id"]) and not stood_aside:
        run = run_rows.open_run(connection, data["export_id"])
        if run is not None and run["state"] == "guarded":
            raise RefusedError(
                f"run {run['run_id']} of export {data['export_id']} waits for approval: {run['error']}"
            )
        raise RefusedError(f"export {data['export_id']} has no run that waits or has failed")
    definitions.note(
        connection, "retry", asked.who, asked.now, export_id=data["export_id"], reason=data.get("reason")
    )
    return [data["export_id"]]


def _approve(connection: Connection, asked: Asked, data: Mapping[str, Any]) -> list[str]:
    run = approve_run(connection, data["run_id"], who=asked.who, reason=data["reason"], now=asked.now)
    return [run["export_id"]]


def _resend(connection: Connection, asked: Asked, data: Mapping[str, Any]) -> list[str]:
    resent = resend_run(connection, data["run_id"], who=asked.who, reason=data["reason"], now=asked.now)
    return [resent.run["export_id"]]


def _abandon(connection: Connection, asked: Asked, data: Mapping[str, Any]) -> list[str]:
    abandoned = abandon_run(
        connection,
        data["run_id"],
        who=asked.who,
        reason=data.get("reason"),
        not_sent=data.get("not_sent", False),
        now=asked.now,
    )
    return [abandoned.run["export_id"]]


def _decide(decision: Decision, connection: Connection, asked: Asked, data: Mapping[str, Any]) -> list[str]:
    rows = decide_entries(
        connection, decision, data["ids"], who=asked.who, reason=data["reason"], now=asked.now
    )
    return sorted({row["export_id"] for row in rows})


def _map(connection: Connection, asked: Asked, data: Mapping[str, Any]) -> list[str]:
    reference = None if data.get("never_send") else data["external_reference_code"]
    spoken = map_code(connection, _code(data), reference, who=asked.who, reason=data["reason"], now=asked.now)
    return list(spoken.export_ids)


def _unmap(connection: Connection, asked: Asked, data: Mapping[str, Any]) -> list[str]:
    spoken = unmap_code(connection, _code(data), who=asked.who, reason=data["reason"], now=asked.now)
    return list(spoken.export_ids)


def _code(data: Mapping[str, Any]) -> CodePlace:
    return CodePlace(data.get("district_id", "default"), data["code"], data.get("school_id"))


HANDLERS: dict[str, Handler] = {
    "export.save": _save,
    "export.run_now": _run_now,
    "export.pause": _pause,
    "export.resume": _resume,
    "export.delete": _delete,
    "export.retry": _retry,
    "run.approve": _approve,
    "run.resend": _resend,
    "run.abandon": _abandon,
    "entry.release": partial(_decide, "release"),
    "entry.dismiss": partial(_decide, "dismiss"),
    "entry.undo": partial(_decide, "undo"),
    "code.map": _map,
    "code.unmap": _unmap,
}
