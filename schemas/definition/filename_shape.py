"""What a file name's template can come to, over all moments, numbers and runs: characters, place by place.

It errs on the side of more: a name that a template can render always fits its shape.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import pairwise

from schemas.fields.zones import zone_of

DIGITS = frozenset("0123456789")
HEX = frozenset("0123456789abcdef")
RUN_LENGTH = 32
"""A run's id has so many hexadecimal digits."""

_STANDS_FOR_RUN = "\x01" * RUN_LENGTH
_parts_of_pattern = re.compile(r"%[-_0^#]?.|[^%]", re.DOTALL).findall
_is_decimal_spec = re.compile(r"0?[0-9]{0,2}d?").fullmatch


@dataclass(frozen=True, slots=True)
class Span:
    """`least` to `most` characters, each one of these."""

    chars: frozenset[str]
    least: int = 1
    most: int = 1


Shape = tuple[Span, ...]


def literal(text: str) -> Shape:
    """This text and nothing else."""
    return tuple(Span(frozenset(char)) for char in text)


def of_run(spec: str) -> Shape:
    """A run's id, cut and filled as the format spec says."""
    rendered = format(_STANDS_FOR_RUN, spec)
    return tuple(Span(HEX if char == "\x01" else frozenset(char)) for char in rendered)


def of_sequence(spec: str, largest: int) -> Shape:
    """A number from 0 to `largest`."""
    if _is_decimal_spec(spec):
        width, most = len(format(0, spec)), len(str(largest))
        if spec.startswith("0") or width == 1:
            return (*literal("0" * (width - most)), Span(DIGITS, min(width, most), most))
    powers = {0, 1, largest, *(largest >> shift for shift in range(largest.bit_length()))}
    rendered = [format(number, spec) for number in powers]
    chars = frozenset("".join(rendered))
    every = chars | (frozenset("abcdef") if "x" in spec else frozenset("ABCDEF") if "X" in spec else DIGITS)
    lengths = [len(one) for one in rendered]
    return (Span(every, min(lengths), max(lengths)),)


def of_moment(pattern: str, zone: str) -> Shape:
    """A moment of the years 1970 to 2199 as the strftime pattern writes it in the zone."""
    return tuple(
        span
        for part in _parts_of_pattern(pattern)
        for span in (_of_directive(part, zone) if part.startswith("%") else literal(part))
    )


def longest(shape: Shape) -> int:
    """The most characters of a name of this shape."""
    return sum(span.most for span in shape)


def overlap(one: Shape, other: Shape) -> bool:
    """Whether one name can be of both shapes, capitals and small letters being the same."""
    left, right = list(_steps(one)), list(_steps(other))
    reached = {(0, 0)}
    waiting = [(0, 0)]
    while waiting:
        i, j = waiting.pop()
        if i == len(left) and j == len(right):
            return True
        for step in _next(left, right, i, j):
            if step not in reached:
                reached.add(step)
                waiting.append(step)
    return False


@dataclass(frozen=True, slots=True)
class _Step:
    chars: frozenset[str]
    optional: bool


def _steps(shape: Shape) -> Iterator[_Step]:
    for span in shape:
        folded = frozenset(char.casefold() for char in span.chars)
        for number in range(span.most):
            yield _Step(folded, number >= span.least)


def _next(left: list[_Step], right: list[_Step], i: int, j: int) -> Iterator[tuple[int, int]]:
    if i < len(left) and left[i].optional:
        yield i + 1, j
    if j < len(right) and right[j].optional:
        yield i, j + 1
    if i < len(left) and j < len(right) and left[i].chars & right[j].chars:
        yield i + 1, j + 1


@lru_cache(maxsize=1024)
def _of_directive(directive: str, zone: str) -> Shape:
    rendered = {moment.strftime(directive) for moment in _moments(zone)}
    lengths = {len(one) for one in rendered}
    if len(lengths) == 1:
        return tuple(Span(frozenset(chars)) for chars in zip(*rendered, strict=True))
    return (Span(frozenset("".join(rendered)), min(lengths), max(lengths)),)


@lru_cache(maxsize=16)
def _moments(zone: str) -> tuple[datetime, ...]:
    """Every year, day of a leap year, hour, minute and second, and every digit of a fraction."""
    where = zone_of(zone)
    first = datetime(2028, 1, 1, tzinfo=where)
    years = [first.replace(year=year, month=month) for year in range(1970, 2200) for month in (1, 7)]
    days = [first + timedelta(days=day) for day in range(366)]
    hours = [first.replace(hour=hour) for hour in range(24)]
    minutes = [first.replace(minute=number, second=number) for number in range(60)]
    fractions = [first.replace(microsecond=digit * 111_111) for digit in range(10)]
    last_days = [one - timedelta(days=1) for one, _ in pairwise(years)]  # weeks of the year before
    return (*years, *days, *hours, *minutes, *fractions, *last_days)
