"""`writeback codes map` and `unmap`: asked on a terminal, then done as the command of the same name would."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from sqlalchemy import Connection

from worker.actions.codes import map_code, unmap_code
from worker.bootstrap import Program
from worker.cli.asking import command_of
from worker.cli.printing.output import (
    confirm,
    counted,
    emit_line,
    emit_object,
)
from worker.cli.session import who
from worker.errors import RefusedError
from worker.store.queries.known_reference import districts
from worker.views.spoken_codes import CodePlace, CodeSpoken, spoken_shape


def map_code_here(
    program: Program,
    code: str,
    reference: str | None,
    school_id: str | None,
    district_id: str | None,
    reason: str,
    *,
    yes: bool,
    as_json: bool,
) -> None:
    """Puts this person's word in force. Raises RefusedError (not confirmed, not right), UnavailableError."""
    meaning: dict[str, Any] = (
        {"never_send": True} if reference is None else {"external_reference_code": reference}
    )
    place = _place(program, "code.map", code, school_id, district_id, reason, **meaning)
    what = "never sent" if reference is None else f"{reference} in the SIS"
    confirm(f"{place} is {what} from now on, whatever the behavior system says?", yes=yes)
    act = partial(map_code, place=place, reference=reference, who=who(), reason=reason, now=program.clock())
    _tell(_done(program, act), as_json=as_json)


def unmap_code_here(
    program: Program,
    code: str,
    school_id: str | None,
    district_id: str | None,
    reason: str,
    *,
    yes: bool,
    as_json: bool,
) -> None:
    """Takes a word back. Raises RefusedError (not confirmed, there is none), UnavailableError."""
    place = _place(program, "code.unmap", code, school_id, district_id, reason)
    confirm(f"{place} is what the behavior system says from now on?", yes=yes)
    act = partial(unmap_code, place=place, who=who(), reason=reason, now=program.clock())
    _tell(_done(program, act), as_json=as_json)


def _place(
    program: Program,
    kind: str,
    code: str,
    school_id: str | None,
    district_id: str | None,
    reason: str,
    **more: Any,
) -> CodePlace:
    """The place, with everything checked as the command's own schema checks it. Raises RefusedError."""
    district = district_id or _only_district(program)
    data = {"district_id": district, "code": code, "school_id": school_id, "reason": reason, **more}
    command_of(kind, data)
    return CodePlace(district, code, school_id)


def _only_district(program: Program) -> str:
    """The district meant where none is named. Raises RefusedError where there are several."""
    with program.database.read() as connection:
        known = districts(connection)
    if len(known) > 1:
        raise RefusedError(f"there are several districts ({', '.join(known)}); name one with --district")
    return known[0] if known else "default"


def _done(program: Program, act: Callable[[Connection], CodeSpoken]) -> CodeSpoken:
    for attempt in program.database.retrying():
        with attempt, program.database.write() as connection:
            spoken = act(connection)
    return spoken


def _tell(spoken: CodeSpoken, *, as_json: bool) -> None:
    if as_json:
        emit_object(spoken_shape(spoken))
        return
    emit_line(f"{spoken.place} {_meaning(spoken)}")


def _meaning(spoken: CodeSpoken) -> str:
    if not spoken.changed:
        return "is mapped so already; nothing was changed"
    entries = counted(spoken.judged_again, "entry", "entries")
    if not spoken.mapped:
        return f"is what the behavior system says again; {entries} judged again"
    if spoken.external_reference_code is None:
        return f"is never sent from now on; {entries} judged again"
    return f"is {spoken.external_reference_code} in the SIS; {entries} judged again, to go with the next run"
