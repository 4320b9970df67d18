"""`writeback tardies`: what a person decides about a tardy's versions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from worker.cli.acts import reason_option, tell
from worker.cli.printing.output import confirm, json_option, yes_option
from worker.cli.session import WORD, who, with_database

if TYPE_CHECKING:
    from worker.bootstrap import Program


@click.group(short_help="Take a version of a tardy back.")
def tardies() -> None:
    """What a person decides about a tardy's versions.

    The highest version wins, whatever came later. `writeback trace` shows a tardy's versions and which had no effect.
    """


@tardies.command()
@click.argument("tardy_id", type=WORD)
@click.option("--version", type=click.IntRange(min=1), required=True, help="Its newest version.")
@reason_option(required=True)
@click.option(
    "--district", type=WORD, metavar="ID", help="Its district, where more than one has such a tardy."
)
@yes_option
@json_option
@with_database
def take_back(
    program: Program,
    tardy_id: str,
    version: int,
    reason: str,
    district: str | None,
    yes: bool,
    as_json: bool,
) -> None:
    """Take a tardy's newest version back, for good.

    For a number far too high that came in by mistake. The highest version left counts again, also one that came
    later and had no effect; with none left, the next that comes is the tardy's first. The version taken back stays
    on record: when it comes once more it changes nothing. Refused once something of it is in a run, delivered,
    refused by the SIS or dismissed: then a version above it puts it right.

    JSON: district_id, tardy_id, version, in_force (the version that counts now, or null), exports.
    """
    from worker.actions.tardies import take_back

    confirm(f"Take version {version} of tardy {tardy_id} back, for good?", yes=yes)
    taken = take_back(
        program.database,
        tardy_id,
        version,
        district_id=district,
        who=who(),
        reason=reason,
        now=program.clock(),
    )
    tell(taken, as_json=as_json)
