"""Commands: what another service or a person asks for, each carried out in one transaction and answered."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from schemas.messages.commands import Command
from worker.actions.commands.asked import Asked
from worker.actions.commands.handlers import HANDLERS
from worker.errors import RefusedError
from worker.store import outcome_rows
from worker.store.database.engine import own_catalogue

_is_type = re.compile(r"[a-z0-9_.-]{1,64}").fullmatch


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a command: accepted for these exports, or refused for this reason."""

    export_ids: tuple[str, ...] = ()
    refused: str | None = None


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
    asked = asked.as_its_own()
    if not outcome_rows.remember(connection, asked.command, asked.now, asked.reply):
        return None
    savepoint = connection.begin_nested()
    try:
        answer = Answer(tuple(HANDLERS[asked.command.type](connection, asked)))
        savepoint.commit()
    except RefusedError as error:
        savepoint.rollback()
        answer = Answer(refused=str(error))
    _answer(connection, asked, answer)
    return answer


def refuse(connection: Connection, asked: Asked, reason: str) -> None:
    """Answers a command whose data cannot be read, as its authority's own."""
    asked = asked.as_its_own()
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
