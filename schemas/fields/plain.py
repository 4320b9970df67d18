"""Whether a value is plain JSON: definitions also come from YAML, which can build what JSON cannot."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, time

from schemas.fields.scalars import is_finite, is_storable
from schemas.rejections import shown

DEEPEST = 20
MOST_VALUES = 20_000


def plain_problems(raw: object) -> list[str]:
    """What of the value is no plain JSON, is nested more than 20 deep, or is one of more than 20,000 values.

    Nothing is followed without end: YAML anchors can make a list contain itself.
    """
    problems: list[str] = []
    waiting: list[tuple[str, object, int]] = [("", raw, 0)]
    seen = 0
    while waiting:
        path, value, depth = waiting.pop()
        seen += 1
        if depth > DEEPEST or seen > MOST_VALUES:
            return [
                *problems,
                f"the definition is nested more than {DEEPEST} deep or has over {MOST_VALUES} values",
            ]
        problem = _problem(value)
        if problem:
            problems.append(f"{path}: {problem}" if path else problem)
        else:
            waiting.extend((inner_path, inner, depth + 1) for inner_path, inner in _inner(path, value))
    return problems


def _problem(value: object) -> str | None:
    if type(value) is dict:
        return (
            None
            if all(_is_name(key) for key in value)
            else "its names must be text without NUL (in YAML: quoted)"
        )
    if type(value) is str:
        return None if is_storable(value) else "must not hold a NUL character or a lone surrogate"
    if isinstance(value, (date, time)):
        return "must be text: in YAML put dates and times in quotes"
    if not is_finite(value):
        return "must be a finite number"
    return None if value is None or type(value) in (list, int, float, bool) else "is nothing JSON can express"


def _is_name(key: object) -> bool:
    return type(key) is str and is_storable(key)


def _inner(path: str, value: object) -> Iterator[tuple[str, object]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield (f"{path}.{shown(key)}" if path else shown(key)), inner
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield f"{path}[{index}]", inner
