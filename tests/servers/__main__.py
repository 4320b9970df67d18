"""`python -m tests.servers [--only SERVER] [-- COMMAND…]`: the tests' servers for people, benchmarks and soak
runs."""

from __future__ import annotations

import os
import shlex
import signal
import sys
from collections.abc import Mapping, Sequence
from types import FrameType

import click

from tests.servers.errors import ServerError
from tests.servers.pair import Servers

BOTH = ("rabbitmq", "postgresql")


@click.command()
@click.option("--only", type=click.Choice(BOTH), help="Start this one alone.")
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def main(context: click.Context, only: str | None, command: tuple[str, ...]) -> None:
    """Starts RabbitMQ and PostgreSQL, both fresh and gone afterwards.

    Without COMMAND: prints their URLs as shell exports and runs until Ctrl-C. With `-- COMMAND`: runs it with
    BROKER_URL and DATABASE_URL set, and exits with its status.
    """
    signal.signal(signal.SIGTERM, _leave)
    try:
        with Servers() as servers:
            urls = _urls(servers, [only] if only else BOTH)
            context.exit(_run(servers, command, urls) if command else _show(urls))
    except ServerError as error:
        raise click.ClickException(str(error)) from error


def _leave(number: int, _: FrameType | None) -> None:
    """Ends as the signal asks, but by way of the `with` that ends the servers."""
    sys.exit(128 + number)


def _urls(servers: Servers, wanted: Sequence[str]) -> dict[str, str]:
    if "rabbitmq" in wanted:
        servers.begin_rabbitmq(own=True)
    urls = {}
    if "postgresql" in wanted:
        urls["DATABASE_URL"] = servers.postgresql(own=True).create_database()
    if "rabbitmq" in wanted:
        urls["BROKER_URL"] = servers.rabbitmq(own=True).create_vhost("writeback")
    return urls


def _show(urls: Mapping[str, str]) -> int:
    for name, url in urls.items():
        click.echo(f"export {name}={shlex.quote(url)}")
    click.echo("Running; Ctrl-C ends them.", err=True)
    try:
        signal.pause()
    except KeyboardInterrupt:
        click.echo(err=True)
    return 0


def _run(servers: Servers, command: Sequence[str], urls: Mapping[str, str]) -> int:
    """The command's exit status, as a shell gives it. Ctrl-C is the command's to answer: it gets it as
    well."""
    try:
        process = servers.janitor.spawn(command, farewell=signal.SIGTERM, env={**os.environ, **urls})
    except OSError as error:
        click.echo(f"{command[0]}: {error.strerror}", err=True)
        return 127
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    status = process.wait()
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    main(prog_name="python -m tests.servers")
