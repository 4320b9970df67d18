"""From a tardy to the row a definition wants of it: the values, or why it cannot go out as it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from functools import lru_cache
from typing import Any

from schemas.definition.export_fields import find_field
from schemas.fields.times import stored_instant
from schemas.fields.zones import source as zone_source
from worker.core.bells import (
    BellSchedule,
    Period,
    Session,
    period_at,
    session_at,
)
from worker.core.definition import Definition, FieldSpec, FileSpec, Gap
from worker.core.formats import FORMATS
from worker.core.kept import Kept
from worker.core.references import BehaviorCode, References, School
from worker.core.texts import composed, dated, on_one_line, title_case

Value = str | int | float | bool | None
Native = Value | date | time | datetime

DEFAULT_FORMATS = {"date": "%Y-%m-%d", "time": "%H:%M"}
_CASES: Mapping[str, Callable[[str], str]] = {"upper": str.upper, "lower": str.lower, "title": title_case}
_UNCOMPARED = ("action", "row_number")  # differ between two rows of the same content
_LOOKED_UP_BY = ("school_id", "behavior_code", "period", "student")
"""What of a tardy, beside its time, decides which reference data its row is made with."""


class Unwritable(Exception):
    """A column's value cannot be written yet. `code` is for programs, the text for a person."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code


@dataclass(frozen=True)
class Tardy:
    """One version of a tardy with what is known about its school and code.

    `gap` is the definition's: what a time outside every period counts as.
    """

    tardy_id: str
    version: int
    document: Mapping[str, Any]
    occurred_at: datetime
    references: References
    gap: Gap = "hold"

    @Kept
    def school(self) -> School:
        school_id = self.document["school_id"]
        school = self.references.schools.get(school_id)
        if school is None:
            raise Unwritable("school-unknown", school_not_known(school_id))
        return school

    @Kept
    def local(self) -> datetime:
        if self.school.zone is None:
            raise Unwritable(
                "zone-unknown",
                f"the time zone of school {self.school.school_id} is not in the zone data {zone_source()}",
            )
        return self.occurred_at.astimezone(self.school.zone)

    @Kept
    def behavior(self) -> BehaviorCode:
        code, school_id = self.document["behavior_code"], self.document["school_id"]
        behavior = self.references.code(school_id, code)
        if behavior is None:
            raise Unwritable("code-unknown", code_not_known(code, school_id))
        return behavior

    @Kept
    def bells(self) -> BellSchedule:
        """The bell schedule that the school follows on that day for the student's grade."""
        school_id = self.school.school_id
        grade = (self.document.get("student") or {}).get("grade")
        schedule = self.references.bell_schedule(school_id, self.local.date(), grade)
        if isinstance(schedule, str):
            raise Unwritable("period-missing", f"{no_bells(school_id)}{schedule}")
        return schedule

    @Kept
    def period(self) -> Period:
        """The period in the school's bell schedule of that day, by the tardy's own name for it, else by time."""
        schedule, name = self.bells, self.document.get("period")
        period = period_at(schedule, self.local, name, self.gap)
        if period is None:
            how = "has no period of that name" if name else "has no period at that time"
            if self.gap != "hold" and not name:
                how += f", and no {self.gap} one that day"
            where = bells_named(schedule.bell_schedule_id, self.school.school_id)
            raise Unwritable("period-missing", f"{where} {how}")
        return period

    @property
    def period_name(self) -> str:
        """What the tardy itself calls its period, else the bell schedule's name for it. Raises Unwritable."""
        return self.document.get("period") or self.period.name

    @property
    def session(self) -> Session:
        """By when its period begins, so that one which crosses noon is of one session; where no period is known, by
        its time. Raises Unwritable where the school's clock is not known."""
        local = self.local
        try:
            return session_at(self.period.start)
        except Unwritable:
            return session_at(f"{local:%H:%M}")


def code_not_known(code: str, school_id: str) -> str:
    """The reason of a row that waits for `behavior_code.saved`, or for the administrator's word."""
    return f"behavior code {code} is not known for school {school_id}"


def code_lacks_reference(code: str, school_id: str) -> str:
    """The reason of a row that waits for its code's External Reference Code."""
    return f"behavior code {code} has no External Reference Code for school {school_id}"


