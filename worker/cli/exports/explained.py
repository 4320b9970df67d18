"""`writeback exports explain`: would this tardy go, as what row, and if not, why?"""

from __future__ import annotations

import sys
from pathlib import Path

from schemas.messages.envelope import MAX_BODY, read_envelope
from schemas.messages.events import TardyVersion, load_event
from schemas.rejections import RejectedError, shown
from worker.bootstrap import Program
from worker.cli.printing.output import Column, emit, emit_object, emit_table, emit_wrapped
from worker.errors import RefusedError
from worker.views.exports.explanation import Explanation, explanation

_STANDARD_INPUT = "-"
_BOM = b"\xef\xbb\xbf"
_COLUMNS = [Column("COLUMN"), Column("FIELD"), Column("VALUE", prose=True)]
_SAID = {True: "ok", False: "no", None: "-"}


def explain_event(program: Program, export_id: str, file: str, *, as_json: bool) -> None:
    """Prints what the definition makes of the event. Raises RefusedError: no such export, or no event of a tardy."""
    found = explanation(program.database, export_id, _event(file), program.clock())
    if as_json:
        emit_object(found.shape)
    else:
        _print(found)


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


def _print(found: Explanation) -> None:
    emit_wrapped(found.title)
    emit_wrapped(found.answer)
    if found.leaves is not None:
        emit_wrapped(found.leaves)
    if found.in_sis is not None:
        emit_wrapped(found.in_sis)
    emit("")
    width = max(len(clause.name) for clause in found.clauses)
    for clause in found.clauses:
        lead = f"{_SAID[clause.passes]:<4}{clause.name:<{width}}  "
        emit_wrapped(f"{lead}{clause.detail}", hanging=len(lead))
    if found.columns:
        emit("")
        rows = [
            (
                it.header,
                it.field or "constant",
                f"(cannot be written: {it.problem})" if it.problem is not None else it.value,
            )
            for it in found.columns
        ]
        emit_table(_COLUMNS, rows, empty="")
