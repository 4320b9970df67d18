"""Reference data in force and before, and what counts the changes."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, String, Table, Text

from worker.store.database.column_types import Instant
from worker.store.database.tables.table_parts import ID, Number, metadata, partial_index

catalogue = Table(
    "catalogue",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("generation", BigInteger, nullable=False),
    Column("barrier", BigInteger, nullable=False),
    Column("installation", String(32)),  # its random id, which stands in the folders it writes to
)
"""One row: what a save counts up (`generation`), what a run-now counts up (`barrier`), and whose database it is."""

program_versions = Table(
    "program_versions",
    metadata,
    Column("version", String(32), primary_key=True),
)
"""The versions of the program that have done here what a version does once."""

reference_versions = Table(
    "reference_versions",
    metadata,
    Column("kind", String(16), primary_key=True),
    Column("district_id", String(ID), primary_key=True),
    Column("school_id", String(ID), primary_key=True),  # "": every school
    Column("item_id", String(ID), primary_key=True),
    Column("version", BigInteger, primary_key=True),
    Column("document", Text, nullable=False),
    Column("content_hash", String(64), nullable=False),
    Column("generation", BigInteger, nullable=False),
    Column("received_at", Instant, nullable=False),
    Index("ix_reference_versions_generation", "generation"),
    Index("ix_reference_versions_school", "district_id", "school_id", "kind"),
)
"""Codes, schools, bell schedules, school days as published: every version is kept, the highest is in force."""

code_mappings = Table(
    "code_mappings",
    metadata,
    Column("mapping_id", Number, primary_key=True),
    Column("district_id", String(ID), nullable=False),
    Column("school_id", String(ID), nullable=False),  # "": every school
    Column("code", String(ID), nullable=False),
    Column("external_reference_code", Text),  # None: never sent
    Column("mapped_at", Instant, nullable=False),
    Column("mapped_by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    # When, by whom and why it was unmapped, or replaced by another word; None: in force.
    Column("ended_at", Instant),
    Column("ended_by", Text),
    Column("end_reason", Text),
    # One word on a code of a school at a time.
    partial_index(
        "ux_code_mappings_in_force", "district_id", "school_id", "code", where="ended_at IS NULL", unique=True
    ),
)
"""The administrator's word on a code, with who, when and why, and who ended it."""
