"""What an export owes for a tardy: does it belong, and how does its row read? Written from the contract alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from schemas.definition.export_fields import EXPORT_FIELDS
from tests.histories.cells import Cell, Held, Row, fitted, written
from tests.histories.record import Record, Revision, Version

_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_LOOKED_UP_BY = ("school_id", "behavior_code", "occurred_at", "period", "student")
Native = Cell | date | time


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
    document = revision.document
    known = _Known(record, document, version, moment)
    try:
        return [fitted(document, column, known.cell(column, action, line)) for column in document["fields"]]
    except Held:
        return None


def group_of(record: Record, revision: Revision, version: Version, moment: int) -> tuple[str, ...] | None:
    """The day, session or period in which a definition that collapses lets one of the student's tardies go; None: it
    is not known."""
    assert version.data is not None
    known = _Known(record, revision.document, version, moment)
    try:
        group: tuple[str, ...] = (version.data["student"]["id"], known.local.date().isoformat())
        if revision.document["collapse"] == "per_session":
            group += (str(known.value("session")),)
        if revision.document["collapse"] == "per_period":
            group += (version.data["school_id"], str(known.value("period")))
    except Held:
        return None
    return group


class _Known:
    """A version with what is known of its school, code and period at a moment."""

    def __init__(self, record: Record, document: Mapping[str, Any], version: Version, moment: int) -> None:
        assert version.data is not None
        self._record, self._document, self._version, self._moment = record, document, version, moment
        self._data, self._district = version.data, version.key[0]

    def cell(self, column: Mapping[str, Any], action: str, line: int) -> Cell:
        """What stands in the column, whether or not it may. Raises Held."""
        return written(column, self._native(column, action, line))

    def _native(self, column: Mapping[str, Any], action: str, line: int) -> Native:
        if "constant" in column:
            constant: Cell = column["constant"]
            return constant
        if column["field"] in ("action", "row_number"):
            return action if column["field"] == "action" else line
        try:
            return self.value(column["field"])
        except Held:
            if "default" in column:
                return None
            raise

    def value(self, name: str) -> Native:
        """The field's value. Raises Held: something that it needs is not known."""
        match name:
            case "tardy_id" | "version":
                return self._version.key[1] if name == "tardy_id" else self._version.number
            case "date":
                return self.local.date()
            case "time":
                return self.local.time()
            case "occurred_at":
                return self.local
            case "recorded_at":
                return self._recorded_at()
            case "school_year":
                return self._school_year()
            case "session":
                return self._session()
            case "school.name" | "school.sis_id":
                wanted = "name" if name == "school.name" else "sis_school_id"
                found: Cell = self.school.get(wanted)
                return found
            case "behavior.name":
                return str(self._published_code()["name"])
            case "behavior.external_reference_code":
                return self._code()
            case "period":
                return str(self._data.get("period") or self._period()["name"])
            case "period.external_reference_code":
                return self._needed(self._period().get("external_reference_code"))
            case _ if name in EXPORT_FIELDS and EXPORT_FIELDS[name].path is None:
                raise NotImplementedError(
                    f"nobody has said what the field {name} is: a case in tests/histories/expected.py"
                )
            case _:
                return self._plain(name)

    def _plain(self, name: str) -> Cell:
        value: Any = self._data
        renamed = {"school.id": "school_id", "behavior.code": "behavior_code"}.get(name, name)
        for step in renamed.split("."):
            value = (value or {}).get(step)
        cell: Cell = value
        return cell

    @property
    def school(self) -> Mapping[str, Any]:
        school = self._record.reference(self._moment, "school", self._district, self._data["school_id"])
        if school is None:
            raise Held
        found: Mapping[str, Any] = school
        return found

    @property
    def local(self) -> datetime:
        """Its time on the school's clock."""
        return self._version.occurred_at.astimezone(ZoneInfo(self.school["time_zone"]))

    def _recorded_at(self) -> datetime | None:
        if "recorded_at" not in self._data:
            return None
        zone = zone_of(self._record, self._district, self._data["school_id"], self._moment)
        return datetime.fromisoformat(self._data["recorded_at"]).astimezone(zone or UTC)

    def _school_year(self) -> str:
        starts = self.school.get("school_year_starts", "07-01")
        begun = starts != "01-01" and f"{self.local:%m-%d}" >= starts
        return str(self.local.year + begun)

    def _session(self) -> str:
        """By the beginning of the period, else by the time."""
        begins = f"{self.local:%H:%M}"
        with suppress(Held):
            begins = self._period()["start"]
        return "AM" if begins < "12:00" else "PM"

    def _published_code(self) -> Mapping[str, Any]:
        code = self._data["behavior_code"]
        for school_id in (self._data["school_id"], ""):
            entry = self._record.reference(self._moment, "behavior_code", self._district, school_id, code)
            if entry is not None:
                found: Mapping[str, Any] = entry
                return found
        raise Held

    def _code(self) -> str:
        word = word_on(self._record, self._version, self._moment)
        if word is not None and word["external_reference_code"] is not None:
            return str(word["external_reference_code"])
        return self._needed(self._published_code()["external_reference_code"])

    def _needed(self, reference: str | None) -> str:
        if not reference:
            raise Held
        return reference

    def _period(self) -> Mapping[str, Any]:
        """By the tardy's own name for it, else by the time, else by what the definition says of gaps."""
        clock, name = f"{self.local:%H:%M}", self._data.get("period")
        periods = self._bells()["periods"]
        if name:
            found = [period for period in periods if period["name"] == name]
        else:
            found = [period for period in periods if period["start"] <= clock < period["end"]]
            found = found or self._beside(periods, clock)
        if not found:
            raise Held
        period: Mapping[str, Any] = found[0]
        return period

    def _beside(self, periods: Sequence[Mapping[str, Any]], clock: str) -> list[Mapping[str, Any]]:
        match self._document.get("gap", "hold"):
            case "next":
                return sorted((one for one in periods if one["start"] > clock), key=lambda one: one["start"])
            case "previous":
                before = (one for one in periods if one["end"] <= clock)
                return sorted(before, key=lambda one: one["end"], reverse=True)
            case _:
                return []

    def _bells(self) -> Mapping[str, Any]:
        """The one bell schedule that applies: the grade's before everybody's, a date before a weekday before the
        default."""
        day = self.local.date()
        every = self._record.references(
            self._moment, "bell_schedule", self._district, self._data["school_id"]
        )
        in_force = [
            bells
            for bells in every
            if bells.get("effective_from", "") <= day.isoformat() <= bells.get("effective_until", "9999")
        ]
        grade = self._data["student"].get("grade")
        own = [bells for bells in in_force if grade in bells.get("grades", ())]
        for mine in (own, [bells for bells in in_force if not bells.get("grades")]):
            for claims in (
                lambda bells: day.isoformat() in bells.get("dates", ()),
                lambda bells: _WEEKDAYS[day.weekday()] in bells.get("weekdays", ()),
                lambda bells: bells.get("default", False),
            ):
                entitled = [bells for bells in mine if claims(bells)]
                if len(entitled) > 1:
                    raise Held
                if entitled:
                    found: Mapping[str, Any] = entitled[0]
                    return found
        raise Held


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


