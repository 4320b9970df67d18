"""The tables that the peers write: text keys, indexes for every question that is asked of a buffer.

They are the program's own as of November 2026, and stay so: a yardstick does not move. Of the tables that a peer only
reads, at its start, there is what it reads.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    text,
)

metadata = MetaData()
UNSEALED = ("buffered", "held")
_Moment = DateTime(timezone=True)


def _some(name: str, *columns: str, where: str) -> Index:
    """An index of the rows that meet the condition alone."""
    return Index(name, *columns, postgresql_where=text(where))


tardy_versions = Table(
    "tardy_versions",
    metadata,
    Column("district_id", String(64), primary_key=True),
    Column("tardy_id", String(64), primary_key=True),
    Column("version", BigInteger, primary_key=True, autoincrement=False),
    Column("type", String(32), nullable=False),
    Column("document", Text),
    Column("content_hash", String(64), nullable=False),
    Column("message_id", Text),
    Column("source", Text),
    Column("traceparent", Text),
    Column("received_at", _Moment, nullable=False),
    Column("taken_back_at", _Moment),
    Column("taken_back_by", Text),
    Column("take_back_reason", Text),
    _some(
        "ix_tardy_versions_kept",
        "received_at",
        "district_id",
        "tardy_id",
        "version",
        where="document IS NOT NULL",
    ),
)

tardies = Table(
    "tardies",
    metadata,
    Column("district_id", String(64), primary_key=True),
    Column("tardy_id", String(64), primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("voided", Boolean, nullable=False),
    Column("school_id", String(64), nullable=False),
    Column("behavior_code", String(64)),
    Column("occurred_at", _Moment),
    Column("student_id", Text),
    Column("changes", Integer, nullable=False),
    Column("first_received_at", _Moment, nullable=False),
    Index("ix_tardies_routing", "district_id", "school_id", "occurred_at"),
)

entries = Table(
    "entries",
    metadata,
    Column("export_id", String(63), primary_key=True),
    Column("district_id", String(64), primary_key=True),
    Column("tardy_id", String(64), primary_key=True),
    Column("version", BigInteger, primary_key=True, autoincrement=False),
    Column("ordinal", Integer, primary_key=True, autoincrement=False),
    Column("state", String(16), nullable=False),
    Column("reason_code", String(32)),
    Column("reason", Text),
    Column("sort_at", _Moment),
    Column("action", String(8)),
    Column("run_id", String(32)),
    Column("line", Integer),
    Column("row_values", Text),
    Column("judged", Boolean, nullable=False),
    Column("buffered_at", _Moment, nullable=False),
    Column("settled_at", _Moment),
    Column("released", Boolean, nullable=False, server_default=text("false")),
    Column("sis_waits", String(8)),
    Column("later_at", _Moment),
    Column("later_times", Integer),
    Column("collapse_key", String(32)),
    Index("ix_entries_state", "export_id", "state"),
    _some("ix_entries_collapse", "export_id", "collapse_key", where="collapse_key IS NOT NULL"),
    _some(
        "ix_entries_unsealed",
        "export_id",
        "sort_at",
        "tardy_id",
        "version",
        "ordinal",
        where="state IN ('buffered', 'held')",
    ),
    Index("ix_entries_tardy", "district_id", "tardy_id"),
    _some("ix_entries_later", "export_id", "later_at", where="later_at IS NOT NULL"),
    _some("ix_entries_run", "run_id", "line", where="run_id IS NOT NULL"),
    _some("ix_entries_unjudged", "export_id", where="NOT judged"),
)

definitions = Table(
    "definitions",
    metadata,
    Column("export_id", String(63), primary_key=True),
    Column("district_id", String(64), nullable=False),
    Column("state", String(16), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("backfill_from", Date, nullable=False),
)

definition_revisions = Table(
    "definition_revisions",
    metadata,
    Column("export_id", String(63), primary_key=True),
    Column("revision", Integer, primary_key=True, autoincrement=False),
    Column("document", JSON, nullable=False),
)

reference_versions = Table(
    "reference_versions",
    metadata,
    Column("kind", String(16), primary_key=True),
    Column("district_id", String(64), primary_key=True),
    Column("school_id", String(64), primary_key=True),
    Column("item_id", String(64), primary_key=True),
    Column("version", BigInteger, primary_key=True, autoincrement=False),
    Column("document", Text, nullable=False),
)
