"""What `writeback check` tries, each by itself: one that is down hides none of the others."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from schemas.fields.zones import source
from worker.bootstrap import Program
from worker.broker.embedded.inbox import Inbox
from worker.cli.session import prepare_database
from worker.destinations.plug_ins import load_plug_ins
from worker.destinations.trial import Trial, TrialStep
from worker.errors import WritebackError
from worker.secrets import secret_names
from worker.store.database import migrate
from worker.store.definitions import definitions
from worker.views.operating.installation import missing_file

_SIDE_BY_SIDE = 8
_NOT_BEGUN = "it is not there yet; it is made when it is needed"


@dataclass(frozen=True, slots=True)
class Tried:
    """One thing that was tried; `detail` says how it is, or what is wrong and what to do. `steps`: a destination's."""

    what: str
    name: str
    ok: bool
    detail: str
    steps: tuple[TrialStep, ...] = ()


def findings(program: Program) -> Iterator[Tried]:
    """Tries everything. Destinations are tried side by side, and each only if its secrets are there."""
    yield Tried("time zones", "pinned", True, f"all come from {source()}")
    for line in load_plug_ins().lines:
        yield Tried("destination", "plug-ins", False, line)
    yield _broker(program)
    database = _database(program)
    yield database
    if not database.ok or missing_file(program.settings) is not None:
        return
    with program.database.read() as connection:
        exports = [(row["export_id"], row["document"]) for row in definitions.every(connection)]
    with ThreadPoolExecutor(_SIDE_BY_SIDE) as pool:
        for found in pool.map(lambda export: list(_of_export(program, *export)), exports):
            yield from found


def _broker(program: Program) -> Tried:
    name, home = program.broker.name, program.settings.home
    if program.settings.broker_url is None and not Inbox(home).file.exists():
        return _tried("broker", name, lambda: _can_be_made(home), _NOT_BEGUN)
    return _tried("broker", name, lambda: _told(program.broker.absent()))


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
        return _tried("database", name, lambda: _can_be_made(missing.parent), _NOT_BEGUN)
    fine = "it takes writes, migrations are current"
    return _tried("database", name, lambda: _try_database(program), fine)


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


def _of_export(program: Program, export_id: str, document: Mapping[str, Any]) -> Iterator[Tried]:
    destination = document["destination"]
    secrets = [
        _tried("secret", f"{name} ({export_id})", partial(program.secret, name), "it is set")
        for name in dict.fromkeys(secret_names(destination))
    ]
    yield from secrets
    if all(secret.ok for secret in secrets):
        yield _try_destination(program, export_id, destination)
    else:
        yield Tried("destination", export_id, False, "not tried: set its secrets first")


def _try_destination(program: Program, export_id: str, options: Mapping[str, Any]) -> Tried:
    """What it offers, and what not, step by step."""
    trial = Trial()

    def work() -> str:
        sent = program.opener.check(options, trial)
        return "; but ".join([f"{options['type']}: {sent} can be sent there", *trial.lacks])

    return replace(_tried("destination", export_id, work), steps=tuple(trial.steps))


def _tried(what: str, name: str, work: Callable[[], object], fine: str | None = None) -> Tried:
    """`fine`: what to say if it works; None: what the work returns."""
    try:
        said = work()
    except WritebackError as error:
        return Tried(what, name, False, str(error))
    except Exception as error:  # noqa: BLE001 - whatever it is, the other things are tried all the same
        return Tried(what, name, False, f"an error of the program ({type(error).__name__})")
    return Tried(what, name, True, str(said) if fine is None else fine)
