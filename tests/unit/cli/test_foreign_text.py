"""Texts that others wrote, on every way to a person."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from tests.builders import definition, tardy
from tests.unit.cli.test_messages import parked
from tests.unit.cli.workplace import Workplace
from worker.cli.printing.spreadsheet_file import spreadsheet
from worker.store.queries.day import Line
from worker.views.operating import spreadsheet as of_report

ESCAPE, TURNED, HIDDEN = "\x1b]0;x\x07", "\u202e", "\u200b"
FOREIGN = f"Late{ESCAPE}{TURNED}{HIDDEN}"


def is_fit(text: str) -> bool:
    return not any(char in text for char in (*ESCAPE[:1], "\x07", TURNED, HIDDEN))


def test_names_reasons_and_columns_of_others_never_command_a_terminal(place: Workplace) -> None:
    """Whatever looks at an export and its tardies, piped or not; as JSON all of it is there, escaped."""
    place.apply(definition(name=f"Daily{TURNED}{HIDDEN}"))
    place.receive(
        tardy("t-1", comment=FOREIGN),
        tardy(f"t{TURNED}{HIDDEN}", behavior_code=f"X{TURNED}{HIDDEN}"),
    )
    for command in (
        "status",
        "exports list",
        "exports show daily",
        "exports show daily --yaml",
        "held list",
        "held list --entries",
        "report",
        "report --csv -",
        "trace t-1",
        "audit",
        "runs list",
    ):
        ended = place.ok(*command.split())
        assert is_fit(ended.out + ended.err), command
    assert f"Daily{TURNED}{HIDDEN}" in {one["name"] for one in place.ok("exports", "list", "--json").json}
    assert place.ok("held", "list", "--json").out.isascii()


def test_a_parked_message_is_shown_escaped_and_its_body_alone_as_it_is(place: Workplace) -> None:
    body = f'{{"a": "{FOREIGN}"}}\x9b31m'.encode() + b"\xff"
    [parked_id] = parked(place, body)
    assert is_fit(place.ok("rejected", "show", parked_id).out)
    assert place.ok("rejected", "show", parked_id, "--body").out_bytes == body


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("value", ["=1+1", "a;=1+1", "a, =1+1", "a|@x", 'a;"=1+1', " +1", "a\t-1", "\uff1d1"])
def test_no_cell_of_the_spreadsheet_is_a_formula_whatever_it_is_opened_with(
    tmp_path: Path, value: str, delimiter: str
) -> None:
    file = tmp_path / "report.csv"
    with spreadsheet(str(file), of_report.COLUMNS, of_report.cells) as take:
        take(
            Line(
                "daily", value, 1, value, "0012", None, "TARDY", "add", "held", value, None, None, None, None
            )
        )
    with file.open(encoding="utf-8-sig", newline="") as stream:
        cells = [cell for row in csv.reader(stream, delimiter=delimiter) for cell in row]
    assert not [
        cell
        for cell in cells
        if cell.lstrip(" \"'").startswith(("=", "+", "-", "@", "\uff1d"))
        and not cell.lstrip(' "').startswith("'")
    ]
