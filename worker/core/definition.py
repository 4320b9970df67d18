"""An export definition as the program works with it (`schemas.definition.document` has judged the document)."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, time
from typing import Any, Literal

from schemas.fields.zones import Zone, find_zone, zone_of
from schemas.known import unknown_part
from schemas.messages.payload import DEFAULT_DISTRICT
from worker.core.record_rules import FORMS, RecordForm
from worker.core.texts import composed
from worker.errors import PlugInError, UnreadableError

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
Collapse = Literal["none", "per_day", "per_session", "per_period"]
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

    @property
    def zone(self) -> Zone:
        """Its time zone. Raises UnknownZoneError."""
        return zone_of(self.time_zone)


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

    @property
    def is_numbered(self) -> bool:
        """Whether the name of a file bears its number."""
        return "{sequence" in self.name


NO_FILE = FileSpec("jsonl", "")
"""Of what sends records: values are judged, and shown, as in JSON Lines."""


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
    file: FileSpec  # NO_FILE where it sends records
    fields: tuple[FieldSpec, ...]
    records: RecordForm | None = None  # how its destination takes records; None: it takes a file
    corrections: str = "hold"
    backfill_from: date | None = None
    collapse: Collapse = "none"
    gap: Gap = "hold"
    max_age_days: int | None = None
    closes_at: time | None = None  # local, of the school
    blackout: tuple[tuple[date, date], ...] = ()  # first and last day, both included; merged
    collected_at: tuple[str, ...] = ()  # local times `HH:MM` of the schedule's zone at which the SIS collects
    pause_after_failures: int | None = None  # attempts in a row that failed for good
    guard_rows: int | None = None  # a run with more waits for a person

    def blackout_of(self, day: date) -> tuple[date, date] | None:
        """The days around this local day on which nothing is sent by itself, or None."""
        place = bisect_right(self.blackout, day, key=_first_day) - 1
        return self.blackout[place] if place >= 0 and day <= self.blackout[place][1] else None

    def is_blackout(self, day: date) -> bool:
        """Whether nothing is sent by itself on this local day."""
        return self.blackout_of(day) is not None

    @property
    def tells_action(self) -> bool:
        """Whether a row says that it is an add, a change or a void; of a record the request says it."""
        return self.records is not None or any(field.field == "action" for field in self.fields)

    def properties(self, values: Sequence[Any]) -> dict[str, Any]:
        """A row's values by its record's dotted properties."""
        return {spec.title: value for spec, value in zip(self.fields, values, strict=True)}

    @property
    def row_limit(self) -> int | None:
        """The most rows one run takes: only a continuous export bounds it."""
        return self.schedule.max_rows if self.schedule.frequency == "continuous" else None


def _first_day(span: tuple[date, date]) -> date:
    return span[0]


def parse_definition(document: Mapping[str, Any]) -> Definition:
    """Builds the definition from a stored document, which `load` of some version of
    `schemas.definition.document` has accepted.

    Raises UnreadableError where this version does not know all of it: leaving a part out could send what is wrong.
    """
    named = f"the definition of {document.get('export_id')}"
    if (problem := unknown_part(document)) is not None:
        raise UnreadableError(f"{named} belongs to another version of the program: {problem}")
    records = _record_form(document, named)
    try:
        definition = _definition(document, records)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UnreadableError(f"{named} cannot be read by this version ({type(error).__name__})") from error
    zone = definition.schedule.time_zone
    if find_zone(zone) is None:
        raise UnreadableError(f"{named} needs the time zone {zone!r}, which is not in the zone data here")
    return definition


def _record_form(document: Mapping[str, Any], named: str) -> RecordForm | None:
    """Raises UnreadableError where the definition has no file, and nothing here knows how its records go."""
    destination = document.get("destination")
    if not isinstance(destination, Mapping):
        return None
    known = FORMS.get(destination.get("type", ""))
    try:
        form = None if known is None else known(destination)
    except PlugInError as error:
        raise UnreadableError(f"{named}: {error}") from error
    except Exception as error:  # options of another version
        raise UnreadableError(f"{named}: its destination cannot be read ({type(error).__name__})") from error
    if (form is None) == ("file" in document):
        return form
    said = (
        "has no file, and its destination takes no records here"
        if form is None
        else "has a file and takes records"
    )
    raise UnreadableError(f"{named} {said}: it belongs to another version of the program or of a plug-in")


def _definition(document: Mapping[str, Any], records: RecordForm | None) -> Definition:
    return Definition(
        export_id=document["export_id"],
        district_id=document.get("district_id", DEFAULT_DISTRICT),
        name=document.get("name", document["export_id"]),
        schools=_some_or_all(document["schools"]),
        codes=_some_or_all(document["codes"]),
        schedule=_schedule(document["schedule"]),
        destination=document["destination"],
        file=NO_FILE if records is not None else FileSpec(**document["file"]),
        records=records,
        fields=tuple(_field(entry) for entry in document["fields"]),
        corrections=document.get("corrections", "hold"),
        backfill_from=date.fromisoformat(document["backfill_from"])
        if document.get("backfill_from")
        else None,
        collapse=document.get("collapse", "none"),
        gap=document.get("gap", "hold"),
        max_age_days=document.get("max_age_days"),
        closes_at=time.fromisoformat(document["closes_at"]) if document.get("closes_at") else None,
        blackout=merged(_span(day) for day in document.get("blackout", ())),
        collected_at=_many(document.get("collected_at") or ()),
        pause_after_failures=document.get("pause_after_failures"),
        guard_rows=document["guard"]["max_rows"] if document.get("guard") else None,
    )


def _field(entry: Mapping[str, Any]) -> FieldSpec:
    """Its header and the values it looks up are composed, as are the values they meet."""
    spec = FieldSpec(**entry)
    if spec.map is not None:
        spec = replace(spec, map={composed(key): value for key, value in spec.map.items()})
    return spec if spec.header is None else replace(spec, header=composed(spec.header))


def as_far_as_known(export_id: str, district_id: str, document: Mapping[str, Any]) -> Definition:
    """What can be shown of a definition that this version cannot read: never to judge or to send by."""
    try:
        return parse_definition(document)
    except UnreadableError:
        fields = document.get("fields")
        columns = fields if isinstance(fields, list) else []
        destination = document.get("destination")
        return Definition(
            export_id=export_id,
            district_id=district_id,
            name=str(document.get("name", export_id)),
            schools=None,
            codes=None,
            schedule=Schedule("manual", _known_zone(document)),
            destination=destination if isinstance(destination, Mapping) else {"type": "unknown"},
            file=FileSpec("csv", "unknown"),
            fields=tuple(_known_column(column) for column in columns if isinstance(column, Mapping)),
        )


def _known_zone(document: Mapping[str, Any]) -> str:
    schedule = document.get("schedule")
    zone = schedule.get("time_zone") if isinstance(schedule, Mapping) else None
    return zone if isinstance(zone, str) and find_zone(zone) is not None else "UTC"


def _known_column(column: Mapping[str, Any]) -> FieldSpec:
    named = {name: column[name] for name in ("field", "header") if isinstance(column.get(name), str)}
    return FieldSpec(**named)


def merged(spans: Iterable[tuple[date, date]]) -> tuple[tuple[date, date], ...]:
    """The same days in spans that neither overlap nor touch, the earliest first."""
    found: list[tuple[date, date]] = []
    for first, last in sorted(spans):
        if found and first.toordinal() <= found[-1][1].toordinal() + 1:
            found[-1] = (found[-1][0], max(found[-1][1], last))
        else:
            found.append((first, last))
    return tuple(found)


def _span(day: str | Mapping[str, str]) -> tuple[date, date]:
    first, last = (day, day) if isinstance(day, str) else (day["from"], day["to"])
    return date.fromisoformat(first), date.fromisoformat(last)


def _some_or_all(value: list[str] | str) -> frozenset[str] | None:
    return None if value == "all" else frozenset(value)


def _schedule(document: Mapping[str, Any]) -> Schedule:
    lists = {key: _many(document[key]) for key in ("at", "days", "on") if key in document}
    return Schedule(**{**document, **lists})


def _many(value: Sequence[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)
