"""What `writeback check` tries, each by itself: one that is down hides none of the others."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from schemas.fields.zones import source
from worker.bootstrap import Program
from worker.broker.embedded.inbox import Inbox
from worker.cli.operations.tried import Tried, tried
from worker.cli.operations.trying_destinations import LONGEST, trials
from worker.cli.session import prepare_database
from worker.destinations.plug_ins import load_plug_ins
from worker.errors import RefusedError, WritebackError
from worker.store.database import migrate
from worker.store.definitions import definitions
from worker.views.operating.installation import missing_file

_NOT_BEGUN = "it is not there yet; it is made when it is needed"


def findings(program: Program, only: Sequence[str] = (), *, longest: float = LONGEST) -> Iterator[Tried]:
    """Tries everything, or of the exports these `only`; a destination is tried only if its secrets are there.

    All destinations together take `longest` seconds at the most. Raises RefusedError where there is no such export.
    """
    yield Tried("time zones", "pinned", True, f"all come from {source()}")
    for line in load_plug_ins().lines:
        yield Tried("destination", "plug-ins", False, line)
    yield _broker(program)
    database = _database(program)
    yield database
    if not database.ok:
        return
    yield from trials(program, _exports(program, only), longest)


def _exports(program: Program, only: Sequence[str]) -> list[tuple[str, dict[str, Any]]]:
    """The exports to try, with their definitions."""
    if missing_file(program.settings) is not None:
        if only:
            raise RefusedError(f"no export {only[0]!r}; there is no database yet")
        return []
    with program.database.read() as connection:
        rows = (
            [definitions.active(connection, export_id) for export_id in dict.fromkeys(only)]
            if only
            else definitions.every(connection)
        )
    return [(row["export_id"], row["document"]) for row in rows]


def _broker(program: Program) -> Tried:
    name, home = program.broker.name, program.settings.home
    if program.settings.broker_url is None and not Inbox(home).file.exists():
        return tried("broker", name, lambda: _can_be_made(home), _NOT_BEGUN)
    return tried("broker", name, lambda: _told(program.broker.absent()))


def _told(absent: Sequence[str]) -> str:
    """What is not there is no fault: the first `writeback run` makes it."""
    if not absent:
        return "its queues and exchanges are there"
    made = "`writeback run` makes them where its user may, else have them made"
    return f"it answers; not there yet: {', '.join(absent)}; {made}"


def _database(program: Program) -> Tried:
    name = _database_name(program)
    missing = missing_file(program.settings)
    if missing is not None and program.settings.database_is_embedded:
        return tried("database", name, lambda: _can_be_made(missing.parent), _NOT_BEGUN)
    fine = "it takes writes, migrations are current"
    return tried("database", name, lambda: _try_database(program), fine)


def _can_be_made(folder: Path) -> None:
    """Raises WritebackError where this user may not make the folder or write to it. Makes nothing."""
    there = next(one for one in (folder.absolute(), *folder.absolute().parents) if one.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        raise WritebackError(f"WRITEBACK_HOME: {folder} cannot be made: {there} takes nothing from this user")


def _database_name(program: Program) -> str:
    url = program.settings.database_url
    return "embedded" if program.settings.database_is_embedded else url.split(":", 1)[0].split("+")[0]


def _try_database(program: Program) -> None:
    prepare_database(program)
    migrate.require_current(program.database)
    program.database.ping()
