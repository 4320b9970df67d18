"""Export definitions, their revisions, and who did what."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Date,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from worker.store.database.column_types import Instant
from worker.store.database.tables.table_parts import ID, KEY, Number, metadata, partial_index

_CODES = "action IN ('codes-gone', 'codes-back')"
_MISSED = "action IN ('late', 'uncollected')"
IS_OF_CODES = text(f"actions.{_CODES}")
"""SQL, as the index says it; so is the next."""
IS_MISSED = text(f"actions.{_MISSED}")

definitions = Table(
    "definitions",
    metadata,
    Column("export", Integer, primary_key=True),  # a number of this database's, which never leaves it
    Column("export_id", String(KEY), nullable=False),
    Column("district_id", String(ID), nullable=False),
    Column("state", String(16), nullable=False),  # active | retired
    Column("frequency", String(16), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("command_version", BigInteger),
    Column("backfill_from", Date, nullable=False),
    Column("first_saved_at", Instant, nullable=False),
    Column("generation", BigInteger, nullable=False),
    Column("schedule_saved_at", Instant, nullable=False),
    Column("last_slot", Instant),
    Column("next_due_at", Instant),
    Column("next_sequence", Integer, nullable=False),
    Column("paused_at", Instant),
    Column("paused_by", Text),
    Column("pause_reason", Text),
    Column("last_delivered_at", Instant),
    UniqueConstraint("export_id", name="ux_definitions_name"),
    Index("ix_definitions_due", "next_due_at"),
    Index("ix_definitions_generation", "generation"),
    sqlite_autoincrement=True,
)
"""Each export as it stands: which revision is in force, its pause, its due times, its next file's number."""

definition_revisions = Table(
    "definition_revisions",
    metadata,
    Column("export_id", String(KEY), primary_key=True),
    Column("revision", Integer, primary_key=True),
    Column("document", JSON, nullable=False),
    Column("saved_at", Instant, nullable=False),
    Column("saved_by", Text, nullable=False),
    Column("reason", Text),
)
"""Every document of a definition that was saved."""

actions = Table(
    "actions",
    metadata,
    Column("action_id", Number, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("who", Text, nullable=False),
    Column("action", String(32), nullable=False),
    Column("export_id", String(KEY)),
    Column("run_id", String(32)),
    Column("reason", Text),
    Index("ix_actions_export", "export_id", "at"),
    # What the program has noticed: some rows of many, asked for every few seconds.
    partial_index("ix_actions_codes", "export_id", "action_id", where=_CODES),
    partial_index("ix_actions_missed", "at", where=_MISSED),
)
"""Who did what and why."""
