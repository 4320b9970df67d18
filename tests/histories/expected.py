"""What an export owes for a tardy: does it belong, and how does its row read? Written from the contract alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from tests.histories.record import Record, Revision, Version

Row = list[str]


def zone_of(record: Record, district: str, school_id: str, moment: int) -> ZoneInfo | None:
    """The school's time zone as known at a moment."""
    school = record.reference(moment, "school", district, school_id)
    return None if school is None else ZoneInfo(school["time_zone"])


def belongs(record: Record, revision: Revision, version: Version, moment: int) -> bool:
    """Whether a definition takes a tardy: by school, code, and local date of the school (else of the schedule)."""
    data, document = version.data, revision.document
    if data is None:
        return False
    if document["schools"] != "all" and data["school_id"] not in document["schools"]:
        return False
    if document["codes"] != "all" and data["behavior_code"] not in document["codes"]:
        return False
    zone = zone_of(record, version.key[0], data["school_id"], moment)
    return local_day(version, zone or ZoneInfo(document["schedule"]["time_zone"])) >= revision.backfill_from


def local_day(version: Version, zone: ZoneInfo) -> date:
    """The date that a clock in the zone showed."""
    return version.occurred_at.astimezone(zone).date()


def row_of(
    record: Record, revision: Revision, version: Version, moment: int, action: str, line: int
) -> Row | None:
    """The row as it reads at a moment; None: something it needs is missing, it is held."""
    cells: Row = []
    for column in revision.document["fields"]:
        cell = _cell(record, version, moment, column, action, line)
        if cell is None:
            return None
        cells.append(cell)
    return cells


def _cell(
    record: Record, version: Version, moment: int, column: Mapping[str, Any], action: str, line: int
) -> str | None:
    if "constant" in column:
        return str(column["constant"])
    data, district = version.data, version.key[0]
    assert data is not None
    school = record.reference(moment, "school", district, data["school_id"])
    plain: dict[str, str | None] = {
        "tardy_id": version.key[1],
        "version": str(version.number),
        "action": action,
        "row_number": str(line),
        "comment": data.get("comment", ""),
        "student.local_id": data["student"]["local_id"],
    }
    if column["field"] in plain:
        return plain[column["field"]]
    if column["field"] == "behavior.external_reference_code":
        return _code(record, version, moment)
    if school is None:
        return None
    at = version.occurred_at.astimezone(ZoneInfo(school["time_zone"]))
    if column["field"] == "period.external_reference_code":
        return _period(record, version, moment, at)
    computed = {"date": f"{at:%Y-%m-%d}", "time": f"{at:%H:%M}", "school.sis_id": school["sis_school_id"]}
    return computed[column["field"]] or None


def word_on(record: Record, version: Version, moment: int) -> Mapping[str, Any] | None:
    """The administrator's word on the code in force at a moment: of the school, else of every school."""
    assert version.data is not None
    district, code = version.key[0], version.data["behavior_code"]
    for school_id in (version.data["school_id"], ""):
        word: Mapping[str, Any] | None = record.reference(moment, "word", district, school_id, code)
        if word is not None and not word["ended"]:
            return word
    return None


def is_never_sent(record: Record, version: Version, moment: int) -> bool:
    """Whether an administrator has said that the version's code is never sent."""
    word = word_on(record, version, moment)
    return word is not None and word["external_reference_code"] is None


def _code(record: Record, version: Version, moment: int) -> str | None:
    assert version.data is not None
    word = word_on(record, version, moment)
    if word is not None and word["external_reference_code"] is not None:
        return str(word["external_reference_code"])
    district, code = version.key[0], version.data["behavior_code"]
    own = record.reference(moment, "behavior_code", district, version.data["school_id"], code)
    entry = own or record.reference(moment, "behavior_code", district, "", code)
    reference: str | None = None if entry is None else entry["external_reference_code"]
    return reference


def _period(record: Record, version: Version, moment: int, at: datetime) -> str | None:
    assert version.data is not None
    bells = record.reference(moment, "bell_schedule", version.key[0], version.data["school_id"], "regular")
    for period in bells["periods"] if bells else ():
        if period["start"] <= f"{at:%H:%M}" < period["end"]:
            return (
                None if period["external_reference_code"] is None else str(period["external_reference_code"])
            )
    return None


def again(revision: Revision, row: Sequence[str], action: str, line: int) -> Row:
    """A delivered row once more, for another reason, at its place in another file."""
    anew = {"action": action, "row_number": str(line)}
    return [
        anew.get(column.get("field", ""), cell)
        for column, cell in zip(revision.document["fields"], row, strict=True)
    ]


def same(revision: Revision, left: Sequence[str], right: Sequence[str]) -> bool:
    """Whether two rows of this layout tell the SIS the same."""
    return again(revision, left, "", 0) == again(revision, right, "", 0)


def says_the_same(record: Record, revision: Revision, left: Version, right: Version, moment: int) -> bool:
    """Whether two versions tell the SIS the same by what is known at a moment: then it owes no correction."""
    assert left.data is not None and right.data is not None
    alike = all(left.data[name] == right.data[name] for name in ("school_id", "behavior_code", "occurred_at"))
    for column in revision.document["fields"]:
        cells = [_cell(record, version, moment, column, "", 0) for version in (left, right)]
        if cells[0] != cells[1] or (cells[0] is None and not alike):
            return False
    return True
