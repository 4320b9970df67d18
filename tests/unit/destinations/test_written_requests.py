"""Kinds that write their requests down for a preview: what `send` would ask, no secret read, nothing sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.builders import NOON, definition
from worker.core.definition import parse_definition
from worker.core.record_rules import Deed
from worker.core.sample import sample_row
from worker.destinations.file_port import FileKind
from worker.destinations.kinds import DESTINATIONS, chosen
from worker.destinations.record_port import RecordKind, RowDeed, WrittenRequest
from worker.testing.installations import installation

_CODES = {"T": "3"}  # what the made-up row has, as an id of the SIS's own
_IDS = {"CalendarDayID": "7", "AttendancePeriodID": "8", "SchoolYearID": "2027"}


def written(options: Mapping[str, Any], folder: Path, what: Deed = Deed.CREATE) -> Sequence[WrittenRequest]:
    kind = chosen(DESTINATIONS[options["type"]], options)
    assert isinstance(kind, RecordKind) and kind.written is not None
    document = definition(destination=options, fields=list(kind.form(options).fields.default))
    del document["file"]
    parsed = parse_definition(document)
    properties = parsed.properties(sample_row(parsed, NOON))
    properties |= {name: its_id for name, its_id in _IDS.items() if name in properties}
    return kind.written(options, installation(folder), [RowDeed(1, what, properties, "RUN-1-0")])


def examples(*names: str) -> list[Any]:
    found = []
    for name, kind in DESTINATIONS.items():
        for number, example in enumerate([] if isinstance(kind, FileKind) else kind.examples):
            if isinstance(chosen(kind, example), RecordKind) and name in (names or DESTINATIONS):
                found.append(pytest.param(example, id=f"{name}-{number}"))
    return found


@pytest.mark.parametrize("options", examples())
def test_its_requests_are_written_down_without_a_secret(options: Mapping[str, Any], tmp_path: Path) -> None:
    with_codes = (
        {**options, "codes": _CODES} if "codes" in options and options["type"] != "ed_fi" else options
    )
    found = written(with_codes, tmp_path)
    assert found and {one.rows for one in found} == {(1,)}
    for one in found:
        assert one.method in ("POST", "PUT") and one.url.startswith("https://") and one.body
        assert "Authorization" not in one.headers and "token" not in str(one.headers).lower()


@pytest.mark.parametrize("options", examples("wonde"))
def test_a_code_that_has_to_be_looked_up_is_a_placeholder_told_in_words(
    options: Mapping[str, Any], tmp_path: Path
) -> None:
    [one] = written(options, tmp_path)
    assert one.body["attendance"][0]["attendance_code_id"].startswith("<attendance code ")
    [said] = one.looks_up
    assert "from GET https://api.wonde.com/v1.0/schools/A0000000000/attendance-codes/" in said


@pytest.mark.parametrize("options", examples("ed_fi"))
def test_where_an_api_has_its_data_is_a_placeholder_and_a_record_of_unknown_id_is_searched(
    options: Mapping[str, Any], tmp_path: Path
) -> None:
    search, delete = written(options, tmp_path, Deed.DELETE)
    assert (search.method, delete.method) == ("GET", "DELETE")
    assert "/<dataManagementApi>/ed-fi/" in search.url and "eventDate=2026-10-06" in search.url
    assert delete.url.endswith("/<id>") and delete.only is not None
    assert f"GET {options['base_url']}" in delete.looks_up[0]


@pytest.mark.parametrize("options", examples("skyward"))
def test_what_depends_on_a_search_says_so(options: Mapping[str, Any], tmp_path: Path) -> None:
    found = written({**options, "codes": _CODES}, tmp_path)
    assert [(one.method, one.only is None) for one in found] == [
        *(("POST", True), ("PUT", False)),
        *(("POST", True), ("PUT", False)),
    ]
    assert found[-1].body["DataObject"]["StudentAttendanceID"] == "<StudentAttendanceID>"
