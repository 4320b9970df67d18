"""What `writeback codes list` prints."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from worker.bootstrap import Program
from worker.cli.printing.output import (
    Column,
    counted,
    emit_list,
    emit_table,
    note,
    spinning,
    when,
)
from worker.store.catalogue.mappings import mappings_said
from worker.views.known_codes import KnownCode, code_shape, known_codes, mapping_shape

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
    _advise(shown)


def _columns(columns: list[Column], *, several: bool) -> list[Column]:
    return [_DISTRICT, *columns] if several else columns


def _line(one: KnownCode, *, several: bool) -> tuple[object, ...]:
    reference = "never sent" if one.never_send else one.external_reference_code or "-"
    district = (one.district_id,) if several else ()
    return (*district, one.code, one.school_id or "every", reference, one.waiting or None, _from(one))


def _from(one: KnownCode) -> str:
    parts = [part for part in (_mapped(one), _published(one), _named(one)) if part]
    if one.not_required:
        parts.append(f"{counted(one.not_required, 'entry', 'entries')} not required")
    return "; ".join(parts)


def _mapped(one: KnownCode) -> str | None:
    if one.mapping is not None:
        return f"{one.mapping['mapped_by']}, {_minute(one.mapping['mapped_at'])}: {one.mapping['reason']}"
    return "mapped for every school" if one.source == "administrator" else None


def _published(one: KnownCode) -> str | None:
    if one.published is None:
        return None
    said = one.published.document.get("external_reference_code")
    other = f" as {said}" if one.source == "administrator" and said else ""
    at = _minute(one.published.received_at)
    return f"published{other}, version {one.published.version}, {at}"


def _named(one: KnownCode) -> str | None:
    """Who names a code that the behavior system has not described."""
    if one.published is not None:
        return None
    named = [counted(one.tardies, "tardy", "tardies")] if one.tardies else []
    named += [f"export {export_id}" for export_id in one.exports]
    return f"not published; named by {', '.join(named)}" if named else "not published"


def _minute(moment: datetime) -> str | None:
    return when(moment.replace(second=0, microsecond=0))


def _advise(codes: Iterable[KnownCode]) -> None:
    lacking = [one for one in codes if one.lacks_reference]
    if lacking:
        waiting = sum(one.waiting for one in lacking)
        note(
            f"{counted(len(lacking), 'code')} without an External Reference Code,"
            f" {counted(waiting, 'entry', 'entries')} waiting: set it in the behavior system, or say it here:"
            " `writeback codes map CODE SIS_CODE --reason WHY`"
        )


def show_history(program: Program, district_id: str | None, *, as_json: bool) -> None:
    """Prints every word of an administrator, in force or not."""
    with program.database.read() as connection:
        said = mappings_said(connection, ended=True)
    said = [row for row in said if district_id in (None, row["district_id"])]
    if as_json:
        emit_list(map(mapping_shape, said))
        return
    several = len({row["district_id"] for row in said}) > 1
    rows = []
    for row in said:
        begun = f"{_minute(row['mapped_at'])} by {row['mapped_by']}: {row['reason']}"
        ended = None
        if row["ended_at"] is not None:
            ended = f"{_minute(row['ended_at'])} by {row['ended_by']}: {row['end_reason']}"
        district = (row["district_id"],) if several else ()
        reference = row["external_reference_code"] or "never sent"
        rows.append((*district, row["code"], row["school_id"] or "every", reference, begun, ended))
    emit_table(_columns(_HISTORY, several=several), rows, empty="no administrator has mapped a code")
