"""A schema's straight path: one function that loads what is plainly right, and doubts all else.

It is written from the schema's fields, once, and so says what they say: a field whose check is one condition gives
that in Python (`Strict.takes`), any other is asked for its value. Called field by field, the same takes twice as long.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from marshmallow import ValidationError, missing
from marshmallow.fields import Field

from schemas.fields.scalars import Strict, is_storable

Load = Callable[[Any], dict[str, Any]]

_HEAD = """\
def load(data):
    if type(data) is not dict or not data.keys() <= KEYS:
        raise DoubtError
    loaded = data.copy()
"""
_RULES = """\
    if rules(loaded):
        raise DoubtError
"""


class DoubtError(Exception):
    """Something may be wrong: marshmallow is to look, and to say what."""


DOUBTS = (DoubtError, KeyError, ValidationError)
"""What a straight path raises: a field that is required is not there, or one has raised by itself."""


def straight_path(fields: Mapping[str, Field[Any]], rules: Callable[[Any], Any] | None) -> Load:
    """The straight path of an object with these fields, by the names it uses for them; `rules` gives the faults of
    the whole. It raises one of the DOUBTS, or returns what marshmallow would."""
    names: dict[str, Any] = {
        "DoubtError": DoubtError,
        "KEYS": frozenset(fields),
        "is_storable": is_storable,
        "rules": rules,
    }
    source = [_HEAD]
    for place, (key, field) in enumerate(fields.items()):
        names[f"check_{place}"] = _check(field)
        names[f"default_{place}"] = partial(field.deserialize, missing)
        source += _lines(key, field, place)
    source += [_RULES if rules is not None else "", "    return loaded\n"]
    exec("".join(source), names)  # of the program's own fields alone: nothing that came from outside is in it
    load: Load = names["load"]
    return load


def _lines(key: str, field: Field[Any], place: int) -> Iterable[str]:
    condition = _condition(field)
    if condition:
        present = [f"if not ({condition}):", "    raise DoubtError"]
    else:
        present = [f"loaded[{key!r}] = check_{place}(value)"]
    if field.required:
        yield f"    value = data[{key!r}]\n"
        yield from (f"    {line}\n" for line in present)
        return
    yield f"    value = data.get({key!r})\n"
    yield "    if value is not None:\n"
    yield from (f"        {line}\n" for line in present)
    yield from _absent(key, field, place)


def _absent(key: str, field: Field[Any], place: int) -> Iterable[str]:
    """Null in an optional field is the same as leaving it out."""
    if field.load_default is not missing:
        yield f"    else:\n        loaded[{key!r}] = default_{place}()\n"
    else:
        yield f"    elif {key!r} in loaded:\n        del loaded[{key!r}]\n"


def _condition(field: Field[Any]) -> str:
    """What the field takes as it is, in its own words; none where it has no such words, or checks otherwise than
    the class whose words they are."""
    if not isinstance(field, Strict) or field.allow_none:
        return ""
    return field.takes() if _has(field, "takes") is _has(field, "check") else ""


def _has(field: Strict, method: str) -> type:
    return next(kind for kind in type(field).__mro__ if method in vars(kind))


def _check(field: Field[Any]) -> Callable[[Any], Any]:
    """What a value that is there goes through; null reaches it in a required field alone."""
    return field.check if isinstance(field, Strict) and not field.allow_none else field.deserialize
