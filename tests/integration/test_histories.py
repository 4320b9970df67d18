"""Random histories of the whole program on both databases, beside a plain model of what it owes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from schemas.topology import COMMANDS
from tests.histories.installation import Installation
from tests.histories.machine import Histories

_LONG = os.environ.get("WRITEBACK_HISTORIES") == "long"
# What is the database's own shows in few; on a server a history takes twice as long as on a file.
_SHORT = {"sqlite": "15", "postgresql": "10"}
_STEPS = 60 if _LONG else 30


@pytest.fixture
def program(database_url: str, tmp_path: Path) -> Iterator[Installation]:
    program = Installation(database_url, tmp_path)
    yield program
    program.database.close()


def test_whatever_happens_nothing_is_lost_and_nothing_goes_twice(
    program: Installation, tmp_path: Path
) -> None:
    examples = "1000" if _LONG else _SHORT[program.database.engine.dialect.name]
    Histories.program, Histories.folder = program, tmp_path
    run_state_machine_as_test(
        Histories,
        settings=settings(
            max_examples=int(os.environ.get("WRITEBACK_HISTORIES_EXAMPLES", examples)),
            stateful_step_count=_STEPS,
            derandomize=not _LONG,
            database=None,
            deadline=None,
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate, Phase.shrink],
        ),
    )
    assert program.redelivered > 0, "nothing was delivered to us twice: this tested nothing"
    # Each history asks at its end for what it has not asked for before: what is missing no luck would have asked for.
    missing = {command.name for command in COMMANDS} - program.asked
    assert not missing, (
        f"no history asked for {missing}: a kind in tests/histories/choices.py, a case in steps.py, what it does in "
        "world.py"
    )
