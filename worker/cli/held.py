"""`writeback held`: entries that wait for something, by reason."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from worker.cli.output import Column, emit_list, emit_table, instant, json_option, when
from worker.cli.session import WORD, with_database

if TYPE_CHECKING:
    from sqlalchemy import RowMapping

    from worker.bootstrap import Program


@click.group(short_help="Entries that wait for something, by reason.")
def held() -> None:
    """Entries that cannot go out as they are; each goes by itself once its cause is gone."""


@held.command("list")
@click.option("--export", "export_id", type=WORD, metavar="ID", help="Only entries of this export.")
@click.option("--entries", is_flag=True, help="Each entry by itself, not how many for each reason.")
@json_option
@with_database
def list_held(program: Program, export_id: str | None, entries: bool, as_json: bool) -> None:
    """What is held, by export and reason.

    How many entries wait for what, and since when the oldest does.

    JSON (always each entry by itself): tardy_id, district_id, version, export_id, school_id, behavior_code,
    since, reason_code, reason.
    """
    from worker.cli.runs_show import known_export
    from worker.store import reading

    with program.database.read() as connection:
        known_export(connection, export_id)
        groups = reading.held_groups(connection, export_id)
    if as_json:
        emit_list(map(_shape, _entries(program, export_id)))
    elif entries:
        emit_table(_ENTRIES, map(_line, _entries(program, export_id)), empty=_EMPTY)
    else:
        emit_table(_GROUPS, map(_group, groups), empty=_EMPTY)


def _entries(program: Program, export_id: str | None) -> Iterator[RowMapping]:
    """Every held entry. A transaction a page: none waits for whoever reads the output."""
    from worker.store import reading

    after: RowMapping | None = None
    while True:
        with program.database.read() as connection:
            page = reading.held_page(connection, export_id, after)
        if not page:
            return
        yield from page
        after = page[-1]


_EMPTY = "nothing is held"
_GROUPS = [Column("EXPORT"), Column("COUNT", number=True), Column("OLDEST"), Column("REASON")]
_ENTRIES = [
    Column("TARDY"),
    Column("EXPORT"),
    Column("SCHOOL"),
    Column("CODE"),
    Column("SINCE"),
    Column("REASON"),
]


def _group(row: RowMapping) -> tuple[object, ...]:
    return (row["export_id"], row["count"], when(row["oldest"]), row["reason"])


def _line(row: RowMapping) -> tuple[object, ...]:
    place = (row["tardy_id"], row["export_id"], row["school_id"], row["behavior_code"])
    return (*place, when(row["buffered_at"]), row["reason"])


def _shape(row: RowMapping) -> dict[str, Any]:
    return {
        "tardy_id": row["tardy_id"],
        "district_id": row["district_id"],
        "version": row["version"],
        "export_id": row["export_id"],
        "school_id": row["school_id"],
        "behavior_code": row["behavior_code"],
        "since": instant(row["buffered_at"]),
        "reason_code": row["reason_code"],
        "reason": row["reason"],
    }
