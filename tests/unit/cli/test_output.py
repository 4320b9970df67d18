"""What is printed: complete and plain when piped, whatever the values hold."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from schemas.shown import plain
from worker.cli.printing.output import Column, dump, emit_list, emit_table
from worker.views.words import counted, instant, lasting, when

MOMENT = datetime(2026, 10, 6, 17, 0, 0, 125000, tzinfo=UTC)


def test_a_piped_table_shows_every_value_whole_in_aligned_columns(capsys: pytest.CaptureFixture[str]) -> None:
    columns = [Column("ID"), Column("ROWS", number=True), Column("WHY", prose=True)]
    emit_table(columns, [("a" * 32, 7, "long " * 40), ("b", None, "x\n\x1b[31m")], empty="none")
    first, second, third = capsys.readouterr().out.splitlines()
    assert first == "ID" + " " * 32 + "ROWS  WHY"
    assert second == "a" * 32 + "     7  " + ("long " * 40).strip()
    assert third == "b" + " " * 31 + "        x\\n\\x1b[31m"


def test_an_empty_table_is_a_sentence_and_an_empty_list_is_json(capsys: pytest.CaptureFixture[str]) -> None:
    emit_table([Column("ID")], [], empty="nothing is held")
    emit_list([])
    assert capsys.readouterr().out == "nothing is held\n[]\n"


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("Café", "Café"),
        ("[bold]", "[bold]"),
        ("a\tb\r\n", "a\\tb\\r\\n"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("\u202eevil", "\\u202eevil"),
        ("\udcff", "\\udcff"),
    ],
)
def test_nothing_in_a_value_breaks_its_line_or_commands_the_terminal(given: str, shown: str) -> None:
    assert plain(given) == shown


def test_json_holds_instants_in_utc_and_is_ascii_whatever_the_terminal() -> None:
    assert dump({"at": MOMENT, "name": "Café \udcff"}, indent=None) == (
        '{"at": "2026-10-06T17:00:00.125000Z", "name": "Caf\\u00e9 \\udcff"}'
    )


def test_moments_are_utc_for_programs_and_local_for_people() -> None:
    assert instant(MOMENT) == "2026-10-06T17:00:00.125000Z"
    assert when(MOMENT, "America/Chicago") == "2026-10-06 12:00:00 CDT"
    assert when(MOMENT.replace(microsecond=0), "America/Chicago") == "2026-10-06 12:00 CDT"
    assert (instant(None), when(None)) == (None, None)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(-5, "0 s"), (59, "59 s"), (60, "1 min"), (3599, "59 min"), (3660, "1 h 1 min"), (90_000, "1 d 1 h")],
)
def test_how_long_something_waits(seconds: int, said: str) -> None:
    assert lasting(timedelta(seconds=seconds)) == said


def test_one_row_and_two_rows() -> None:
    assert [counted(1, "row"), counted(2, "row"), counted(0, "entry", "entries")] == [
        "1 row",
        "2 rows",
        "0 entries",
    ]
