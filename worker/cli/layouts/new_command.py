"""`writeback exports new`: a definition to begin with, from a layout."""

from __future__ import annotations

import click

from worker.cli.printing.output import json_option
from worker.cli.session import WORD, with_environment


@click.command(short_help="A definition to begin with, from a layout.")
@click.option("--layout", required=True, type=WORD, help="One of `writeback layouts list`.")
@click.option(
    "--export-id", metavar="ID", type=WORD, help="The export's id; the layout's name where none is given."
)
@click.option(
    "--school", "schools", multiple=True, type=WORD, help="A school's id, or all; may be given again."
)
@click.option(
    "--code", "codes", multiple=True, type=WORD, help="A behavior code, or all; may be given again."
)
@click.option(
    "--time-zone", type=WORD, metavar="ZONE", help="The zone of its times, such as America/Chicago."
)
@click.option(
    "--at",
    multiple=True,
    type=WORD,
    metavar="HH:MM",
    help="When it runs each school day (file: 15:30).",
)
@click.option(
    "--destination", type=WORD, metavar="JSON", help='Where it goes, such as {"type": "directory", …}.'
)
@click.option(
    "--output", type=click.Path(dir_okay=False), metavar="FILE", help="Write it there; no file is replaced."
)
@json_option
@with_environment
def new(
    layout: str,
    export_id: str | None,
    schools: tuple[str, ...],
    codes: tuple[str, ...],
    time_zone: str | None,
    at: tuple[str, ...],
    destination: str | None,
    output: str | None,
    as_json: bool,
) -> None:
    """Print a definition to begin with, as YAML that `exports apply` takes once its blanks are filled in.

    A blank is a null; comments say what belongs there. With schools, codes, time zone and destination given there is
    none, and the definition is judged at once. Nothing is saved, and no database is needed.

    JSON: the definition.
    """
    from worker.cli.layouts.beginning import Start, start

    given = Start(export_id, schools, codes, time_zone, at, destination)
    start(layout, given, output, as_json=as_json)
