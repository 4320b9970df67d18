"""`writeback exports explain`: would this tardy go, as what row, and if not, why?"""

from __future__ import annotations

import sys
from pathlib import Path

from schemas.messages.envelope import MAX_BODY, read_envelope
from schemas.messages.events import TardyVersion, load_event
from schemas.rejections import RejectedError, shown
from worker.bootstrap import Program
from worker.cli.printing.output import (
    Column,
    emit,
    emit_object,
    emit_table,
    emit_wrapped,
)
from worker.core.cases import ColumnValue
from worker.core.clauses import Clause
from worker.errors import RefusedError
from worker.store.queries.explaining import Explained, explain
from worker.views.explanation import answer_told, explained_shape, leaving

_STANDARD_INPUT = "-"
_BOM = b"\xef\xbb\xbf"
_SAID = {True: "ok", False: "no", None: "-"}


def explain_event(program: Program, export_id: str, file: str, *, as_json: bool) -> None:
    """Prints what the definition makes of the event. Raises RefusedError: no such export, or no event of a tardy."""
    event = _event(file)
    with program.database.read() as connection:
        found = explain(connection, export_id, event, program.clock())
    if as_json:
        emit_object(explained_shape(found, event))
    else:
        _print(found, event)


def _event(file: str) -> TardyVersion:
    name = "standard input" if file == _STANDARD_INPUT else file
    try:
        event = load_event(read_envelope(_body(file).removeprefix(_BOM)))
    except RejectedError as error:
        raise RefusedError(f"{name}: it would be parked as {error.code}: {error.reason}") from None
    except OSError as error:
        raise RefusedError(f"{name}: it cannot be read: {error.strerror}") from None
    if not isinstance(event, TardyVersion):
        raise RefusedError(
            f"{name}: it is a {shown(event.kind)}.saved; explained are tardy.recorded, tardy.amended, tardy.voided"
        )
    return event


def _body(file: str) -> bytes:
    if file == _STANDARD_INPUT:
        return sys.stdin.buffer.read(MAX_BODY + len(_BOM) + 1)
    with Path(file).open("rb") as stream:
        return stream.read(MAX_BODY + len(_BOM) + 1)


def _print(found: Explained, event: TardyVersion) -> None:
    row = found.export.row
    emit_wrapped(
        f"{event.tardy_id}, version {event.version}, by {row['export_id']} (revision {row['revision']}):"
    )
    emit_wrapped(answer_told(found))
    if (leaves := leaving(found)) is not None:
        emit_wrapped(leaves)
    emit("")
    width = max(len(clause.name) for clause in found.clauses)
    for clause in found.clauses:
        _print_clause(clause, width)
    if found.columns:
        emit("")
        columns = [Column("COLUMN"), Column("FIELD"), Column("VALUE", prose=True)]
        emit_table(columns, [_line(one) for one in found.columns], empty="")


def _print_clause(clause: Clause, width: int) -> None:
    lead = f"{_SAID[clause.passes]:<4}{clause.name:<{width}}  "
    emit_wrapped(f"{lead}{clause.detail}", hanging=len(lead))


def _line(one: ColumnValue) -> tuple[object, ...]:
    value = f"(cannot be written: {one.problem})" if one.problem is not None else one.value
    return (one.header, one.field or "constant", value)
