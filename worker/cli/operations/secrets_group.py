"""`writeback secrets`: which secrets the definitions name, and whether they are there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from worker.cli.printing.output import Column, emit_list, emit_table, json_option
from worker.cli.session import with_database
from worker.errors import WritebackError
from worker.views.words import counted

if TYPE_CHECKING:
    from worker.bootstrap import Program


@click.group(short_help="Which secrets the exports name, and whether they are there.")
def secrets() -> None:
    """Secrets: passwords and keys, which a definition names and never holds."""


@secrets.command("check", short_help="Which exports name which secrets, and where each is found.")
@json_option
@with_database
def check_secrets(program: Program, as_json: bool) -> None:
    """Which exports name which secrets, where each is found, and how to set what is missing; never a value.

    As this command sees it: give it the worker's own environment (--env-file). Exit status 1 where one is missing or
    cannot be used.

    JSON: secret, ok, found_in (environment, env_file, folder; null: nowhere), variable, file (null: no
    WRITEBACK_SECRETS_DIR), exports, problem.
    """
    from worker.views.operating.known_secrets import known_secrets, secret_shape

    found = known_secrets(program.database, program.secret.whereabouts)
    if as_json:
        emit_list(map(secret_shape, found))
    else:
        columns = [
            Column("SECRET"),
            Column("STATE"),
            Column("EXPORTS", prose=True),
            Column("DETAIL", prose=True),
        ]
        rows = [
            (one.name, "ok" if one.is_there else "wrong", ", ".join(one.exports), one.told) for one in found
        ]
        emit_table(columns, rows, empty="no export names a secret")
    wrong = [one.name for one in found if not one.is_there]
    if wrong:
        shown = ", ".join(wrong[:5]) + (f" and {len(wrong) - 5} more" if len(wrong) > 5 else "")
        raise WritebackError(f"{counted(len(wrong), 'secret')} missing of {len(found)}: {shown}")
