"""The tables, by room. `docs/design.md` tells what each is for; migrations under `migrations/` create them.

One MetaData (`table_parts.metadata`) has them all once this package is imported.
"""

from worker.store.database.tables.catalogue_tables import (
    catalogue,
    code_mappings,
    program_versions,
    reference_versions,
)
from worker.store.database.tables.definition_tables import (
    IS_MISSED,
    IS_OF_CODES,
    actions,
    definition_revisions,
    definitions,
)
from worker.store.database.tables.entry_tables import (
    ENTRY_STATES,
    IS_ENDED,
    IS_UNSEALED,
    UNSEALED,
    decisions,
    entry_rows,
    quiet_days,
    tardies,
    tardy_versions,
)
from worker.store.database.tables.entry_view import entries
from worker.store.database.tables.message_tables import commands, outbox, replies
from worker.store.database.tables.run_tables import (
    IS_UNSWEPT,
    attempts,
    marked_places,
    receipts,
    run_requests,
    runs,
)
from worker.store.database.tables.table_parts import metadata
from worker.store.database.tables.worker_tables import asides, consumers, flushers

__all__ = [
    "ENTRY_STATES",
    "IS_ENDED",
    "IS_MISSED",
    "IS_OF_CODES",
    "IS_UNSEALED",
    "IS_UNSWEPT",
    "UNSEALED",
    "actions",
    "asides",
    "attempts",
    "catalogue",
    "code_mappings",
    "commands",
    "consumers",
    "decisions",
    "definition_revisions",
    "definitions",
    "entries",
    "entry_rows",
    "flushers",
    "marked_places",
    "metadata",
    "outbox",
    "program_versions",
    "quiet_days",
    "receipts",
    "reference_versions",
    "replies",
    "run_requests",
    "runs",
    "tardies",
    "tardy_versions",
]