def again(revision: Revision, row: Sequence[Cell], action: str, line: int) -> Row | None:
    """A delivered row once more, for another reason, at its place in another file; None: there it cannot stand."""
    anew: Mapping[str, Cell] = {"action": action, "row_number": line}
    document = revision.document
    try:
        return [
            fitted(document, column, written(column, anew[column["field"]]) if _is_ours(column) else cell)
            for column, cell in zip(document["fields"], row, strict=True)
        ]
    except Held:
        return None


def _is_ours(column: Mapping[str, Any]) -> bool:
    """Whether it tells of the row and not of the tardy."""
    return column.get("field") in ("action", "row_number")


def same(revision: Revision, left: Sequence[Cell], right: Sequence[Cell]) -> bool:
    """Whether two rows of this layout tell the SIS the same."""
    columns = revision.document["fields"]
    return all(
        _is_ours(column) or one == other for column, one, other in zip(columns, left, right, strict=True)
    )


def says_the_same(record: Record, revision: Revision, left: Version, right: Version, moment: int) -> bool:
    """Whether two versions tell the SIS the same by what is known at a moment: then it owes no correction. What is
    not known is the same if it is looked up by the same."""
    columns = [column for column in revision.document["fields"] if not _is_ours(column)]
    readings = [_reading(record, revision, version, moment, columns) for version in (left, right)]
    return readings[0] == readings[1]


def _reading(
    record: Record, revision: Revision, version: Version, moment: int, columns: Sequence[Mapping[str, Any]]
) -> list[Any]:
    known, data = _Known(record, revision.document, version, moment), version.data
    assert data is not None
    found: list[Any] = []
    for column in columns:
        try:
            found.append(known.cell(column, "", 0))
        except Held:
            found.append([data.get(name) for name in _LOOKED_UP_BY])
    return found
