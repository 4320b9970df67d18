"""`writeback layouts`: what SISs and other receivers are known to want."""

from __future__ import annotations

import click

from worker.cli.printing.output import json_option
from worker.cli.session import WORD, with_environment


@click.group(short_help="What SISs are known to want, to begin an export with.")
def layouts() -> None:
    """Layouts: the columns and the file that an SIS is known to want, to begin an export with."""


@layouts.command("list", short_help="The layouts there are, of files and of records.")
@json_option
@with_environment
def list_layouts(as_json: bool) -> None:
    """The layouts there are: of files, and of each kind of destination that takes records.

    JSON: name, title, takes (file, records), sure (high, fairly, agree; kind: the destination's own).
    """
    from worker.cli.layouts.layouts_shown import show_layouts

    show_layouts(as_json=as_json)


@layouts.command(short_help="A layout: how sure it is, what to see to, and its columns.")
@click.argument("name", type=WORD)
@json_option
@with_environment
def show(name: str, as_json: bool) -> None:
    """A layout: how sure it is, what to do on the SIS's side, what you have to see to, its columns.

    NAME may also be a kind of destination that takes records: each way it does is shown.

    JSON, an array: name, title, takes, sure, sure_means, grounds, setup, supply, requires (properties), blanks
    (what is left to fill in), definition (null where a blank is), destination_example (null: of a file).
    """
    from worker.cli.layouts.layouts_shown import show_layout

    show_layout(name, as_json=as_json)
