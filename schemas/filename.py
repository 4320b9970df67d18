"""File names from a template: `lincoln_{date:%Y%m%d}_{sequence:04d}.csv`.

Known are {export}, {date}, {time}, {sequence} and {run}, each with a Python format spec: strftime for the
date and the time (both stand for the whole due moment; alone they are `%Y-%m-%d` and `%H%M%S`), a whole
number's for the sequence, a string's for the others, with widths of at most two digits. A name consists of
A-Z a-z 0-9 . _ - alone, has no "..", and does not begin with a dot.
"""

from __future__ import annotations

import re
from datetime import datetime
from string import Formatter

from schemas.formats import format_problem
from schemas.zones import zone_of

KNOWN = ("export", "date", "time", "sequence", "run")
LONGEST_NAME = 200
"""Characters of the longest file name; room is left for what temporary names add."""

_DEFAULT_SPECS = {"date": "%Y-%m-%d", "time": "%H%M%S"}
_is_name = re.compile(r"(?!\.)[A-Za-z0-9._-]+").fullmatch
_is_number_spec = re.compile(r"(?:.?[<>=^])?[-+ ]?0?[0-9]{0,2}[bdoxX]?").fullmatch
_is_text_spec = re.compile(r"(?:.?[<>^])?[0-9]{0,2}(?:\.[0-9]{1,2})?s?").fullmatch

#: One-digit and two-digit days and hours, winter and summer: what a template can render differently.
_SAMPLE_MOMENTS = (datetime(2026, 1, 5, 1, 2, 3), datetime(2026, 7, 25, 22, 45, 56))  # noqa: DTZ001 -- wall clocks
_SAMPLE_RUN = "01234567-89ab-cdef-0123-456789abcdef"


class FileNameError(ValueError):
    """A template or the name it renders cannot be used; the text says why."""


def render_name(template: str, *, export: str, due: datetime, sequence: int | None, run: str) -> str:
    """The file name of a run.

    `due` is aware, in the schedule's zone. `sequence` None (no number is taken, as in a preview) is shown
    as 0. Raises FileNameError where the template or the name is not as the module says.
    """
    values = {"export": export, "date": due, "time": due, "sequence": sequence or 0, "run": run}
    parts = [
        literal + (_value(name, spec, values[name]) if name else "")
        for literal, name, spec in _parse(template)
    ]
    return _checked("".join(parts))


def name_problem(template: str, *, export: str, time_zone: str) -> str | None:
    """What is wrong with a template, tried with samples in the schedule's zone; None: nothing."""
    zone = zone_of(time_zone)
    try:
        for sequence, moment in zip((1, 999_999), _SAMPLE_MOMENTS, strict=True):
            due = moment.replace(tzinfo=zone)
            render_name(template, export=export, due=due, sequence=sequence, run=_SAMPLE_RUN)
    except FileNameError as error:
        return str(error)
    return None


def _parse(template: str) -> list[tuple[str, str, str]]:
    """(literal, name or "", spec) in turn. Raises FileNameError."""
    try:
        parts = list(Formatter().parse(template))
    except ValueError:
        raise FileNameError("braces do not match; known are {" + "}, {".join(KNOWN) + "}") from None
    return [
        (literal, _known(name, spec, conversion), spec or "") for literal, name, spec, conversion in parts
    ]


def _known(name: str | None, spec: str | None, conversion: str | None) -> str:
    if name is None:
        return ""
    if name not in KNOWN or conversion:
        raise FileNameError(
            "only {" + "}, {".join(KNOWN) + "} can stand in braces, with or without a format spec"
        )
    problem = _spec_problem(name, spec) if spec else None
    if problem:
        raise FileNameError(f"{{{name}}}: {problem}")
    return name


def _spec_problem(name: str, spec: str) -> str | None:
    if name in _DEFAULT_SPECS:
        return format_problem(spec, "instant")
    if name == "sequence":
        return None if _is_number_spec(spec) else "its format spec must be a whole number's, like 04d"
    return None if _is_text_spec(spec) else "its format spec must be a string's, like .8"


def _value(name: str, spec: str, value: object) -> str:
    try:
        return format(value, spec or _DEFAULT_SPECS.get(name, ""))
    except ValueError:
        raise FileNameError(f"{{{name}}}: its format spec does not fit") from None


def _checked(name: str) -> str:
    if _is_name(name) is None or ".." in name:
        raise FileNameError(
            "a file name consists of A-Z a-z 0-9 . _ - alone (no space, no folder), "
            'has no ".." and does not begin with a dot'
        )
    if len(name) > LONGEST_NAME:
        raise FileNameError(f"the file name would have more than {LONGEST_NAME} characters")
    return name
