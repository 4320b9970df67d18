"""What a destination is asked about a row: from its place in its plan."""

from __future__ import annotations

from worker.core.record_plans import Ask
from worker.core.record_rules import Deed
from worker.destinations.record_port import RowDeed


def row_deed(ask: Ask, run_id: str) -> RowDeed:
    """The deed that the run asks for; its key is the same in every attempt."""
    row = ask.row
    before = row.before
    known = before if before is not None and not before.elsewhere else None
    key = f"{run_id}-{row.line}-{ask.step}"
    if ask.deed == "create" or known is None:
        return RowDeed(row.line, Deed(ask.deed), row.properties, key)
    # What is taken back is what was delivered, however a row of today would read.
    properties = known.properties if ask.deed == "delete" and known.properties else row.properties
    return RowDeed(row.line, Deed(ask.deed), properties, key, known.sis_id, known.sis_version)
