"""`writeback rejected list` and `show`."""

from __future__ import annotations

from collections.abc import Sequence

from worker.bootstrap import Program
from worker.cli.printing.output import (
    Column,
    emit,
    emit_facts,
    emit_list,
    emit_object,
    emit_raw,
    emit_table,
)
from worker.errors import RefusedError
from worker.views.operating.parked_messages import parked_shape, whole_parked_shape

_ALL = 1_000_000


def list_parked(program: Program, codes: Sequence[str], limit: int, *, as_json: bool) -> None:
    """Prints the oldest parked messages."""
    found = [one for one in program.broker.operator().rejected(limit) if not codes or one.code in codes]
    if as_json:
        emit_list(map(parked_shape, found))
        return
    columns = [
        Column("ID"),
        Column("CODE"),
        Column("QUEUE"),
        Column("BYTES", number=True),
        Column("REASON", prose=True),
    ]
    rows = [(one.parked_id, one.code, one.queue, len(one.body), one.reason) for one in found]
    emit_table(columns, rows, empty="no message is parked")


def show_parked(program: Program, parked_id: str, *, body_alone: bool, as_json: bool) -> None:
    """Prints one parked message with its body, or the body's bytes as they are. Raises RefusedError: there is none of
    that id."""
    found = [one for one in program.broker.operator().rejected(_ALL) if one.parked_id == parked_id]
    if not found:
        raise RefusedError(f"not parked: {parked_id} (`writeback rejected list`)")
    one = found[0]
    if body_alone:
        emit_raw(one.body)
        return
    if as_json:
        emit_object(whole_parked_shape(one))
        return
    facts = parked_shape(one) | {f"header {name}": value for name, value in sorted(one.headers.items())}
    emit_facts(list(facts.items()))
    emit("")
    for line in one.body.decode("utf-8", "backslashreplace").split("\n"):
        emit(line)
