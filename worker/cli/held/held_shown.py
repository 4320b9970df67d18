"""What `writeback held list` prints."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import RowMapping

from worker.bootstrap import Program
from worker.cli.printing.output import (
    Column,
    emit_list,
    emit_table,
    instant,
    note,
    when,
)
from worker.cli.runs.runs_shown import known_export
from worker.core.definition import as_far_as_known
from worker.core.judging import BY_POLICY, by_hand
from worker.store.definitions import definitions
from worker.store.queries import listing

_EMPTY = "nothing is held"
_REFERENCE_DATA = ("code-", "school-", "period-")  # codes of reasons that reference data puts right
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
    with program.database.read() as connection:
        known_export(connection, export_id)
        groups = listing.held_groups(connection, export_id)
        zones, tell = {}, {}
        for row in definitions.every(connection, retired=True):
            definition = as_far_as_known(row["export_id"], row["district_id"], row["document"])
            zones[definition.export_id] = definition.schedule.time_zone
            tell[definition.export_id] = definition.tells_action
    if as_json:
        emit_list(_shape(row, tell) for row in _entries(program, export_id))
    elif one_by_one:
        lines = (_line(row, zones, tell) for row in _entries(program, export_id))
        emit_table(_ENTRIES, lines, empty=_EMPTY)
    else:
        emit_table(_GROUPS, (_group(row, zones, tell) for row in groups), empty=_EMPTY)
        if groups:
            note("`writeback held list --entries` shows each with its ID, as release and dismiss take it")
        if any((row["reason_code"] or "").startswith(_REFERENCE_DATA) for row in groups):
            note(
                "`writeback codes list`, `schools list` and `bells list` show what is known and what is missing"
            )


def _entries(program: Program, export_id: str | None) -> Iterator[RowMapping]:
    """Every such entry. A transaction a page: none waits for whoever reads the output."""
    after: RowMapping | None = None
    while True:
        with program.database.read() as connection:
            page = listing.held_page(connection, export_id, after)
        if not page:
            return
        yield from page
        after = page[-1]


def _releasable(row: RowMapping, tell: Mapping[str, bool]) -> bool:
    """Whether `release` would let it go: of a change or void the file must have a column to say so."""
    if _by_hand(row, tell):
        return False
    return row["state"] == "refused" or row["reason_code"] in BY_POLICY


def _goes(row: RowMapping, tell: Mapping[str, bool]) -> str:
    if _releasable(row, tell):
        return "when released"
    policy = row["reason_code"] in BY_POLICY and _by_hand(row, tell)
    never = policy or row["action"] == "void" or row["reason_code"] == "purged"
    return "never: dismiss it" if never else "once put right"


def _by_hand(row: RowMapping, tell: Mapping[str, bool]) -> bool:
    return by_hand(row["action"], tells_action=tell.get(row["export_id"], False)) is not None


def _reason(row: RowMapping) -> str:
    return f"the SIS refused it: {row['reason']}" if row["state"] == "refused" else str(row["reason"])


def _group(row: RowMapping, zones: Mapping[str, str], tell: Mapping[str, bool]) -> tuple[object, ...]:
    oldest = when(row["oldest"], zones.get(row["export_id"], "UTC"), seconds=False)
    return (row["export_id"], row["count"], row["action"], _goes(row, tell), oldest, _reason(row))


def _line(row: RowMapping, zones: Mapping[str, str], tell: Mapping[str, bool]) -> tuple[object, ...]:
    since = when(row["buffered_at"], zones.get(row["export_id"], "UTC"), seconds=False)
    return (entry_id(row), row["action"], _goes(row, tell), since, _reason(row))


def _shape(row: RowMapping, tell: Mapping[str, bool]) -> dict[str, Any]:
    kept = (
        "tardy_id",
        "district_id",
        "version",
        "export_id",
        "school_id",
        "behavior_code",
        "state",
        "action",
        "reason_code",
        "reason",
    )
    return (
        {"id": entry_id(row)}
        | {name: row[name] for name in kept}
        | {"since": instant(row["buffered_at"]), "releasable": _releasable(row, tell)}
    )


def entry_id(row: RowMapping) -> str:
    """An entry as a person names it."""
    return f"{row['export_id']}/{row['tardy_id']}"
