"""The worked school week: the files it leaves are those that `docs/school-week.md` shows and explains."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.builders import save
from tests.integration import school_week as week
from tests.program import SteppedProgram
from worker.store.audit.auditing import audit
from worker.store.audit.findings import Scope
from worker.store.database.engine import own_catalogue
from worker.store.entries import decisions

PAGE = Path(__file__).resolve().parents[2] / "docs" / "school-week.md"
_SHOWN = re.compile(r"^`(\S+\.(?:csv|txt))`\n+```text\n(.*?)```", re.MULTILINE | re.DOTALL)


@pytest.fixture
def program(database_url: str, tmp_path: Path) -> Iterator[SteppedProgram]:
    program = SteppedProgram(database_url, tmp_path, week.BEGIN)
    yield program
    program.database.close()


def live(program: SteppedProgram) -> None:
    """Lets the week pass."""
    program.receive(*week.references())
    for document in week.DEFINITIONS:
        answer = program.command(save(document))
        assert answer is not None and answer.refused is None, answer
    waiting = sorted(week.HAPPENINGS, key=lambda happening: happening.at)
    for moment in week.moments():
        program.now = moment
        while waiting and waiting[0].at <= moment:
            happen(program, waiting.pop(0))
        program.work()


def happen(program: SteppedProgram, happening: week.Happening) -> None:
    if happening.message is not None:
        assert program.receive(happening.message) == ["new"]
        return
    with program.database.write() as connection:
        own_catalogue(connection)
        rows = decisions.waiting_for(connection, happening.about)
        decision = happening.decision
        assert decision is not None
        decisions.decide(connection, decision, rows, who="the office", reason="looked at", now=program.now)


def test_the_week_leaves_the_files_that_its_page_shows(program: SteppedProgram) -> None:
    live(program)
    left = {path.name: path.read_text() for path in (program.home / "sis").glob("*/[!.]*") if path.is_file()}
    shown = dict(_SHOWN.findall(PAGE.read_text()))
    assert {name: text.replace("\r\n", "\n") for name, text in left.items()} == shown
    report = audit(program.database, Scope(), program.now, lambda *_: None)
    assert not report.failed(strict=True)