def school_not_known(school_id: str) -> str:
    """The reason of a row that waits for `school.saved`."""
    return f"school {school_id} is not known (no school.saved has arrived)"


def no_bells(school_id: str) -> str:
    """How the reason of a row begins that waits for a bell schedule which applies to its day."""
    return f"school {school_id}: "


def bells_named(bell_schedule_id: str, school_id: str) -> str:
    """How the reason of a row names the bell schedule that lacks its period."""
    return f"bell schedule {bell_schedule_id} of school {school_id}"


def period_lacks_reference(name: str, bell_schedule_id: str, school_id: str) -> str:
    """The reason of a row that waits for its period's External Reference Code."""
    return f"period {name} in {bells_named(bell_schedule_id, school_id)} has no External Reference Code"


def _period_reference(tardy: Tardy) -> str:
    period = tardy.period
    if not period.external_reference_code:
        reason = period_lacks_reference(period.name, tardy.bells.bell_schedule_id, tardy.school.school_id)
        raise Unwritable("period-reference-missing", reason)
    return period.external_reference_code


def _behavior_reference(tardy: Tardy) -> str:
    code, school_id = tardy.document["behavior_code"], tardy.document["school_id"]
    reference = tardy.references.code_reference(school_id, code)
    if not reference:
        raise Unwritable("code-reference-missing", code_lacks_reference(tardy.behavior.code, school_id))
    return reference


def _recorded_at(tardy: Tardy) -> datetime | None:
    text = tardy.document.get("recorded_at")
    if text is None:
        return None
    zone, moment = tardy.references.zone(tardy.document["school_id"]), stored_instant(text)
    return moment.astimezone(zone) if zone else moment


def _school_year(tardy: Tardy) -> str:
    """The year in which the school year ends; one that begins on 1 January ends in the year it began in."""
    starts, day = tardy.school.year_starts, tardy.local.date().isoformat()
    begun = day[5:] >= starts and starts != "01-01"
    return f"{tardy.local.year + 1:04d}" if begun else day[:4]


COMPUTED: Mapping[str, Callable[[Tardy], Native]] = {
    "version": lambda tardy: tardy.version,
    "date": lambda tardy: tardy.local.date(),
    "time": lambda tardy: tardy.local.time(),
    "occurred_at": lambda tardy: tardy.local,
    "recorded_at": _recorded_at,
    "school_year": _school_year,
    "session": lambda tardy: tardy.session,
    "school.name": lambda tardy: tardy.school.name,
    "school.sis_id": lambda tardy: tardy.school.sis_school_id,
    "behavior.name": lambda tardy: tardy.behavior.name,
    "behavior.external_reference_code": _behavior_reference,
    "period": lambda tardy: tardy.period_name,
    "period.external_reference_code": _period_reference,
}


def build_row(definition: Definition, tardy: Tardy, *, action: str, line: int) -> list[Value]:
    """The row's values in column order. Raises Unwritable with every column's reason, the first one's code."""
    return _row(definition, lambda spec: _written(spec, _native(spec, tardy, action, line)))


def _row(definition: Definition, written: Callable[[FieldSpec], Value]) -> list[Value]:
    """What `written` says of each column, if it may stand there: the same is asked of every row, whatever it goes
    for."""
    values: list[Value] = []
    problems: dict[str, str] = {}
    for spec in definition.fields:
        try:
            values.append(_checked(spec, written(spec), definition.file))
        except Unwritable as problem:
            problems.setdefault(str(problem), problem.code)
    if problems:
        raise Unwritable(next(iter(problems.values())), "; ".join(problems))
    return values


def same_row(definition: Definition, left: list[Value], right: list[Value]) -> bool:
    """Whether two rows say the same to the SIS, whatever their place in a file or the reason they went."""
    if len(left) != len(right) or len(left) != len(definition.fields):
        return False
    kept = [index for index, spec in enumerate(definition.fields) if spec.field not in _UNCOMPARED]
    return all(left[index] == right[index] for index in kept)


def same_tardy(definition: Definition, left: Tardy, right: Tardy) -> bool:
    """Whether two versions make the same row by what is known today: then whatever an earlier row says otherwise is
    the doing of reference data saved since. What is not known today is the same if it is looked up by the same."""
    kept = [spec for spec in definition.fields if spec.field not in _UNCOMPARED]
    return all(_reading(spec, left) == _reading(spec, right) for spec in kept)


