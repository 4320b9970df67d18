"""`writeback destinations`: which ways into an SIS there are, and what each asks for and can do."""

from __future__ import annotations

import click

from worker.cli.printing.output import json_option
from worker.cli.session import WORD, with_environment


@click.group(short_help="The ways into an SIS, what each asks for and can do.")
def destinations() -> None:
    """Kinds of destination: what a definition's `destination.type` may be."""


@destinations.command("list")
@json_option
@with_environment
def list_kinds(as_json: bool) -> None:
    """The kinds of destination there are, those of plug-ins included.

    JSON: kind, title, takes (files, records), experimental.
    """
    from worker.cli.known.kinds_shown import show_kinds

    show_kinds(as_json=as_json)


@destinations.command("show", short_help="One kind: its options, fields, and what its SIS can do.")
@click.argument("kind", metavar="KIND", type=WORD)
@json_option
@with_environment
def show_one(kind: str, as_json: bool) -> None:
    """One kind: its options, the fields it requires, what its SIS can do, and what happens to a correction, a void
    and a lost answer there. What public documents bear out stands apart from what is to be agreed with the vendor.

    JSON: kind, title, takes, experimental, options (option, required, accepts, about), ways (chosen_by, takes; of
    records also requires, default_fields, key, capabilities, what_happens (demand, sentence)), sure, assumed.
    """
    from worker.cli.known.kinds_shown import show_kind

    show_kind(kind, as_json=as_json)
