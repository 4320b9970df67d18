"""What a person asks for, carried out exactly as a message would be: audited, answered, and only once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, RowMapping

from schemas.messages.commands import Command, load_command
from schemas.messages.envelope import Envelope
from schemas.rejections import RejectedError
from worker.actions.acting import Act
from worker.actions.commands.asked import Asked
from worker.actions.commands.carrying_out import Answer, carry_out
from worker.errors import RefusedError
from worker.store.database.engine import Database, own_catalogue
from worker.store.definitions import definitions
from worker.store.definitions.revising import Saved as Saved


def command_of(source: str, kind: str, data: Mapping[str, Any]) -> Command:
    """A command from a person. Raises RefusedError where its data is not right."""
    envelope = Envelope(uuid4().hex, source, kind, None, None, dict(data), {})
    try:
        return load_command(envelope)
    except RejectedError as error:
        raise RefusedError(error.reason) from None


def ask(database: Database, asked: Asked) -> None:
    """Carries the command out. Raises RefusedError with the reason, which the answer has too; UnavailableError."""
    _accepted(_carry_out(database, asked))


def save(database: Database, asked: Asked) -> Saved:
    """The same of an `export.save` whose definition is valid; tells what that did."""
    before, answer, after = _save(database, asked)
    _accepted(answer)
    assert after is not None
    if before is None:
        return Saved("created", after["revision"])
    same = before["revision"] == after["revision"]
    return Saved("unchanged" if same else "replaced", after["revision"])


_carry_out = Act(carry_out)


@Act
def _save(connection: Connection, asked: Asked) -> tuple[RowMapping | None, Answer | None, RowMapping | None]:
    own_catalogue(connection)
    export_id = asked.data["definition"]["export_id"]
    before = definitions.find(connection, export_id)
    return before, carry_out(connection, asked), definitions.find(connection, export_id)


def _accepted(answer: Answer | None) -> None:
    assert answer is not None  # None is a command that came before; this one has a new id
    if answer.refused is not None:
        raise RefusedError(answer.refused)
