"""Entries by the names of their export and tardy, for whoever only reads: a view over `entry_rows`.

Who writes, counts, pages through a run, or must not wait (intake, sealing) names `entry_rows`: through a view neither
planner finds every index, and a condition in a subquery is not asked again of a row that was waited for.
"""

from __future__ import annotations

from sqlalchemy import Column, MetaData, String, Table

from worker.store.database.tables.entry_tables import entry_rows
from worker.store.database.tables.table_parts import ID, KEY

entries = Table(
    "named_entries",
    MetaData(),  # apart from the tables: nothing creates or compares it as one
    Column("export_id", String(KEY), nullable=False),
    Column("district_id", String(ID), nullable=False),
    Column("tardy_id", String(ID), nullable=False),
    *(Column(column.name, column.type, nullable=column.nullable) for column in entry_rows.c),
)
"""Its columns and, as their names, `export_id`, `district_id` and `tardy_id`. Migrations make it: by a name that no
table ever had, so that a worker of a version before finds none and waits."""