def _reading(spec: FieldSpec, tardy: Tardy) -> tuple[Any, ...]:
    try:
        return (_written(spec, _native(spec, tardy, "", 0)),)
    except Unwritable as problem:
        given = (tardy.document.get(name) for name in _LOOKED_UP_BY)
        return (str(problem), tardy.occurred_at, *given)


def once_more(definition: Definition, values: list[Value], action: str, line: int) -> list[Value]:
    """The row again, sent for another reason and as another line of its file. Raises Unwritable as `build_row` does:
    the word for the reason may be too long, the file another one than the row was written for."""
    anew: Mapping[str | None, Native] = {"action": action, "row_number": line}
    there = iter(values)

    def written(spec: FieldSpec) -> Value:
        value = next(there)
        return _written(spec, anew[spec.field]) if spec.field in anew else value

    return _row(definition, written)


def written_in(spec: FieldSpec, native: Native, file: FileSpec) -> Value:
    """How a value is written in a column of the file. Raises Unwritable where it may not stand there."""
    return _checked(spec, _written(spec, native), file)


def _checked(spec: FieldSpec, value: Value, file: FileSpec) -> Value:
    """The value, if it may stand in its column."""
    if type(value) is str and not (value.isascii() and value.isprintable()):
        value = _fitted(value, file)
    if spec.required and value in (None, ""):
        raise Unwritable("required-empty", f"{_label(spec)} is required and empty")
    if spec.max_length is not None and len(str(value if value is not None else "")) > spec.max_length:
        raise Unwritable("too-long", f"{_label(spec)} is longer than {spec.max_length} characters")
    problem = FORMATS[file.format].problem(value, spec, file)
    if problem:
        raise Unwritable("not-writable", f"{_label(spec)}: {problem}")
    return value


def _label(spec: FieldSpec) -> str:
    return spec.field or spec.title or "constant"


def _fitted(text: str, file: FileSpec) -> str:
    """As it is measured and encoded: composed and, unless the file says otherwise, on one line."""
    text = composed(text)
    return on_one_line(text) if file.is_one_line else text


def _native(spec: FieldSpec, tardy: Tardy, action: str, line: int) -> Native:
    name = spec.field
    if name is None:
        return spec.constant
    if name == "action":
        return action
    if name == "row_number":
        return line
    try:
        return COMPUTED[name](tardy) if name in COMPUTED else _plain(name, tardy)
    except Unwritable:
        if spec.default is None:
            raise
        return None


def _plain(name: str, tardy: Tardy) -> Value:
    path = path_of(name)
    if path is None:
        raise Unwritable("field-unknown", f"{name} is not a field that this version can export")
    value: Any = tardy.document
    for step in path:
        value = value.get(step) if isinstance(value, (dict, Mapping)) else None
    return value  # type: ignore[no-any-return]  # the schema let scalars through alone


@lru_cache(maxsize=1024)
def path_of(name: str) -> tuple[str, ...] | None:
    """Where a plain field stands in a tardy's document; None: it is none that this version knows."""
    field = find_field(name)
    return None if field is None else field.path


def _written(spec: FieldSpec, native: Native) -> Value:
    """Default, then date format, map and case, in this order; a default goes out as it stands."""
    if native is None or native == "":
        return spec.default if spec.default is not None else native  # type: ignore[return-value]
    value = native if type(native) is str else formatted(spec, native)
    if type(value) is str and not value.isascii():
        value = composed(value)
    if spec.map is not None:
        value = spec.map.get(_key(value), value)
    return _CASES[spec.case](value) if spec.case and isinstance(value, str) else value


def formatted(spec: FieldSpec, native: Native) -> Value:
    """A day, a time or a moment as text; anything else as it is."""
    if isinstance(native, datetime):
        return dated(native, spec.format) if spec.format else native.isoformat()
    if isinstance(native, time):
        return dated(native, spec.format or DEFAULT_FORMATS["time"])
    if isinstance(native, date):
        return dated(native, spec.format or DEFAULT_FORMATS["date"])
    return native


def _key(value: Value) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
