"""Tardies as they arrived, their entries in each export, and what people decided about these."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)

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
_UNSEALED = "state IN ('buffered', 'held')"
_ENDED = "state NOT IN ('buffered', 'held', 'sealed', 'delivered')"
IS_UNSEALED = text(f"entry_rows.{_UNSEALED}")
"""SQL, as the index says it; so is the next."""
IS_ENDED = text(f"entry_rows.{_ENDED}")

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
    Column("tardy", Number, primary_key=True),  # a number of this database's, which never leaves it
    Column("district_id", String(ID), nullable=False),
    Column("tardy_id", String(ID), nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("voided", Boolean, nullable=False),
    Column("school_id", String(ID), nullable=False),
    Column("behavior_code", String(ID)),
    Column("occurred_at", Instant),
    Column("student_id", Text),
    Column("changes", Integer, nullable=False),  # how often another version replaced the head
    Column("first_received_at", Instant, nullable=False),
    UniqueConstraint("district_id", "tardy_id", name="ux_tardies_name"),
    Index("ix_tardies_routing", "district_id", "school_id", "occurred_at"),
    sqlite_autoincrement=True,  # a head that is taken back leaves its number to nobody
)
"""Each tardy's head: its highest version that counts."""

entry_rows = Table(
    "entry_rows",
    metadata,
    Column("tardy", BigInteger, primary_key=True, autoincrement=False),
    Column("export", Integer, primary_key=True, autoincrement=False),
    Column("version", BigInteger, primary_key=True),
    Column("ordinal", Integer, primary_key=True, autoincrement=False),  # a version may come to matter twice
    Column("state", String(16), nullable=False),
    Column("judged", Boolean, nullable=False),  # False: the state says nothing yet of what a seal would do
    # A person has decided: it may go; or, of a refused row, what becomes of it.
    Column("released", Boolean, nullable=False, server_default=false()),
    Column("sort_at", Instant),  # occurred_at of the version: the order of rows in a file
    Column("buffered_at", Instant, nullable=False),
    Column("settled_at", Instant),
    Column("run_id", String(32)),
    Column("line", Integer),
    Column("action", String(8)),
    Column("row_values", Text),  # JSON list, one value a field of the pinned revision; None once purged
    Column("reason_code", String(32)),
    Column("reason", Text),
    # What an SIS that takes records left open: later (it does not take it yet) | half (it has let go of the old record
    # and not taken the new one) | unknown (it may have it: only a person can tell, whatever version comes next).
    Column("sis_waits", String(8)),
    Column("later_at", Instant),  # when it is looked at again
    Column("later_times", Integer),  # how often it has been put off
    # What it competes under where the definition collapses; None: not judged yet.
    Column("collapse_key", String(32)),
    partial_index(
        "ix_entry_rows_unsealed",
        "export",
        "state",
        "judged",
        "sort_at",
        "tardy",
        "version",
        "ordinal",
        where=_UNSEALED,
    ),
    partial_index("ix_entry_rows_ended", "export", "state", where=_ENDED),
    partial_index("ix_entry_rows_run", "run_id", "line", where="run_id IS NOT NULL"),
    partial_index("ix_entry_rows_collapse", "export", "collapse_key", where="collapse_key IS NOT NULL"),
    partial_index("ix_entry_rows_later", "export", "later_at", where="later_at IS NOT NULL"),
)
"""One version of a tardy in one export, and what has become of it. `docs/glossary.md` draws its states.

Whatever is written goes here; what people read by name is the view over it, `entries`."""

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
    Index("ix_quiet_days_day", "day"),
)
"""Days in session on which an export got nothing at all."""
