"""What each command begins with: a validated environment, and where it needs one a database that is up to date.

Everything heavy is imported when a command runs, so that `--help` is quick.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec

import click

from worker.cli.printing.output import note
from worker.errors import RefusedError

if TYPE_CHECKING:
    from worker.bootstrap import Program
    from worker.settings import Settings

P = ParamSpec("P")

_LONGEST_WORD = 500


def with_environment(work: Callable[P, None]) -> Callable[P, None]:
    """For a command that needs no installation: a wrong environment is told all the same."""

    @functools.wraps(work)
    def command(*args: P.args, **kwargs: P.kwargs) -> None:
        _program(quiet=True).close()
        work(*args, **kwargs)

    return command


def with_program(work: Callable[Concatenate[Program, P], None]) -> Callable[P, None]:
    """Gives the command a Program built from the environment; nothing is opened yet."""

    @functools.wraps(work)
    def command(*args: P.args, **kwargs: P.kwargs) -> None:
        program = _program(quiet=True)
        _say_which(program)
        try:
            work(program, *args, **kwargs)
        finally:
            program.close()

    return command


def with_database(work: Callable[Concatenate[Program, P], None]) -> Callable[P, None]:
    """The same, with a database that is there and up to date (the embedded one is brought up to date).

    Where no embedded one has been begun, an empty one stands in, which takes nothing: a question creates nothing.
    """

    @functools.wraps(work)
    def command(program: Program, /, *args: P.args, **kwargs: P.kwargs) -> None:
        prepare_database(program)
        work(program, *args, **kwargs)

    return with_program(command)


def with_new_database(work: Callable[Concatenate[Program, P], None]) -> Callable[P, None]:
    """The same for an act that an installation may begin with: the embedded database is made where it is not there."""

    @functools.wraps(work)
    def command(program: Program, /, *args: P.args, **kwargs: P.kwargs) -> None:
        prepare_database(program, create=True)
        work(program, *args, **kwargs)

    return with_program(command)


def ruled(rule: Callable[..., str | None]) -> Callable[[Callable[P, None]], Callable[P, None]]:
    """Has the command's options judged together before anything else: `rule` is given them all by name.

    What it returns is told as wrong usage.
    """

    def decorate(work: Callable[P, None]) -> Callable[P, None]:
        @functools.wraps(work)
        def command(*args: P.args, **kwargs: P.kwargs) -> None:
            if (wrong := rule(**kwargs)) is not None:
                raise click.UsageError(wrong)
            work(*args, **kwargs)

        return command

    return decorate


def _program(*, quiet: bool) -> Program:
    from worker.bootstrap import Program
    from worker.ops.logs import configure_logs
    from worker.settings import read_settings

    settings = read_settings(os.environ, terminal=sys.stderr.isatty())
    level = _level(settings) if quiet else settings.log_level
    configure_logs("json" if settings.log_format == "json" else "console", level)
    _tell_unknown(settings, quiet=quiet)
    program = Program(settings)
    _ = program.broker  # touches nothing, but reads all of BROKER_URL
    return program


def worker_program() -> Program:
    """The Program of a worker: it logs as configured. A command says what went wrong in its one line instead."""
    return _program(quiet=False)


def _tell_unknown(settings: Settings, *, quiet: bool) -> None:
    """A variable with a slip in its name would otherwise have no effect and nobody would know."""
    import structlog

    from worker.settings import unknown_variables

    for line in unknown_variables(settings.environment):
        if quiet:
            note(f"writeback: warning: {line}")
        else:
            structlog.get_logger("settings").warning("an unknown variable", reason=line)


def _say_which(program: Program) -> None:
    """Typed without the service's environment, a command would silently speak of another installation."""
    from worker.views.operating.installation import installation, is_by_default

    if is_by_default(program.settings):
        note(f"writeback: {installation(program.settings, program.broker.name)}")


def _level(settings: Settings) -> str:
    return "debug" if settings.log_level == "debug" else "critical"


def prepare_database(program: Program, *, create: bool = False) -> None:
    """As `Program.prepare_database`, with every way it can fail as one line.

    Where the embedded database is not there, it is made only with `create`; else an empty one stands in.
    """
    from worker.actions.database_opening import explained
    from worker.views.operating.installation import installation, missing_file

    missing = missing_file(program.settings)
    if missing is not None and not program.settings.database_is_embedded:
        raise RefusedError(f"the database {missing} is not there; run `writeback db upgrade` first")
    if missing is not None and not create:
        where = installation(program.settings, program.broker.name)
        note(f"writeback: nothing is there yet ({where})")
        explained(program.settings, lambda: program.stand_in(where))
        return
    explained(program.settings, program.prepare_database)


def who() -> str:
    """Who types the command, for the audit trail: `user@host`."""
    import getpass
    import socket

    try:
        user = getpass.getuser()
    except (OSError, KeyError):
        user = str(os.getuid())  # a container's user that no file names
    return f"{user}@{socket.gethostname()}"[:200]


class Word(click.ParamType[str]):
    """An id or a reason as it can be stored: text without NUL or stray bytes."""

    name = "text"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        text = str(value)
        try:
            text.encode()
        except UnicodeEncodeError:
            self.fail("it is not UTF-8", param, ctx)
        if "\x00" in text or not text.strip():
            self.fail("it must not be empty", param, ctx)
        if len(text) > _LONGEST_WORD:
            self.fail(f"it has more than {_LONGEST_WORD} characters", param, ctx)
        return text


WORD = Word()
