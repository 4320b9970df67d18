"""What `writeback held list` prints."""

from __future__ import annotations

from worker.bootstrap import Program
from worker.cli.printing.output import Column, emit_list, emit_table, note
from worker.views.tardies.held_entries import (
    HeldEntry,
    entry_id,
    held_entries,
    held_groups,
)
from worker.views.words import when

_EMPTY = "nothing is held"
_GROUPS = [
    Column("EXPORT"),
    Column("COUNT", number=True),
    Column("ACTION"),
    Column("GOES", prose=True),
    Column("OLDEST"),
    Column("REASON", prose=True),
]
_ENTRIES = [
    Column("ID"),
    Column("ACTION"),
    Column("GOES", prose=True),
    Column("SINCE"),
    Column("REASON", prose=True),
]


def show_held(program: Program, export_id: str | None, *, one_by_one: bool, as_json: bool) -> None:
    """Prints what is held or was refused. Raises RefusedError: there is no such export."""
    if as_json:
        emit_list(one.shape for one in held_entries(program.database, export_id))
        return
    if one_by_one:
        emit_table(_ENTRIES, map(_line, held_entries(program.database, export_id)), empty=_EMPTY)
        return
    groups = held_groups(program.database, export_id)
    emit_table(_GROUPS, map(_group, groups), empty=_EMPTY)
    if groups:
        note("`writeback held list --entries` shows each with its ID, as release and dismiss take it")
    if any(group.lacks_reference_data for group in groups):
        note("`writeback codes list`, `schools list` and `bells list` show what is known and what is missing")


def _group(one: HeldEntry) -> tuple[object, ...]:
    oldest = when(one.row["oldest"], one.zone, seconds=False)
    return (one.row["export_id"], one.row["count"], one.row["action"], one.goes, oldest, one.reason)


def _line(one: HeldEntry) -> tuple[object, ...]:
    since = when(one.row["buffered_at"], one.zone, seconds=False)
    return (entry_id(one.row), one.row["action"], one.goes, since, one.reason)
