"""What `writeback schools list`, `bells list` and `days list` print."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from worker.bootstrap import Program
from worker.cli.printing.output import (
    Column,
    emit,
    emit_list,
    emit_table,
    emit_wrapped,
    note,
    spinning,
)
from worker.views.reference.known_schools import (
    KnownBells,
    KnownSchool,
    bells_facts,
    bells_shape,
    day_shape,
    known_bells,
    known_days,
    known_schools,
    origin,
    school_origin,
    school_shape,
)
from worker.views.words import counted

_SCHOOLS = [
    Column("SCHOOL"),
    Column("IN THE SIS"),
    Column("ZONE"),
    Column("WAITING", number=True),
    Column("NAME", prose=True),
    Column("FROM", prose=True),
]
_DAYS = [
    Column("SCHOOL"),
    Column("DATE"),
    Column("IN SESSION"),
    Column("FROM", prose=True),
]


def show_schools(program: Program, *, as_json: bool) -> None:
    """Prints every school."""
    with spinning("schools"), program.database.read() as connection:
        found = known_schools(connection)
    if as_json:
        emit_list(map(school_shape, found))
        return
    several = len({one.district_id for one in found}) > 1
    rows = [_school_line(one, several=several) for one in found]
    emit_table(_SCHOOLS, rows, empty="no schools are known")
    undescribed = sum(one.published is None for one in found)
    if undescribed:
        note(
            f"{counted(undescribed, 'school')} not described: the behavior system has to publish school.saved"
        )


def _named(district_id: str, school_id: str, *, several: bool) -> str:
    return f"{district_id}/{school_id}" if several else school_id


def _school_line(one: KnownSchool, *, several: bool) -> tuple[object, ...]:
    document: Mapping[str, Any] = one.published.document if one.published is not None else {}
    return (
        _named(one.district_id, one.school_id, several=several),
        document.get("sis_school_id") or "-",
        document.get("time_zone") or "-",
        one.waiting or None,
        document.get("name") or "-",
        school_origin(one),
    )


def show_bells(program: Program, school_id: str | None, *, missing: bool, as_json: bool) -> None:
    """Prints every bell schedule, of all schools or of one."""
    with program.database.read() as connection:
        found = known_bells(connection, school_id)
    found = [one for one in found if one.lacking or one.published is None or not missing]
    if as_json:
        emit_list(map(bells_shape, found))
        return
    several = len({one.district_id for one in found}) > 1
    for number, one in enumerate(found):
        if number:
            emit("")
        _print_bells(one, _named(one.district_id, one.school_id, several=several))
    if not found:
        emit("no bell schedules are known" if not missing else "no period lacks its External Reference Code")
    lacking = sum(len(one.lacking) for one in found)
    if lacking:
        note(
            f"{counted(lacking, 'period')} without an External Reference Code: set it in the behavior system's"
            " bell schedule"
        )


def _print_bells(one: KnownBells, school: str) -> None:
    if one.published is None:
        entries = counted(one.waiting, "entry waits", "entries wait")
        emit_wrapped(f"school {school}: {entries}, for no single bell schedule applies on their day")
        return
    document = one.published.document
    emit_wrapped(f"school {school}, bell schedule {one.published.item_id}: {document['name']}")
    for name, value in bells_facts(one):
        emit_wrapped(f"  {name.ljust(8)}  {value}", hanging=12)
    names = [period["name"] for period in one.periods]
    width = max(map(len, names), default=0)
    for period in one.periods:
        reference = period.get("external_reference_code") or "-"
        count = one.waiting_by_period[period["name"]]
        waiting = f"  {count} waiting" if count else ""
        emit(f"  {period['name'].ljust(width)}  {period['start']}-{period['end']}  {reference}{waiting}")


def show_days(
    program: Program, school_id: str | None, first: str | None, last: str | None, *, as_json: bool
) -> None:
    """Prints the days between two dates `YYYY-MM-DD`, both included (None: no bound)."""
    with program.database.read() as connection:
        found = known_days(connection, school_id, first, last)
    if as_json:
        emit_list(map(day_shape, found))
        return
    several = len({one.district_id for one in found}) > 1
    rows = [
        (
            _named(one.district_id, one.school_id, several=several),
            one.item_id,
            "yes" if one.document["in_session"] else "no",
            origin(one),
        )
        for one in found
    ]
    emit_table(_DAYS, rows, empty="nobody has said of a day whether it is in session: every day is")
