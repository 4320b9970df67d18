"""A row's properties as the JSON that an SIS takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def nested(properties: Mapping[str, Any], *, empty: bool = False) -> dict[str, Any]:
    """Properties by their dotted names as objects within objects: `a.b` is `b` of `a`, in the order given.

    `empty`: those without a value (None) go along as null; else they are left out, and so is an object that would hold
    nothing. Raises ValueError where one property lies within another that is no object.
    """
    made: dict[str, Any] = {}
    for name, value in properties.items():
        if value is not None or empty:
            _put(made, name, value)
    return made


def _put(made: dict[str, Any], name: str, value: Any) -> None:
    *outer, last = name.split(".")
    place: Any = made
    for part in outer:
        place = place.setdefault(part, {})
        if not isinstance(place, dict):
            raise ValueError(f"{name} lies within a property that is no object")
    if last in place:
        raise ValueError(f"{name} is there already")
    place[last] = value
