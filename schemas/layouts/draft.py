"""From a layout to a whole definition: what it fills, what was given beside it, None for what is left to fill in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from schemas.layouts.layout import Layout

_DAYS = ("mon", "tue", "wed", "thu", "fri")
_AT = ("15:30",)


@dataclass(frozen=True, slots=True)
class Given:
    """What somebody says who begins a definition with a layout; None, and nothing in a list: not said.

    `schools` and `codes` are ids, or `all` alone; `at` local times `HH:MM`.
    """

    export_id: str | None = None
    schools: Sequence[str] = ()
    codes: Sequence[str] = ()
    time_zone: str | None = None
    at: Sequence[str] = ()
    destination: Mapping[str, Any] | None = None


def draft(layout: Layout, given: Given) -> dict[str, Any]:
    """The definition as far as it is known; `blanks` are what a person fills in."""
    return {
        "export_id": given.export_id or layout.name.replace("_", "-"),
        "name": layout.title,
        "schools": _some_or_all(given.schools),
        "codes": _some_or_all(given.codes),
        "schedule": _schedule(layout, given),
        "destination": dict(given.destination or layout.destination),
        **layout.parts,
    }


def _schedule(layout: Layout, given: Given) -> dict[str, Any]:
    """A file goes once a school day, records as tardies come, unless times were given."""
    if _takes_records(layout) and not given.at:
        return {"frequency": "continuous", "time_zone": given.time_zone}
    return {
        "frequency": "daily",
        "at": list(given.at or _AT),
        "days": list(_DAYS),
        "time_zone": given.time_zone,
        "school_days_only": True,
    }


def _takes_records(layout: Layout) -> bool:
    return "file" not in layout.parts


def blanks(value: Any, path: str = "") -> Iterator[str]:
    """The paths of what is None in a draft."""
    if value is None:
        yield path
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            yield from blanks(inner, f"{path}.{name}" if path else name)


def remarks(layout: Layout) -> dict[str, str]:
    """By a part of the definition, what whoever fills it in has to know; the part's own blanks are told apart."""
    return {
        "export_id": "A name of your own: a-z, 0-9 and -.",
        "schools": 'The schools, by the ids the behavior system gives them, in quotes: ["0012"]; or: all.',
        "codes": 'The behavior codes that go, as the behavior system calls them: ["TARDY"]; or: all.',
        "schedule": f"{_WHEN[_takes_records(layout)]}, by the clock of time_zone, such as America/Chicago.",
        "destination": "Where it goes. Passwords and keys are named here and kept elsewhere.",
        "fields": "The record's properties." if _takes_records(layout) else "The columns, in their order.",
        **({"collapse": _COLLAPSED[layout.parts["collapse"]]} if "collapse" in layout.parts else {}),
    }


_WHEN = {
    True: "When it runs (continuous: within seconds)",
    False: "When it runs (before the receiver collects)",
}
_COLLAPSED = {
    "none": "Every tardy goes.",
    "per_day": "Of a student's tardies in one day only the earliest goes.",
    "per_session": "Of a student's tardies in one session of a day only the earliest goes.",
    "per_period": "Of a student's tardies in one period only the earliest goes.",
}


def _some_or_all(names: Sequence[str]) -> list[str] | str | None:
    if not names:
        return None
    return "all" if list(names) == ["all"] else list(names)
