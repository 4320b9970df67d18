"""Who is at work, and what stands aside."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, String, Table, Text

from worker.store.database.column_types import Instant
from worker.store.database.tables.table_parts import metadata

consumers = Table(
    "consumers",
    metadata,
    Column("token", String(32), primary_key=True),
    Column("worker", Text, nullable=False),
    Column("heartbeat_at", Instant, nullable=False),
    Column("drained_barrier", BigInteger, nullable=False),
    Column("in_hand", Integer, nullable=False),  # events received and not acknowledged, at the last heartbeat
)
"""Who consumes, and up to which barrier each has put away what came before."""

flushers = Table(
    "flushers",
    metadata,
    Column("worker", String(300), primary_key=True),
    Column("heartbeat_at", Instant, nullable=False),
)
"""Who flushes."""

asides = Table(
    "asides",
    metadata,
    Column("version", String(32), primary_key=True),  # of the program whose workers pass it over
    Column("kind", String(16), primary_key=True),  # export | outcome | task
    Column("thing", String(128), primary_key=True),
    Column("step", String(32), nullable=False),
    Column("reference", String(32), nullable=False),
    Column("error", Text, nullable=False),  # its class; of what this version cannot read, what that is
    Column("since", Instant, nullable=False),
    Column("times", Integer, nullable=False),
    Column("again_at", Instant, nullable=False),
)
"""What workers of a version pass over for a while."""
