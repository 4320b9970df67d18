"""The outbox: outcomes are written in the transaction they tell of, and published afterwards."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, exists, func, insert, or_, select, update

from schemas.messages.commands import Command
from schemas.messages.outcomes import outcome_envelope
from worker.store.database.instants import database_time
from worker.store.database.statements import but_for, insert_into, inserted
from worker.store.database.tables import commands, outbox
from worker.store.replies import queue_reply

REMEMBERED = timedelta(days=400)  # contract: commands are idempotent by (source, id) for this long
_CLAIM = timedelta(seconds=60)  # longer than publishing a batch may take; then another worker tells them


@dataclass(frozen=True, slots=True)
class CommandKey:
    """What makes a command one and the same."""

    source: str
    command_id: str

    @property
    def hash(self) -> str:
        """64 hex digits: what indexes can hold of them, however long they are."""
        return hashlib.sha256(json.dumps([self.source, self.command_id]).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class ReplyAddress:
    """Where what answers a command goes as well: the queue it named (None: nowhere) and by what its sender knows
    the answer."""

    queue: str | None = None
    correlation_id: str | None = None


NO_REPLY = ReplyAddress()


@dataclass(frozen=True, slots=True)
class Unpublished:
    """One outcome that waits for the broker."""

    outbox_id: int
    outcome_id: str
    type: str
    body: bytes
    correlation_id: str | None


def remember(connection: Connection, command: Command, now: datetime, reply: ReplyAddress) -> bool:
    """Notes a command; False: it came before, and its stored outcomes are queued to be told again."""
    key = CommandKey(command.source, command.command_id)
    statement = insert_into(connection, commands).values(
        key=key.hash,
        source=command.source,
        command_id=command.command_id,
        type=command.type,
        received_at=now,
        reply_to=reply.queue,
        correlation_id=reply.correlation_id,
    )
    if inserted(connection, statement, commands.c.key):
        return True
    _tell_again(connection, key, now, reply)
    return False


def is_remembered(connection: Connection, key: CommandKey) -> bool:
    """Whether a command of this source and id came before."""
    return bool(connection.execute(select(exists().where(commands.c.key == key.hash))).scalar_one())


def _tell_again(connection: Connection, key: CommandKey, now: datetime, reply: ReplyAddress) -> None:
    stored = connection.execute(
        select(outbox.c.outcome_id, outbox.c.type, outbox.c.body)
        .where(outbox.c.command_key == key.hash)
        .group_by(outbox.c.outcome_id, outbox.c.type, outbox.c.body)
        .order_by(func.min(outbox.c.outbox_id))
    ).all()
    for outcome_id, kind, body in stored:
        _put(connection, outcome_id, kind, body, key, reply, now)


def tell(
    connection: Connection,
    kind: str,
    data: Mapping[str, Any],
    now: datetime,
    command: CommandKey | None = None,
) -> None:
    """Queues an outcome; where it answers a command, the command's reply queue gets it too."""
    reply = NO_REPLY if command is None else _reply_address(connection, command)
    _put_new(connection, kind, data, command, reply, now)


def _reply_address(connection: Connection, command: CommandKey) -> ReplyAddress:
    asked = connection.execute(
        select(commands.c.reply_to, commands.c.correlation_id).where(commands.c.key == command.hash)
    ).one_or_none()
    return NO_REPLY if asked is None else ReplyAddress(*asked)


def tell_stranger(
    connection: Connection, kind: str, data: Mapping[str, Any], now: datetime, reply: ReplyAddress
) -> None:
    """Queues an outcome for a command that is not remembered."""
    _put_new(connection, kind, data, None, reply, now)


def _put_new(
    connection: Connection,
    kind: str,
    data: Mapping[str, Any],
    command: CommandKey | None,
    reply: ReplyAddress,
    now: datetime,
) -> None:
    outcome_id = uuid4().hex
    body = outcome_envelope(kind, dict(data), outcome_id=outcome_id, time=now).decode()
    _put(connection, outcome_id, kind, body, command, reply, now)


def _put(
    connection: Connection,
    outcome_id: str,
    kind: str,
    body: str,
    command: CommandKey | None,
    reply: ReplyAddress,
    now: datetime,
) -> None:
    statement = (
        insert(outbox)
        .values(
            outcome_id=outcome_id,
            type=kind,
            body=body,
            command_key=command.hash if command else None,
            command_source=command.source if command else None,
            command_id=command.command_id if command else None,
            reply_to=reply.queue,
            correlation_id=reply.correlation_id,
            created_at=now,
        )
        .returning(outbox.c.outbox_id)
    )
    outbox_id = connection.execute(statement).scalar_one()
    if reply.queue is not None:
        queue_reply(connection, outbox_id, reply.queue)


def any_unpublished(connection: Connection) -> bool:
    """Whether an outcome waits for the broker."""
    return bool(connection.execute(select(exists().where(outbox.c.published_at.is_(None)))).scalar_one())


def claim_unpublished(
    connection: Connection, limit: int, *, besides: Collection[int] = ()
) -> list[Unpublished]:
    """The oldest outcomes that the broker has not confirmed, but for these, claimed for a while so that one worker
    tells them.

    Those of one command are told in their order: one that comes after an outcome that another worker has in hand
    is left for later.
    """
    free = or_(outbox.c.claimed_until.is_(None), outbox.c.claimed_until < database_time(connection))
    chosen = (
        select(outbox.c.outbox_id)
        .where(outbox.c.published_at.is_(None), free, *but_for(outbox.c.outbox_id, besides))
        .order_by(outbox.c.outbox_id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    claimed = connection.execute(
        update(outbox)
        .where(outbox.c.outbox_id.in_(chosen))
        .values(claimed_until=database_time(connection, _CLAIM))
        .returning(
            outbox.c.outbox_id,
            outbox.c.outcome_id,
            outbox.c.type,
            outbox.c.body,
            outbox.c.correlation_id,
        )
    )
    found = [Unpublished(row[0], row[1], row[2], row[3].encode(), row[4]) for row in claimed]
    early = _before_their_turn(connection, [outcome.outbox_id for outcome in found], besides)
    release_unpublished(connection, sorted(early))
    mine = [outcome for outcome in found if outcome.outbox_id not in early]
    return sorted(mine, key=lambda outcome: outcome.outbox_id)


def _before_their_turn(connection: Connection, claimed: Sequence[int], besides: Collection[int]) -> set[int]:
    """Those of the claimed that follow an outcome of the same command that is not among them and is not out; they
    do not wait for what is passed over."""
    earlier = outbox.alias()
    follows = exists().where(
        earlier.c.command_key == outbox.c.command_key,
        earlier.c.outbox_id < outbox.c.outbox_id,
        earlier.c.outbox_id.not_in([*claimed, *besides]),
        earlier.c.published_at.is_(None),
    )
    early = select(outbox.c.outbox_id).where(outbox.c.outbox_id.in_(claimed), follows)
    return set(connection.execute(early).scalars())


def release_unpublished(connection: Connection, outbox_ids: Sequence[int]) -> None:
    """Gives up claims on outcomes that could not be told, so that the next try need not wait."""
    connection.execute(update(outbox).where(outbox.c.outbox_id.in_(outbox_ids)).values(claimed_until=None))


def mark_published(connection: Connection, outbox_ids: Sequence[int], now: datetime) -> None:
    """Notes that the broker has these for good."""
    connection.execute(update(outbox).where(outbox.c.outbox_id.in_(outbox_ids)).values(published_at=now))
