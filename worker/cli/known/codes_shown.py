"""What `writeback codes list` prints."""

from __future__ import annotations

from worker.bootstrap import Program
from worker.cli.printing.output import Column, emit_list, emit_table, note, spinning
from worker.views.reference.known_codes import (
    KnownCode,
    code_shape,
    known_codes,
    mapping_shape,
    mapping_told,
    missing_told,
    said_mappings,
    who_says,
)

_DISTRICT = Column("DISTRICT")
_CODES = [
    Column("CODE"),
    Column("SCHOOL"),
    Column("IN THE SIS"),
    Column("WAITING", number=True),
    Column("FROM", prose=True),
]
_HISTORY = [
    Column("CODE"),
    Column("SCHOOL"),
    Column("IN THE SIS"),
    Column("SAID", prose=True),
    Column("ENDED", prose=True),
]


def show_codes(program: Program, district_id: str | None, *, missing: bool, as_json: bool) -> None:
    """Prints the codes, of all districts or of one."""
    with spinning("codes"), program.database.read() as connection:
        every = [one for one in known_codes(connection) if district_id in (None, one.district_id)]
    shown = [one for one in every if one.lacks_reference or not missing]
    if as_json:
        emit_list(map(code_shape, shown))
        return
    several = len({one.district_id for one in every}) > 1
    rows = (_line(one, several=several) for one in shown)
    nothing = (
        "no behavior code lacks an External Reference Code" if missing else "no behavior codes are known"
    )
    emit_table(_columns(_CODES, several=several), rows, empty=nothing)
    if (missing_codes := missing_told(shown)) is not None:
        note(missing_codes)


def _columns(columns: list[Column], *, several: bool) -> list[Column]:
    return [_DISTRICT, *columns] if several else columns


def _line(one: KnownCode, *, several: bool) -> tuple[object, ...]:
    reference = "never sent" if one.never_send else one.external_reference_code or "-"
    district = (one.district_id,) if several else ()
    return (*district, one.code, one.school_id or "every", reference, one.waiting or None, who_says(one))


def show_history(program: Program, district_id: str | None, *, as_json: bool) -> None:
    """Prints every word of an administrator, in force or not."""
    with program.database.read() as connection:
        said = said_mappings(connection, district_id)
    if as_json:
        emit_list(map(mapping_shape, said))
        return
    several = len({row["district_id"] for row in said}) > 1
    rows = []
    for row in said:
        district = (row["district_id"],) if several else ()
        reference = row["external_reference_code"] or "never sent"
        rows.append((*district, row["code"], row["school_id"] or "every", reference, *mapping_told(row)))
    emit_table(_columns(_HISTORY, several=several), rows, empty="no administrator has mapped a code")
