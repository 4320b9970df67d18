"""What is typed, asked in the name of who types it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from schemas.messages.commands import Command
from worker.actions.commands import in_person
from worker.actions.commands.asked import Asked
from worker.bootstrap import Program
from worker.cli.session import who


def source() -> str:
    """Who types, as a command names whom it comes from."""
    return f"cli:{who()}"


def command_of(kind: str, data: Mapping[str, Any]) -> Command:
    """A command from this person. Raises RefusedError where its data is not right."""
    return in_person.command_of(source(), kind, data)


def _asked(program: Program, command: Command) -> Asked:
    return Asked(command, program.clock(), program.places, locks=program.settings.locks)


def ask(program: Program, kind: str, data: Mapping[str, Any]) -> Command:
    """Carries the command out. Raises RefusedError with the reason, UnavailableError."""
    command = command_of(kind, data)
    in_person.ask(program.database, _asked(program, command))
    return command
