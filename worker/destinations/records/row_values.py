"""A row's properties on their way to an SIS: what it can never take, and how it wants a value written."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

Properties = Mapping[str, Any]

RowProblem = Callable[[Properties], str | None]
"""Why the SIS can never take a row, as of `RecordForm.problem`."""

_clock = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])(?::([0-5][0-9]))?").fullmatch
_whole = re.compile(r"[0-9]{1,18}").fullmatch
_day = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}").fullmatch


def problems(*checks: RowProblem) -> RowProblem:
    """The first problem that one of the checks finds in a row."""

    def check(properties: Properties) -> str | None:
        return next((said for one in checks if (said := one(properties)) is not None), None)

    return check


def filled(*names: str) -> RowProblem:
    """None of these is empty."""

    def check(properties: Properties) -> str | None:
        empty = [name for name in names if is_empty(properties.get(name))]
        return f"{empty[0]} is empty, which the SIS requires" if empty else None

    return check


def ids(*names: str) -> RowProblem:
    """Each of these that is there is an id as the SIS counts them: a whole number."""
    return _each(names, lambda value: whole(value) is not None, "must be the SIS's own id, a whole number")


def clocks(*names: str) -> RowProblem:
    """Each of these that is there is a time of day, or seconds since midnight."""
    return _each(names, lambda value: seconds(value) is not None, "must be a time such as 08:30")


def days(*names: str) -> RowProblem:
    """Each of these that is there is a date as in 2026-10-06."""
    return _each(names, lambda value: bool(_day(str(value))), "must be a date such as 2026-10-06")


def mapped(name: str, table: Mapping[str, Any], option: str) -> RowProblem:
    """What stands there is named in the destination's option, or is the SIS's own id already."""

    def fits(value: Any) -> bool:
        return str(value) in table or whole(value) is not None

    return _each((name,), fits, f"is no id of the SIS's: map it in the destination's `{option}`")


def _each(names: tuple[str, ...], fits: Callable[[Any], bool], says: str) -> RowProblem:
    def check(properties: Properties) -> str | None:
        wrong = [name for name in names if not is_empty(properties.get(name)) and not fits(properties[name])]
        return f"{wrong[0]} {says}" if wrong else None

    return check


def is_empty(value: Any) -> bool:
    """Whether a property has no value."""
    return value is None or value == ""


def given(properties: Properties) -> dict[str, Any]:
    """Those that have a value."""
    return {name: value for name, value in properties.items() if not is_empty(value)}


def whole(value: Any) -> int | None:
    """The whole number that is written there; None: it is none."""
    if isinstance(value, bool) or not isinstance(value, int | str) or not _whole(str(value)):
        return None
    return int(value)


def number(value: Any) -> Any:
    """An id as the number it is; what is none stays as it is."""
    found = whole(value)
    return value if found is None else found


def seconds(value: Any) -> int | None:
    """Seconds since midnight, of `08:30`, `08:30:15` or such seconds themselves; None: it is no time of day."""
    if (count := whole(value)) is not None:
        return count if count < 86_400 else None
    found = _clock(str(value))
    if found is None:
        return None
    return int(found[1]) * 3600 + int(found[2]) * 60 + int(found[3] or 0)


def sis_code(value: Any, table: Mapping[str, Any]) -> Any:
    """The SIS's id of an External Reference Code, which may be that id already."""
    return number(table.get(str(value), value))
