"""A stepped program with one export, and the ways a worker may die while it delivers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.builders import command
from tests.program import SteppedProgram


class Crashed(BaseException):
    """The process dies here: nothing may catch it."""


def ask(program: SteppedProgram, export_id: str = "daily") -> None:
    answer = program.command(command("export.run_now", {"export_id": export_id}))
    assert answer is not None and answer.refused is None, answer


def die(where: Callable[..., Any]) -> Callable[..., Any]:
    def dies(*args: Any, **kwargs: Any) -> Any:
        where(*args, **kwargs)
        raise Crashed

    return dies


def crash_at(
    program: SteppedProgram, monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, *, before: bool
) -> None:
    """Runs one attempt that ends like a killed process, before or after a step; then its lease runs out."""
    step = getattr(owner, name)
    with monkeypatch.context() as patched:
        patched.setattr(owner, name, die(lambda *_, **__: None) if before else die(step))
        with pytest.raises(Crashed):
            program.work()
    program.pass_time(seconds=31)
