"""Tardies as they arrived, their entries in each export, and what people decided about these."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Date, Index, Integer, String, Table, Text, false, text

from worker.store.database.column_types import Instant
from worker.store.database.tables.table_parts import ID, KEY, Number, metadata, partial_index

ENTRY_STATES = (
    "buffered",
    "held",
    "sealed",
    "delivered",
    "refused",
    "cancelled",
    "superseded",
    "ignored",
    "dismissed",
    "collapsed",
    "not_required",
)
UNSEALED = ("buffered", "held")
IS_UNSEALED = text("entries.state IN ('buffered', 'held')")
"""SQL, as the index says it."""

tardy_versions = Table(
    "tardy_versions",
    metadata,
    Column("district_id", String(ID), primary_key=True),
    Column("tardy_id", String(ID), primary_key=True),
    Column("version", BigInteger, primary_key=True),
    Column("type", String(32), nullable=False),
    Column("document", Text),  # None once purged
    Column("content_hash", String(64), nullable=False),
    Column("message_id", Text),
    Column("source", Text),
    Column("traceparent", Text),
    Column("received_at", Instant, nullable=False),
    # When, by whom and why a person took it back; None: it counts. The highest that counts is the tardy's newest.
    Column("taken_back_at", Instant),
    Column("taken_back_by", Text),
    Column("take_back_reason", Text),
    # What the purge walks: the oldest whose data is still there.
    partial_index(
        "ix_tardy_versions_kept",
        "received_at",
        "district_id",
        "tardy_id",
        "version",
        where="document IS NOT NULL",
    ),
)
"""Every version of every tardy as it arrived."""

tardies = Table(
    "tardies",
    metadata,
    Column("district_id", String(ID), primary_key=True),
    Column("tardy_id", String(ID), primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("voided", Boolean, nullable=False),
    Column("school_id", String(ID), nullable=False),
    Column("behavior_code", String(ID)),
    Column("occurred_at", Instant),
    Column("student_id", Text),
    Column("changes", Integer, nullable=False),  # how often another version replaced the head
    Column("first_received_at", Instant, nullable=False),
    Index("ix_tardies_routing", "district_id", "school_id", "occurred_at"),
)
"""Each tardy's head: its highest version that counts."""

entries = Table(
    "entries",
    metadata,
    Column("export_id", String(KEY), primary_key=True),
    Column("district_id", String(ID), primary_key=True),
    Column("tardy_id", String(ID), primary_key=True),
    Column("version", BigInteger, primary_key=True),
    Column("ordinal", Integer, primary_key=True, autoincrement=False),  # a version may come to matter twice
    Column("state", String(16), nullable=False),
    Column("reason_code", String(32)),
    Column("reason", Text),
    Column("sort_at", Instant),  # occurred_at of the version: the order of rows in a file
    Column("action", String(8)),
    Column("run_id", String(32)),
    Column("line", Integer),
    Column("row_values", Text),  # JSON list, one value a field of the pinned revision; None once purged
    Column("judged", Boolean, nullable=False),  # False: the state says nothing yet of what a seal would do
    Column("buffered_at", Instant, nullable=False),
    Column("settled_at", Instant),
    # A person has decided: it may go; or, of a refused row, what becomes of it.
    Column("released", Boolean, nullable=False, server_default=false()),
    # What an SIS that takes records left open: later (it does not take it yet) | half (it has let go of the old record
    # and not taken the new one) | unknown (it may have it: only a person can tell, whatever version comes next).
    Column("sis_waits", String(8)),
    Column("later_at", Instant),  # when it is looked at again
    Column("later_times", Integer),  # how often it has been put off
    # What it competes under where the definition collapses; None: not judged yet.
    Column("collapse_key", String(32)),
    Index("ix_entries_state", "export_id", "state"),
    partial_index("ix_entries_collapse", "export_id", "collapse_key", where="collapse_key IS NOT NULL"),
    partial_index(
        "ix_entries_unsealed",
        "export_id",
        "sort_at",
        "tardy_id",
        "version",
        "ordinal",
        where="state IN ('buffered', 'held')",
    ),
    Index("ix_entries_tardy", "district_id", "tardy_id"),
    partial_index("ix_entries_later", "export_id", "later_at", where="later_at IS NOT NULL"),
    partial_index("ix_entries_run", "run_id", "line", where="run_id IS NOT NULL"),
    # What is not judged is unsealed. (SQLAlchemy writes `judged = 0` on SQLite, `NOT judged` on PostgreSQL.)
    partial_index("ix_entries_unjudged", "export_id", where="judged = 0", postgresql="NOT judged"),
)
"""One version of a tardy in one export, and what has become of it. `docs/glossary.md` draws its states."""

decisions = Table(
    "decisions",
    metadata,
    Column("decision_id", Number, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("who", Text, nullable=False),
    Column("decision", String(16), nullable=False),  # release | dismiss
    Column("reason", Text, nullable=False),
    Column("export_id", String(KEY), nullable=False),
    Column("district_id", String(ID), nullable=False),
    Column("tardy_id", String(ID), nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("ordinal", Integer, nullable=False),
    Column("was", Text),  # why the entry was held or refused
    Index("ix_decisions_tardy", "district_id", "tardy_id"),
)
"""What a person has decided about an entry that was held, or that the SIS refused."""

quiet_days = Table(
    "quiet_days",
    metadata,
    Column("export_id", String(KEY), primary_key=True),
    Column("day", Date, primary_key=True),  # local, of the schedule's zone: in session, and no tardy at all
    Column("noticed_at", Instant, nullable=False),
)
"""Days in session on which an export got nothing at all."""
