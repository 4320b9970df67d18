"""`writeback tardies take-back`: asked on a terminal, then done."""

from __future__ import annotations

from typing import Any

from worker.actions.tardies import TakenBack, take_back
from worker.bootstrap import Program
from worker.cli.printing.output import confirm, emit_line, emit_object
from worker.cli.session import who


def take_back_here(
    program: Program,
    tardy_id: str,
    version: int,
    reason: str,
    district: str | None,
    *,
    yes: bool,
    as_json: bool,
) -> None:
    """Takes the version back. Raises RefusedError (not confirmed, it cannot be), UnavailableError."""
    confirm(f"Take version {version} of tardy {tardy_id} back, for good?", yes=yes)
    for attempt in program.database.retrying():
        with attempt, program.database.write() as connection:
            taken = take_back(
                connection,
                tardy_id,
                version,
                district_id=district,
                who=who(),
                reason=reason,
                now=program.clock(),
            )
    if as_json:
        emit_object(_shape(taken))
    else:
        emit_line(_said(taken))


def _said(taken: TakenBack) -> str:
    said = f"version {taken.version} of tardy {taken.tardy_id} is taken back"
    if taken.in_force is None:
        return f"{said}; no version is left: the next that comes is the tardy's first"
    judged = f", to be judged again in {', '.join(taken.exports)}" if taken.exports else ""
    return f"{said}; version {taken.in_force} counts again{judged}"


def _shape(taken: TakenBack) -> dict[str, Any]:
    names = ("district_id", "tardy_id", "version", "in_force")
    return {name: getattr(taken, name) for name in names} | {"exports": list(taken.exports)}
