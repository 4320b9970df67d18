"""`writeback exports preview` of records: the requests as they would go, and nothing sent."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.builders import code, definition, save, school, tardy, void
from tests.integration.delivering import ask
from tests.integration.record_sis import ledger
from tests.program import SteppedProgram
from tests.unit.cli.workplace import Ended, Workplace

MANAGEBAC = {
    "type": "managebac",
    "token": {"secret": "nobody-has-it"},
    "mode": "homeroom",
    "codes": {"T": "3"},
}


@pytest.fixture
def program(database_url: str, tmp_path: Path) -> SteppedProgram:
    program = SteppedProgram(database_url, tmp_path / "home")
    program.receive(school(), code())
    return program


def records(destination: dict[str, Any], **changes: Any) -> dict[str, Any]:
    document = definition(destination=destination, corrections="send", **changes)
    del document["file"], document["fields"]
    return document


def previewed(tmp_path: Path, database_url: str, *more: str) -> Ended:
    return Workplace(tmp_path).ok("exports", "preview", "daily", *more, DATABASE_URL=database_url)


def lines(ended: Ended) -> list[dict[str, Any]]:
    return [json.loads(line) for line in ended.out.splitlines()]


def test_a_request_is_shown_as_it_would_go_without_its_secret_and_nothing_is_asked(
    program: SteppedProgram, database_url: str, tmp_path: Path
) -> None:
    program.command(save(records(MANAGEBAC, collapse="per_day")))
    program.receive(tardy("a", student={"id": "s", "local_id": "77"}))
    ended = previewed(tmp_path, database_url)
    [shown] = lines(ended)
    assert (shown["method"], shown["rows"]) == ("PUT", [1])
    assert shown["url"] == "https://api.managebac.com/v2/students/77/set_homeroom_attendance"
    assert shown["body"] == {"id": 77, "date": "2026-10-06", "status": 3}
    assert "1 row; would go as records to managebac" in ended.err
    assert "against what was delivered: 1 new, 0 changed, 0 void" in ended.err
    assert program.states() == {"buffered": 1}
    found = previewed(tmp_path, database_url, "--json").json
    assert (found["file"], found["actions"]) == (None, {"add": 1, "change": 0, "void": 0})
    assert json.loads(found["content"]) == shown


def test_a_kind_that_cannot_say_shows_each_row_with_its_deeds(
    program: SteppedProgram, database_url: str, tmp_path: Path
) -> None:
    with ledger() as sis:
        program.command(save(records({"type": "ledger"})))
        program.receive(tardy("a"), tardy("b"), tardy("c"))
        ask(program)
        program.work()
        before = len(sis.requests)
        moved = tardy("b", 2, occurred_at="2026-10-05T08:07:00-05:00")
        program.receive(tardy("a", 2, comment="bus"), moved, void("c"), tardy("d"))
        ended = previewed(tmp_path, database_url)
        told = [(one["action"], one["deed"], one["record"]["tardy"]) for one in lines(ended)]
        assert sorted(told) == [
            ("add", "create", "d"),
            ("change", "create", "b"),
            ("change", "delete", "b"),
            ("change", "update", "a"),
            ("void", "delete", "c"),
        ]
        assert told[-1] == ("change", "create", "b"), "what makes room goes first"
        assert "1 new, 2 changed, 1 void" in ended.err
        assert len(sis.requests) == before, "nothing was sent"
