"""Commands remembered, outcomes on their way to the broker, answers on their way to reply queues."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, String, Table, Text

from worker.store.database.column_types import Instant
from worker.store.database.tables.table_parts import Number, metadata

commands = Table(
    "commands",
    metadata,
    # A hash of source and id (`CommandKey.hash`): both together may be too long for an index.
    Column("key", String(64), primary_key=True),
    Column("source", Text, nullable=False),
    Column("command_id", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("received_at", Instant, nullable=False),
    Column("reply_to", Text),
    Column("correlation_id", Text),
    Index("ix_commands_received", "received_at"),
)
"""What was commanded, remembered so that it is done once."""

outbox = Table(
    "outbox",
    metadata,
    Column("outbox_id", Number, primary_key=True),
    Column("outcome_id", String(32), nullable=False),
    Column("type", String(32), nullable=False),
    Column("body", Text, nullable=False),
    Column("command_key", String(64)),
    Column("command_source", Text),
    Column("command_id", Text),
    Column("reply_to", Text),
    Column("correlation_id", Text),
    Column("created_at", Instant, nullable=False),
    Column("claimed_until", Instant),
    Column("published_at", Instant),
    Index("ix_outbox_unpublished", "published_at", "outbox_id"),
    Index("ix_outbox_command", "command_key"),
)
"""Outcomes that wait for the broker, and those that it has got."""

replies = Table(
    "replies",
    metadata,
    Column("outbox_id", Number, primary_key=True, autoincrement=False),
    Column("queue_key", String(64), nullable=False),  # a hash of its name, which a stranger chose
    Column("tries", Integer, nullable=False),  # how often the broker has refused it
    Column("due_at", Instant, nullable=False),  # in hand, or to be tried again, until then
    Index("ix_replies_queue", "queue_key", "outbox_id"),
)
"""Answers to commands that are still to go to the queue that the command named: apart from the outcome itself, which
does not wait for them. A row ends once its queue has it, is gone, or has been given up."""
