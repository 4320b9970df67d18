"""A stepped program with one export, and the ways a worker may die while it delivers."""

from __future__ import annotations

import pytest

from tests.builders import command
from tests.integration.setting_aside import broken
from tests.program import SteppedProgram
from worker.failpoints import Arrow, Hook, Place


class Crashed(BaseException):
    """The process dies here: nothing may catch it."""


def ask(program: SteppedProgram, export_id: str = "daily") -> None:
    answer = program.command(command("export.run_now", {"export_id": export_id}))
    assert answer is not None and answer.refused is None, answer


def meets(arrow: Arrow, error: BaseException) -> Hook:
    """Has whoever comes to this place meet an error."""

    def hook(place: Place, _thing: str | None) -> None:
        if place is arrow:
            raise error

    return hook


def crash_at(program: SteppedProgram, arrow: Arrow) -> None:
    """Works until an attempt ends like a killed process, at this place; then its lease runs out."""
    with broken(meets(arrow, Crashed())), pytest.raises(Crashed):
        program.work()
    program.pass_time(seconds=31)
