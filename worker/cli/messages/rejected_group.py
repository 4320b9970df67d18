"""`writeback rejected`: messages that could not be understood, parked whole with their reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from worker.cli.acts import note_act, reason_option
from worker.cli.printing.output import confirm, emit, json_option, yes_option
from worker.cli.session import WORD, ruled, with_program
from worker.views.words import counted

if TYPE_CHECKING:
    from worker.bootstrap import Program

_all_option = click.option("--all", "everything", is_flag=True, help="All that are parked.")


def _says_which(
    parked_ids: tuple[str, ...], everything: bool, codes: tuple[str, ...] | None = None, **_: object
) -> str | None:
    if sum((bool(parked_ids), everything, bool(codes))) == 1:
        return None
    return "say which: one or more IDs, or --all" + ("" if codes is None else ", or --code CODE")


@click.group(short_help="Messages that could not be understood.")
def rejected() -> None:
    """Parked messages: look at them, have them handled again, or delete them."""


@rejected.command("list")
@click.option("--code", "codes", type=WORD, multiple=True, help="Only those with this code; may be repeated.")
@click.option(
    "--limit",
    type=click.IntRange(1, 1_000_000),
    default=1000,
    show_default=True,
    help="Look at the oldest so many.",
)
@json_option
@with_program
def list_rejected(program: Program, codes: tuple[str, ...], limit: int, as_json: bool) -> None:
    """The parked messages, the oldest first, without their bodies.

    JSON: parked_id, code (oversize, unauthorised, undecodable, unknown-type, invalid, delivery-limit), queue,
    reason, bytes, content_type, sender (the user the broker vouched for, or null).
    """
    from worker.cli.messages.rejected_shown import list_parked

    list_parked(program, codes, limit, as_json=as_json)


@rejected.command()
@click.argument("parked_id", metavar="ID", type=WORD)
@click.option(
    "--body", "body_alone", is_flag=True, help="Only the body, byte for byte, for a file or a program."
)
@json_option
@ruled(lambda body_alone, as_json, **_: "give one of --body and --json" if body_alone and as_json else None)
@with_program
def show(program: Program, parked_id: str, body_alone: bool, as_json: bool) -> None:
    """One parked message whole: headers, reason and body.

    The body may hold students' data: who looks, and where the output goes, is your decision. Characters that would
    command a terminal or cannot be seen are written out; --body and --json have the body as it is.

    JSON: what `list` has, and headers, body (text, null where it is not UTF-8), body_base64.
    """
    from worker.cli.messages.rejected_shown import show_parked

    show_parked(program, parked_id, body_alone=body_alone, as_json=as_json)


@rejected.command()
@click.argument("parked_ids", nargs=-1, metavar="[ID…]", type=WORD)
@_all_option
@click.option("--code", "codes", type=WORD, multiple=True, help="All with this code; may be repeated.")
@reason_option()
@yes_option
@ruled(_says_which)
@with_program
def replay(
    program: Program,
    parked_ids: tuple[str, ...],
    everything: bool,
    codes: tuple[str, ...],
    reason: str | None,
    yes: bool,
) -> None:
    """Have parked messages handled again.

    They go back to the queue they came from. What is still wrong is parked again.
    """
    which = _named(parked_ids, everything) if not codes else f"what is parked as {', '.join(codes)}"
    confirm(f"Have {which} handled again?", yes=yes)
    moved = program.broker.operator().replay(list(parked_ids) or None, codes=list(codes) or None)
    note_act(program, "replay", _kept(moved, reason))
    emit(f"{counted(moved, 'message')} put back in the queue")


@rejected.command()
@click.argument("parked_ids", nargs=-1, metavar="[ID…]", type=WORD)
@_all_option
@reason_option()
@yes_option
@ruled(_says_which)
@with_program
def drop(
    program: Program, parked_ids: tuple[str, ...], everything: bool, reason: str | None, yes: bool
) -> None:
    """Delete parked messages for good."""
    confirm(f"Delete {_named(parked_ids, everything)} for good?", yes=yes)
    gone = program.broker.operator().drop(None if everything else list(parked_ids))
    note_act(program, "drop", _kept(gone, reason))
    emit(f"{counted(gone, 'message')} deleted")


def _named(parked_ids: tuple[str, ...], everything: bool) -> str:
    return "every parked message" if everything else counted(len(set(parked_ids)), "parked message")


def _kept(messages: int, reason: str | None) -> str:
    """What the history says: how many, and why."""
    return counted(messages, "parked message") + (f": {reason}" if reason else "")
