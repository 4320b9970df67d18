"""Five layouts of file: how a definition asks for each, how a test reads it back, and what its rows must say."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.acceptance import district
from tests.acceptance.tardies import Version

Row = tuple[Any, ...]

CODE_WORDS = {"TARDY": "Tardy to class", "LATE": "Late to school"}
_WIDTHS = (9, 8, 8, 10, 3)


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """`file` and `fields` as in a definition; `read` gives the rows of a file's bytes; `expected` the row of a
    version, None where it has to be held, before or after the late mapping is known."""

    file: dict[str, Any]
    fields: list[dict[str, Any]]
    read: Callable[[bytes], list[Row]]
    expected: Callable[[Version, bool], Row | None]


def _student(version: Version) -> dict[str, Any]:
    assert version.data is not None
    student: dict[str, Any] = version.data["student"]
    return student


def _data(version: Version) -> dict[str, Any]:
    assert version.data is not None
    return version.data


# A csv file with a header, as a Student Information System wants it: dates as in America, codes mapped.

_SIS_TITLES = ["Tardy", "Student_Number", "Att_Date", "Att_Time", "Period", "Att_Code", "Source"]


def _sis_row(version: Version, all_mapped: bool) -> Row | None:
    found = district.bell(version.school, version.local)
    behavior = _data(version)["behavior_code"]
    code = district.behavior_code(version.school, behavior, all_mapped=all_mapped)
    if found is None or code is None:
        return None
    local = version.local
    return (
        version.key[1],
        _student(version)["local_id"],
        f"{local:%m/%d/%Y}",
        f"{local:%H:%M}",
        found[1],
        code,
        "HERO",
    )


def _read_with_header(content: bytes) -> list[Row]:
    assert content.endswith(b"\r\n")
    title, *rows = csv.reader(io.StringIO(content.decode(), newline=""))
    assert title == _SIS_TITLES
    return [tuple(row) for row in rows]


SIS = Layout(
    {"format": "csv", "name": "{export}_{date:%Y%m%d}_{sequence:04d}.csv"},
    [
        {"field": "tardy_id", "header": "Tardy"},
        {"field": "student.local_id", "header": "Student_Number", "required": True},
        {"field": "date", "header": "Att_Date", "format": "%m/%d/%Y"},
        {"field": "time", "header": "Att_Time"},
        {"field": "period.external_reference_code", "header": "Period"},
        {"field": "behavior.external_reference_code", "header": "Att_Code", "required": True},
        {"constant": "HERO", "header": "Source"},
    ],
    _read_with_header,
    _sis_row,
)


# JSON Lines: numbers stay numbers, what is missing is null or a default.


def _json_row(version: Version, _all_mapped: bool) -> Row:
    data = _data(version)
    bell = district.bell(version.school, version.local)
    values = {
        "id": version.key[1],
        "v": version.number,
        "at": version.local.isoformat(),
        "minutes_late": data.get("minutes_late"),
        "period": bell[0] if bell else "none",
        "school": version.school.sis_id,
        "bus": data.get("attributes", {}).get("bus", -1),
        "first": _student(version)["first_name"],
    }
    return tuple(values.items())


JSON = Layout(
    {"format": "jsonl", "name": "{export}-{sequence}.jsonl"},
    [
        {"field": "tardy_id", "header": "id"},
        {"field": "version", "header": "v"},
        {"field": "occurred_at", "header": "at"},
        {"field": "minutes_late"},
        {"field": "period", "default": "none"},
        {"field": "school.sis_id", "header": "school"},
        {"field": "attributes.bus", "header": "bus", "default": -1},
        {"field": "student.first_name", "header": "first"},
    ],
    lambda content: [tuple(json.loads(line).items()) for line in content.decode().splitlines()],
    _json_row,
)


# Fixed width, without a header line.


def _fixed_row(version: Version, _all_mapped: bool) -> Row:
    data = _data(version)
    return (
        version.key[1],
        _student(version)["local_id"],
        f"{version.local:%Y%m%d}",
        data["behavior_code"].lower(),
        str(data.get("minutes_late", "")).rjust(3, "0"),
    )


def _read_fixed(content: bytes) -> list[Row]:
    return [_cells(line) for line in content.decode().split("\r\n")[:-1]]


def _cells(line: str) -> Row:
    assert len(line) == sum(_WIDTHS)
    starts = [sum(_WIDTHS[:place]) for place in range(len(_WIDTHS))]
    return tuple(line[start : start + width].rstrip() for start, width in zip(starts, _WIDTHS, strict=True))


FIXED = Layout(
    {"format": "fixed_width", "name": "{export}.{sequence:03d}.txt"},
    [
        {"field": "tardy_id", "width": 9},
        {"field": "student.local_id", "width": 8},
        {"field": "date", "format": "%Y%m%d", "width": 8},
        {"field": "behavior.code", "width": 10, "case": "lower"},
        {"field": "minutes_late", "width": 3, "align": "right", "pad": "0"},
    ],
    _read_fixed,
    _fixed_row,
)


# A csv file of another kind: every value quoted, semicolons, a byte order mark, texts with line breaks.


def _comment(data: Mapping[str, Any], missing: str) -> str:
    """As csv has it: a line break within a value is one blank."""
    return str(data.get("comment", missing)).replace("\n", " ")


def _quoted_row(version: Version, _all_mapped: bool) -> Row:
    data = _data(version)
    student = _student(version)
    return (
        version.key[1],
        f"{student['last_name']}".upper(),
        student["first_name"],
        CODE_WORDS.get(data["behavior_code"], data["behavior_code"]),
        _comment(data, "-"),
    )


def _read_quoted(content: bytes) -> list[Row]:
    text = content.decode("utf-8")
    assert text.startswith("\ufeff") and text.endswith('"\n')
    reader = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), delimiter=";", strict=True)
    return [tuple(row) for row in reader]


QUOTED = Layout(
    {
        "format": "csv",
        "name": "{export}_{sequence}.csv",
        "delimiter": ";",
        "quoting": "all",
        "line_ending": "lf",
        "encoding": "utf-8-sig",
        "header": False,
    },
    [
        {"field": "tardy_id"},
        {"field": "student.last_name", "case": "upper"},
        {"field": "student.first_name"},
        {"field": "behavior.code", "map": CODE_WORDS},
        {"field": "comment", "default": "-"},
    ],
    _read_quoted,
    _quoted_row,
)


# What near real time needs: the action first, so that the rows can be applied one after the other.


def _action_row(version: Version, _all_mapped: bool) -> Row:
    data = _data(version)
    return (version.key[1], data["behavior_code"], str(data.get("minutes_late", "")), _comment(data, ""))


def _read_actions(content: bytes) -> list[Row]:
    return [tuple(row) for row in csv.reader(io.StringIO(content.decode(), newline=""))]


ACTIONS = Layout(
    {"format": "csv", "name": "{export}_{sequence:05d}.csv", "header": False},
    [
        {"field": "action"},
        {"field": "tardy_id"},
        {"field": "behavior.code"},
        {"field": "minutes_late"},
        {"field": "comment"},
    ],
    _read_actions,
    _action_row,
)
