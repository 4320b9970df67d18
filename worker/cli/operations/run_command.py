"""`writeback run`: the worker."""

from __future__ import annotations

from functools import partial

import click

from worker.cli.session import prepare_database, worker_program
from worker.errors import WritebackError

ROLES = ("consumer", "flusher")


@click.command(short_help="The worker, until SIGTERM or Ctrl-C.")
@click.argument("roles", nargs=-1, metavar="[consumer] [flusher]")
def run(roles: tuple[str, ...]) -> None:
    """The worker, until SIGTERM or Ctrl-C; it finishes what is in hand and ends within 30 seconds.

    consumer: takes events and commands in. flusher: runs what is due and sends the files. No role named: both
    in one process. Any number of workers may run side by side on a broker and database of their own.
    """
    _check_roles(roles)
    program = worker_program()
    import faulthandler

    import structlog

    from worker.actions.database_opening import explained
    from worker.ops.logs import log_uncaught
    from worker.service import Service

    log_uncaught()
    faulthandler.enable(2)  # a watchdog's SIGABRT leaves where each thread stood: files and lines, no values
    # A folder that cannot be made is told before anything starts.
    explained(program.settings, lambda: program.database)
    try:
        Service(program, list(dict.fromkeys(roles)), partial(prepare_database, program, create=True)).run()
    except WritebackError:
        raise
    except Exception as error:  # noqa: BLE001 - logged whole, told in a line
        structlog.get_logger("process").critical("an error of the program ended the worker", exc_info=error)
        raise WritebackError(
            f"an error of the program ended the worker ({type(error).__name__}); the log tells where"
        ) from None


def _check_roles(roles: tuple[str, ...]) -> None:
    for role in roles:
        if role == "console":
            raise click.UsageError("this version has no console yet; the roles are consumer and flusher")
        if role not in ROLES:
            raise click.UsageError(f"no role {role!r}; the roles are {' and '.join(ROLES)}")
