"""An export definition as the program works with it (the document is `schemas.definition`'s, already valid)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, time
from typing import Any, Literal

from worker.core.texts import composed

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
Collapse = Literal["none", "per_day", "per_period"]
Gap = Literal["hold", "next", "previous"]
Frequency = Literal["manual", "continuous", "interval", "hourly", "daily", "weekly", "cron"]


@dataclass(frozen=True, slots=True)
class Schedule:
    """When an export runs. `at` are local times `HH:MM`; `days` and `on` weekday names of WEEKDAYS."""

    frequency: Frequency
    time_zone: str
    at: tuple[str, ...] = ()
    days: tuple[str, ...] = WEEKDAYS
    on: tuple[str, ...] = ()
    minute: int = 0
    every_minutes: int = 0
    expression: str = ""
    linger_seconds: float = 5
    max_rows: int = 1000
    school_days_only: bool = False


@dataclass(frozen=True, slots=True)
class FileSpec:
    """How the file is written and named. `delimiter` … `header` concern csv alone, `line_ending` and `encoding` all."""

    format: str
    name: str
    delimiter: str = ","
    quoting: str = "minimal"
    line_ending: str = "crlf"
    encoding: str = "utf-8"
    header: bool = True
    if_exists: str = "wait"
    when_empty: str = "skip"
    control_characters: str | None = None

    @property
    def is_one_line(self) -> bool:
        """Whether a run of line breaks and control characters in a value becomes one blank."""
        usual = "keep" if self.format == "jsonl" else "space"
        return (self.control_characters or usual) == "space"


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """One column: a field of the catalogue or a constant, and how its value is written."""

    field: str | None = None
    constant: str | int | float | bool | None = None
    header: str | None = None
    format: str | None = None
    default: str | int | float | bool | None = None
    required: bool = False
    map: Mapping[str, Any] | None = None
    max_length: int | None = None
    width: int | None = None
    align: str = "left"
    pad: str = " "
    case: str | None = None

    @property
    def title(self) -> str:
        """The column's header: as configured, else the field's own name."""
        return self.header if self.header is not None else (self.field or "")


@dataclass(frozen=True, slots=True)
class Definition:
    """One revision of an export. `schools` and `codes`: None stands for "all"."""

    export_id: str
    district_id: str
    name: str
    schools: frozenset[str] | None
    codes: frozenset[str] | None
    schedule: Schedule
    destination: Mapping[str, Any]
    file: FileSpec
    fields: tuple[FieldSpec, ...]
    corrections: str = "hold"
    backfill_from: date | None = None
    collapse: Collapse = "none"
    gap: Gap = "hold"
    max_age_days: int | None = None
    closes_at: time | None = None  # local, of the school
    blackout: tuple[tuple[date, date], ...] = ()  # first and last day, both included
    guard_rows: int | None = None  # a run with more waits for a person

    def is_blackout(self, day: date) -> bool:
        """Whether nothing is sent by itself on this local day."""
        return any(first <= day <= last for first, last in self.blackout)

    @property
    def tells_action(self) -> bool:
        """Whether a row says that it is an add, a change or a void."""
        return any(field.field == "action" for field in self.fields)

    @property
    def row_limit(self) -> int | None:
        """The most rows one run takes: only a continuous export bounds it."""
        return self.schedule.max_rows if self.schedule.frequency == "continuous" else None


def parse_definition(document: Mapping[str, Any]) -> Definition:
    """Builds the definition from a document that `schemas.definition.load` has accepted."""
    return Definition(
        export_id=document["export_id"],
        district_id=document.get("district_id", "default"),
        name=document.get("name", document["export_id"]),
        schools=_some_or_all(document["schools"]),
        codes=_some_or_all(document["codes"]),
        schedule=_schedule(document["schedule"]),
        destination=document["destination"],
        file=FileSpec(**document["file"]),
        fields=tuple(_field(entry) for entry in document["fields"]),
        corrections=document.get("corrections", "hold"),
        backfill_from=date.fromisoformat(document["backfill_from"])
        if document.get("backfill_from")
        else None,
        collapse=document.get("collapse", "none"),
        gap=document.get("gap", "hold"),
        max_age_days=document.get("max_age_days"),
        closes_at=time.fromisoformat(document["closes_at"]) if document.get("closes_at") else None,
        blackout=tuple(_span(day) for day in document.get("blackout", ())),
        guard_rows=document["guard"]["max_rows"] if document.get("guard") else None,
    )


def _field(entry: Mapping[str, Any]) -> FieldSpec:
    """Its header and the values it looks up are composed, as are the values they meet."""
    spec = FieldSpec(**entry)
    if spec.map is not None:
        spec = replace(spec, map={composed(key): value for key, value in spec.map.items()})
    return spec if spec.header is None else replace(spec, header=composed(spec.header))


def _span(day: str | Mapping[str, str]) -> tuple[date, date]:
    first, last = (day, day) if isinstance(day, str) else (day["from"], day["to"])
    return date.fromisoformat(first), date.fromisoformat(last)


def _some_or_all(value: list[str] | str) -> frozenset[str] | None:
    return None if value == "all" else frozenset(value)


def _schedule(document: Mapping[str, Any]) -> Schedule:
    lists = {key: _many(document[key]) for key in ("at", "days", "on") if key in document}
    return Schedule(**{**document, **lists})


def _many(value: list[str] | str) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)
