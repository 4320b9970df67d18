"""`writeback exports diff`, `history`, `restore` and `copy`: a definition's earlier forms, and the way back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from worker.cli.acts import reason_option
from worker.cli.printing.output import json_option, yes_option
from worker.cli.session import WORD, ruled, with_database

if TYPE_CHECKING:
    from worker.bootstrap import Program

_id = click.argument("export_id", metavar="ID", type=WORD)


@click.command()
@_id
@click.argument("file", metavar="[FILE]", required=False)
@click.option("--revision", type=click.IntRange(1), metavar="N", help="Compare with this earlier revision.")
@json_option
@ruled(
    lambda file, revision, **_: (
        None if (file is None) != (revision is None) else "give a FILE or --revision N"
    )
)
@with_database
def diff(program: Program, export_id: str, file: str | None, revision: int | None, as_json: bool) -> None:
    """How a definition differs from a file or a revision.

    With a FILE (`-`: standard input), what would change were it saved; with --revision, what has changed since. What
    becomes of waiting rows, `exports apply --dry-run` tells.

    JSON: path, change (added, removed, changed), before, after.
    """
    from worker.cli.exports.revisions_shown import show_differences

    show_differences(program, export_id, file, revision, as_json=as_json)


@click.command()
@_id
@json_option
@with_database
def history(program: Program, export_id: str, as_json: bool) -> None:
    """Every revision: when, by whom, why, what it changed.

    JSON: revision, saved_at, saved_by, reason, changes (path, change, before, after).
    """
    from worker.cli.exports.revisions_shown import show_history

    show_history(program, export_id, as_json=as_json)


@click.command()
@_id
@click.argument("revision", type=click.IntRange(1))
@click.option("--dry-run", is_flag=True, help="Only show what it would change.")
@reason_option()
@yes_option
@json_option
@with_database
def restore(
    program: Program,
    export_id: str,
    revision: int,
    dry_run: bool,
    reason: str | None,
    yes: bool,
    as_json: bool,
) -> None:
    """Save an earlier revision again, as the newest one.

    What it would change is shown first, as `exports apply` does.

    JSON, as an array of one: export_id, result, revision, warnings; with --dry-run what `exports apply --dry-run` has.
    """
    from worker.cli.exports.applying import How
    from worker.cli.exports.revisions_shown import restore_revision

    how = How(dry_run=dry_run, reason=reason, yes=yes)
    restore_revision(program, export_id, revision, how, as_json=as_json)


@click.command()
@_id
@click.argument("new_id", type=WORD)
@json_option
@with_database
def copy(program: Program, export_id: str, new_id: str, as_json: bool) -> None:
    """Print a definition under another ID.

    As YAML that `exports apply` takes; nothing is saved. `writeback exports copy ID NEW_ID > new.yaml`, change what
    shall be otherwise (where it goes, above all), and apply it. The first day is left out: the copy begins with the
    day it is saved, and sends nothing that came before.

    JSON: the definition.
    """
    from worker.cli.exports.revisions_shown import copy_definition

    copy_definition(program, export_id, new_id, as_json=as_json)
