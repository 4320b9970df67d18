"""File names from a template: `lincoln_{date:%Y%m%d}_{sequence:04d}.csv`.

Known are {export}, {date}, {time}, {sequence} and {run}, each with a Python format spec: strftime for the
date and the time (both stand for the whole due moment; alone they are `%Y-%m-%d` and `%H%M%S`), a whole
number's for the sequence, a string's for the others, with widths of at most two digits. A name consists of
A-Z a-z 0-9 . _ - alone, has no "..", and does not begin with a dot.

When a definition is saved the template is judged by all it can come to, whatever the month, weekday or number;
then names are refused too that mean something else to the program or to a Windows machine.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from string import Formatter

from schemas.definition.filename_shape import (
    HEX,
    Shape,
    literal,
    longest,
    of_moment,
    of_run,
    of_sequence,
    overlap,
)
from schemas.fields.strftime import format_problem
from schemas.fields.zones import zone_of

KNOWN = ("export", "date", "time", "sequence", "run")
LONGEST_NAME = 200
"""Characters, and so bytes, of the longest file name. A folder takes 255; a temporary name adds 41."""

_DEFAULT_SPECS = {"date": "%Y-%m-%d", "time": "%H%M%S"}
_is_name = re.compile(r"(?!\.)[A-Za-z0-9._-]+").fullmatch
_is_number_spec = re.compile(r"(?:.?[<>=^])?[-+ ]?0?[0-9]{0,2}[bdoxX]?").fullmatch
_allowed = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-")
_is_text_spec = re.compile(r"(?:.?[<>^])?[0-9]{0,2}(?:\.[0-9]{1,2})?s?").fullmatch

_SAMPLE_MOMENTS = (datetime(2026, 1, 5, 1, 2, 3), datetime(2026, 7, 25, 22, 45, 56))  # noqa: DTZ001 -- wall clocks
_SAMPLE_RUN = "0123456789abcdef0123456789abcdef"
_LARGEST = 2**31 - 1  # that the database can count to
_ENOUGH = 12  # digits of a random id that nobody meets twice
_LIKELY = 9_999_999  # no export comes to more files

_ends_as_temporary = re.compile(r".*\.(?:part|fenced|mark)", re.IGNORECASE).fullmatch
_is_own = re.compile(r"(?:writeback|inbox)\.sqlite3.*", re.IGNORECASE).fullmatch
_is_device = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\..*)?", re.IGNORECASE).fullmatch


_CONSISTS_OF = (
    "a file name consists of A-Z a-z 0-9 . _ - alone (no space, no folder), "
    'has no ".." and does not begin with a dot'
)


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
            name = render_name(template, export=export, due=due, sequence=sequence, run=_SAMPLE_RUN)
            _refuse_reserved(name)
        shape = _shape(template, export, time_zone, _LARGEST)
        _refuse_characters(frozenset().union(*(span.chars for span in shape)))
        _refuse_length(longest(shape))
    except FileNameError as error:
        return str(error)
    return None


@dataclass(frozen=True, slots=True)
class FileNaming:
    """How an export names its files."""

    template: str
    export: str
    time_zone: str


def names_may_meet(one: FileNaming, other: FileNaming) -> bool:
    """Whether two exports can come to give two files one name. Errs on the side of yes."""
    try:
        if any(_bears_run(each.template) for each in (one, other)):
            return False
        shapes = [_shape(each.template, each.export, each.time_zone, _LIKELY) for each in (one, other)]
    except (KeyError, TypeError, ValueError):  # one is of a newer program
        return one.template == other.template
    return overlap(*shapes)


def _bears_run(template: str) -> bool:
    """Whether so much of the run's random id is in the name that no other file will ever bear it."""
    found = (of_run(spec) for _, name, spec in _parse(template) if name == "run")
    return any(sum(span.chars == HEX for span in shape) >= _ENOUGH for shape in found)


def _shape(template: str, export: str, zone: str, largest: int) -> Shape:
    return tuple(
        span
        for text, name, spec in _parse(template)
        for span in (*literal(text), *_shape_of(name, spec, export, zone, largest))
    )


def _shape_of(name: str, spec: str, export: str, zone: str, largest: int) -> Shape:
    if name in _DEFAULT_SPECS:
        return of_moment(spec or _DEFAULT_SPECS[name], zone)
    if name == "sequence":
        return of_sequence(spec, largest)
    if name == "run":
        return of_run(spec)
    return literal(_value(name, spec, export)) if name else ()


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
        raise FileNameError(_CONSISTS_OF)
    _refuse_length(len(name))
    return name


def _refuse_characters(chars: frozenset[str]) -> None:
    if not chars <= _allowed:
        raise FileNameError(_CONSISTS_OF)


def _refuse_length(length: int) -> None:
    if length > LONGEST_NAME:
        raise FileNameError(
            f"the file name would have more than {LONGEST_NAME} characters (counted are the longest month, weekday"
            " and number)"
        )


def _refuse_reserved(name: str) -> None:
    if name.endswith("."):
        raise FileNameError("a file name that ends with a dot is another one on a Windows machine")
    if _is_device(name):
        raise FileNameError("a file of that name is a device on a Windows machine; choose another")
    if _ends_as_temporary(name):
        raise FileNameError("temporary files end in .part, .fenced and .mark; choose another ending")
    if _is_own(name):
        raise FileNameError("the program's own files are called so; choose another name")
