"""`writeback codes`: what the SIS calls each behavior code, who says so, and the administrator's own word."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from worker.cli.acts import reason_option, tell
from worker.cli.printing.output import confirm, json_option, yes_option
from worker.cli.session import WORD, ruled, who, with_database, with_new_database

if TYPE_CHECKING:
    from worker.bootstrap import Program
    from worker.views.reference.spoken_codes import CodePlace

_code = click.argument("code", type=WORD, metavar="CODE")
_school = click.option(
    "--school", "school_id", type=WORD, metavar="ID", help="Only at this school (else at every school)."
)
_district = click.option(
    "--district", "district_id", type=WORD, metavar="ID", help="Needed where there are several."
)


@click.group(short_help="What the SIS calls each behavior code.")
def codes() -> None:
    """Behavior codes and what the SIS calls them: their External Reference Codes.

    The behavior system publishes them. Where it says nothing, or the wrong thing, `map` puts your own word in its
    place, until `unmap`.
    """


@codes.command("list")
@click.option("--missing", is_flag=True, help="Only codes without an External Reference Code.")
@click.option(
    "--history", is_flag=True, help="Instead: every word of an administrator, also those that ended."
)
@_district
@json_option
@with_database
def list_codes(
    program: Program, missing: bool, history: bool, district_id: str | None, as_json: bool
) -> None:
    """The codes that are known, and what waits for each.

    Known is what the behavior system has published, what an administrator has mapped, and what tardies and
    definitions name although nobody has described it. WAITING are entries held because the code is not known or has
    no External Reference Code; they go by themselves with the next run once it has one.

    JSON: district_id, code, school_id (null: every school without its own), external_reference_code (what goes out
    today), never_send, lacks_reference, source (administrator, published, nobody), published (name,
    external_reference_code, version, received_at) or null, mapping (as with --history) or null, waiting,
    not_required, tardies, exports (those that name it). With --history: district_id, code, school_id,
    external_reference_code, never_send, mapped_at, mapped_by, reason, ended_at, ended_by, end_reason.
    """
    from worker.cli.known.codes_shown import show_codes, show_history

    if history:
        show_history(program, district_id, as_json=as_json)
    else:
        show_codes(program, district_id, missing=missing, as_json=as_json)


def _one_meaning(*, reference: str | None, never_send: bool, **_: object) -> str | None:
    if (reference is None) != never_send:
        return "give either the SIS's own code or --never-send"
    return None


@codes.command("map")
@_code
@click.argument("reference", type=WORD, metavar="[SIS_CODE]", required=False)
@click.option("--never-send", is_flag=True, help="Tardies with this code are not sent at all.")
@_school
@_district
@reason_option(required=True)
@yes_option
@json_option
@ruled(_one_meaning)
@with_new_database
def map_one(
    program: Program,
    code: str,
    reference: str | None,
    never_send: bool,
    school_id: str | None,
    district_id: str | None,
    reason: str,
    yes: bool,
    as_json: bool,
) -> None:
    """Say what the SIS calls a code, or that it is never sent.

    Your word counts before whatever the behavior system publishes, also what it publishes later, until `unmap`. A
    word for one school counts there before one for every school. What waits for the code is judged again at once
    and goes with the next run; what was delivered already stays as it is. A code may be mapped before it is known.

    JSON: district_id, code, school_id, external_reference_code, never_send, mapped, changed, judged_again, exports.
    """
    from worker.actions.codes import map_code

    meaning = {"never_send": True} if reference is None else {"external_reference_code": reference}
    place = _place(program, "code.map", code, school_id, district_id, reason=reason, **meaning)
    what = "never sent" if reference is None else f"{reference} in the SIS"
    confirm(f"{place} is {what} from now on, whatever the behavior system says?", yes=yes)
    now = program.clock()
    tell(map_code(program.database, place, reference, who=who(), reason=reason, now=now), as_json=as_json)


@codes.command("unmap")
@_code
@_school
@_district
@reason_option(required=True)
@yes_option
@json_option
@with_database
def unmap_one(
    program: Program,
    code: str,
    school_id: str | None,
    district_id: str | None,
    reason: str,
    yes: bool,
    as_json: bool,
) -> None:
    """Take your word on a code back.

    What the behavior system publishes counts again. What was not required because the code was never sent is judged
    again at once.

    JSON: district_id, code, school_id, external_reference_code, never_send, mapped, changed, judged_again, exports.
    """
    from worker.actions.codes import unmap_code

    place = _place(program, "code.unmap", code, school_id, district_id, reason=reason)
    confirm(f"{place} is what the behavior system says from now on?", yes=yes)
    now = program.clock()
    tell(unmap_code(program.database, place, who=who(), reason=reason, now=now), as_json=as_json)


def _place(
    program: Program, kind: str, code: str, school_id: str | None, district_id: str | None, **more: object
) -> CodePlace:
    """The place, with everything checked as the command's own schema checks it. Raises RefusedError."""
    from worker.actions.codes import place_meant
    from worker.cli.asking import command_of

    place = place_meant(program.database, code, school_id, district_id)
    data = {"district_id": place.district_id, "code": code, "school_id": school_id}
    command_of(kind, data | more)
    return place
