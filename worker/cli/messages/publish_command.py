"""`writeback publish`: the CloudEvents of a JSON Lines file, published with confirms."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from worker.cli.session import with_program

if TYPE_CHECKING:
    from worker.bootstrap import Program


@click.command(short_help="Publish the messages of a JSON Lines file.")
@click.argument("file", metavar="FILE")
@click.option(
    "--raw",
    is_flag=True,
    help="Send every line as it is, whatever it holds, with the routing key tardy.recorded.",
)
@with_program
def publish(program: Program, file: str, raw: bool) -> None:
    """Publish the messages of a JSON Lines file (`-`: standard input), one CloudEvents object a line.

    Types that begin with `export.` go to the commands, all others to the events; the routing key is the type.
    Every line is read first: where one is no JSON object with a type, nothing is published. What the messages
    say is not checked: whoever consumes them does that.
    """
    from worker.cli.messages.publishing import publish_file

    publish_file(program, file, raw=raw)
