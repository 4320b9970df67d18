"""`writeback held`: entries that wait for something, and what a person decides about them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from worker.cli.acts import reason_option, tell
from worker.cli.printing.output import confirm, json_option, yes_option
from worker.cli.session import WORD, who, with_database

if TYPE_CHECKING:
    from worker.actions.entries import Decision
    from worker.bootstrap import Program

_NAMED = 5  # ids in a question


def _deciding(command: Callable[..., None]) -> Callable[..., None]:
    """What every decision is given."""
    ids = click.argument("ids", nargs=-1, required=True, metavar="ID…", type=WORD)
    return ids(reason_option(required=True)(yes_option(json_option(with_database(command)))))


def _decide(
    program: Program,
    decision: Decision,
    question: str,
    *,
    ids: tuple[str, ...],
    reason: str,
    yes: bool,
    as_json: bool,
) -> None:
    """Decides about all that the ids name, or nothing. Raises RefusedError: one of them cannot be, or not confirmed."""
    from worker.actions.entries import decide

    more = f" and {len(ids) - _NAMED} more" if len(ids) > _NAMED else ""
    confirm(f"{question} {', '.join(ids[:_NAMED])}{more}?", yes=yes)
    tell(
        decide(program.database, decision, ids, who=who(), reason=reason, now=program.clock()),
        as_json=as_json,
    )


@click.group(short_help="Entries that wait for something, by reason.")
def held() -> None:
    """Entries that cannot go out as they are.

    What lacks a mapping goes by itself once that is put right. What a policy of the definition holds, or the SIS
    has refused, waits for a person: `release` or `dismiss`; `undo` takes a dismissal back.
    """


@held.command("list")
@click.option("--export", "export_id", type=WORD, metavar="ID", help="Only entries of this export.")
@click.option("--entries", is_flag=True, help="Each entry by itself, not how many for each reason.")
@json_option
@with_database
def list_held(program: Program, export_id: str | None, entries: bool, as_json: bool) -> None:
    """What is held or was refused by the SIS, by export and reason.

    How many entries wait for what, and since when the oldest does; with --entries the ID of each, as `release`
    and `dismiss` take it.

    JSON (always each entry by itself): id, tardy_id, district_id, version, export_id, school_id, behavior_code,
    state (held, refused), action (add, change, void: what it would go out as), since, reason_code, reason,
    releasable.
    """
    from worker.cli.held.held_shown import show_held

    show_held(program, export_id, one_by_one=entries, as_json=as_json)


@held.command()
@_deciding
def release(program: Program, **given: Any) -> None:
    """Let entries go that a policy or the SIS holds back.

    ID is EXPORT/TARDY_ID, or a TARDY_ID alone: that tardy in every export. All are released or, where one of them
    cannot be, none. What cannot be written (a mapping is missing, a required field is empty) is never released: it
    goes by itself once that is put right.

    JSON: decision, entries (id, export_id, district_id, tardy_id, version, action, was).
    """
    _decide(program, "release", "Send", **given)


@held.command()
@_deciding
def dismiss(program: Program, **given: Any) -> None:
    """End entries that are not to be sent.

    Such as what the office has typed into the SIS by hand. ID is EXPORT/TARDY_ID, or a TARDY_ID alone: that tardy in
    every export. Only this version is meant: a newer one is judged afresh. Dismissing a void says that somebody has
    removed the tardy in the SIS.

    JSON: decision, entries (id, export_id, district_id, tardy_id, version, action, was).
    """
    _decide(program, "dismiss", "End, without sending it,", **given)


@held.command()
@_deciding
def undo(program: Program, **given: Any) -> None:
    """Take a dismissal back; the entry waits as before.

    ID is EXPORT/TARDY_ID, or a TARDY_ID alone: that tardy in every export. Once a newer version of the tardy has come,
    or its data has been purged, there is nothing to take back.

    JSON: decision, entries (id, export_id, district_id, tardy_id, version, action, was).
    """
    _decide(program, "undo", "Take back the dismissal of", **given)
