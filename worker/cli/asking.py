"""What a person asks for, carried out exactly as a message would be: audited, answered, and only once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from schemas.messages.commands import Command, load_command
from schemas.messages.envelope import Envelope
from schemas.rejections import RejectedError
from worker.actions.asked import Asked
from worker.actions.carrying_out import Answer, carry_out
from worker.bootstrap import Program
from worker.cli.session import who
from worker.errors import RefusedError
from worker.store.database.engine import own_catalogue
from worker.store.definitions import definitions
from worker.store.definitions.revising import Saved


def command_of(kind: str, data: Mapping[str, Any]) -> Command:
    """A command from this person. Raises RefusedError where its data is not right."""
    envelope = Envelope(uuid4().hex, f"cli:{who()}", kind, None, None, dict(data), {})
    try:
        return load_command(envelope)
    except RejectedError as error:
        raise RefusedError(error.reason) from None


def ask(program: Program, kind: str, data: Mapping[str, Any]) -> Command:
    """Carries the command out. Raises RefusedError with the reason, UnavailableError."""
    command = command_of(kind, data)
    for attempt in program.database.retrying():
        with attempt, program.database.write() as connection:
            answer = carry_out(connection, Asked(command, program.clock(), program.places))
    _accepted(answer)
    return command


def save(
    program: Program, document: Mapping[str, Any], *, run_now: bool = False, reason: str | None = None
) -> Saved:
    """Saves a valid definition; tells what that did. Raises RefusedError, UnavailableError."""
    why = {"reason": reason} if reason is not None else {}
    command = command_of("export.save", {"definition": dict(document), "run_now": run_now, **why})
    for attempt in program.database.retrying():
        with attempt, program.database.write() as connection:
            own_catalogue(connection)
            before = definitions.find(connection, document["export_id"])
            answer = carry_out(connection, Asked(command, program.clock(), program.places))
            after = definitions.find(connection, document["export_id"])
    _accepted(answer)
    assert after is not None
    if before is None:
        return Saved("created", after["revision"])
    same = before["revision"] == after["revision"]
    return Saved("unchanged" if same else "replaced", after["revision"])


def _accepted(answer: Answer | None) -> None:
    assert answer is not None  # None is a command that came before; this one has a new id
    if answer.refused is not None:
        raise RefusedError(answer.refused)
