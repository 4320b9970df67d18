"""Strict marshmallow fields for JSON values: each says yes or raises, none coerces.

Every field knows its own JSON Schema, so the published files and the loader cannot drift apart.
No string may hold a NUL (PostgreSQL refuses it) or a lone surrogate (it has no UTF-8 form).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from marshmallow import ValidationError, missing
from marshmallow.fields import Field

LARGEST_INTEGER = 2**53 - 1
"""What every JSON reader can hold exactly."""

JsonSchema = dict[str, Any]

_unstorable = re.compile("[\x00\ud800-\udfff]").search
NO_NUL = "^[^\\u0000]*$"


def whole(pattern: str) -> str:
    """A JSON Schema pattern for the text as a whole, for validators of every language: in some, Python among them,
    `$` alone lets a line break stand behind."""
    return rf"^(?:{pattern})(?!\n)$"


def is_storable(text: str) -> bool:
    """Whether the text can be stored and sent: no NUL, no lone surrogate."""
    return "\x00" not in text if text.isascii() else _unstorable(text) is None


class Strict(Field[Any]):
    """A field that checks a JSON value. `check` returns the value or raises ValidationError.

    The message never repeats the value: it may be a student's. `about` describes the field in published
    files. `allow_none` matters for a required field alone: in an optional one null means that it is left out.
    """

    default_error_messages = {"required": "required", "null": "must not be null"}  # noqa: RUF012 -- as marshmallow

    def __init__(self, *, about: str = "", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.about = about
        if self.validators or self.pre_load or self.post_load:
            raise TypeError("a strict field says all it has to say in `check`")

    def deserialize(
        self, value: Any, attr: str | None = None, data: Mapping[str, Any] | None = None, **kwargs: Any
    ) -> Any:
        if value is missing:
            self._validate_missing(value)
            return self.default()
        return self.absent() if value is None else self.check(value)

    def absent(self) -> Any:
        """What null stands for: in an optional field it is the same as leaving it out."""
        if not self.required:
            return self.default()
        if self.allow_none:
            return None
        raise self.make_error("null")

    def item(self, value: Any) -> Any:
        """The value as an item of a list or object, where null is no way of leaving it out."""
        if value is None:
            raise self.make_error("null")
        return self.check(value)

    def default(self) -> Any:
        """What stands for an absent value; marshmallow's `missing` where nothing does."""
        return self.load_default() if callable(self.load_default) else self.load_default

    def check(self, value: Any) -> Any:
        raise NotImplementedError  # pragma: no cover -- every field has its own

    def takes(self) -> str:
        """A Python condition on `value`, true only of what `check` gives back as it is. Empty: `check` is to be
        asked. What else it names is `is_storable` (see `schemas.fields.straight`)."""
        return ""

    def json_schema(self) -> JsonSchema:
        raise NotImplementedError  # pragma: no cover -- every field has its own


class Text(Strict):
    """A string of `minimum` to `maximum` characters; `single_line` also refuses control characters."""

    def __init__(
        self, minimum: int = 0, maximum: int = 256, *, single_line: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.minimum, self.maximum, self.single_line = minimum, maximum, single_line

    def check(self, value: Any) -> str:
        if type(value) is not str or not self.minimum <= len(value) <= self.maximum:
            raise ValidationError(f"must be text of {self.minimum} to {self.maximum} characters")
        if not is_storable(value):
            raise ValidationError("must not hold a NUL character or a lone surrogate")
        if self.single_line and _control(value):
            raise ValidationError("must not hold a line break or another control character")
        return value

    def takes(self) -> str:
        fits = f"type(value) is str and {self.minimum} <= len(value) <= {self.maximum}"
        # what `is_storable` says of most texts, without the call
        stored = '(value.isascii() and "\\x00" not in value or is_storable(value))'
        return "" if self.single_line else f"{fits} and {stored}"

    def json_schema(self) -> JsonSchema:
        pattern = whole(r"[^\u0000-\u001f\u007f]*") if self.single_line else NO_NUL
        return {
            "type": "string",
            "minLength": self.minimum,
            "maxLength": self.maximum,
            "pattern": pattern,
        }


class Pattern(Strict):
    """A string that is, as a whole, what the ASCII pattern says; `says` ends the sentence "must be …"."""

    def __init__(self, pattern: str, says: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.pattern, self.says = pattern, says
        self.matches = re.compile(pattern).fullmatch

    def check(self, value: Any) -> Any:
        if type(value) is not str or self.matches(value) is None:
            raise ValidationError(f"must be {self.says}")
        return value

    def json_schema(self) -> JsonSchema:
        return {"type": "string", "pattern": whole(self.pattern)}


def whole_of(value: Any) -> int | None:
    """The whole number that JSON wrote with a fraction of nothing (`3.0`, `3e0`); None: it is none."""
    return int(value) if type(value) is float and value.is_integer() else None


class Choice(Strict):
    """One of a few words."""

    def __init__(self, *words: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.words = words

    def check(self, value: Any) -> str:
        if type(value) is not str or value not in self.words:
            raise ValidationError(f"must be one of: {', '.join(self.words)}")
        return value

    def takes(self) -> str:
        return f"type(value) is str and value in {self.words!r}"

    def json_schema(self) -> JsonSchema:
        return {"type": "string", "enum": list(self.words)}


class Whole(Strict):
    """A whole number, however JSON writes it (`3`, `3.0`, `3e0`); no boolean, no text. Loads as an int."""

    def __init__(self, minimum: int, maximum: int = LARGEST_INTEGER, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.minimum, self.maximum = minimum, maximum

    def check(self, value: Any) -> int:
        if type(value) is not int:
            value = whole_of(value)
        if value is None or not self.minimum <= value <= self.maximum:
            raise ValidationError(f"must be a whole number from {self.minimum} to {self.maximum}")
        number: int = value
        return number

    def takes(self) -> str:
        return f"type(value) is int and {self.minimum} <= value <= {self.maximum}"

    def json_schema(self) -> JsonSchema:
        return {"type": "integer", "minimum": self.minimum, "maximum": self.maximum}


class Number(Strict):
    """A finite number from `minimum` to `maximum`, with or without a fraction; no boolean."""

    def __init__(self, minimum: float, maximum: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.minimum, self.maximum = minimum, maximum

    def check(self, value: Any) -> int | float:
        if type(value) not in (int, float) or not self.minimum <= value <= self.maximum:
            raise ValidationError(f"must be a number from {self.minimum} to {self.maximum}")
        number: int | float = value
        return number

    def json_schema(self) -> JsonSchema:
        return {"type": "number", "minimum": self.minimum, "maximum": self.maximum}


class Flag(Strict):
    """`true` or `false`; not `1`, not `"yes"`."""

    def check(self, value: Any) -> bool:
        if type(value) is not bool:
            raise ValidationError("must be true or false")
        return value

    def takes(self) -> str:
        return "type(value) is bool"

    def json_schema(self) -> JsonSchema:
        return {"type": "boolean"}


class Scalar(Strict):
    """A string, number or boolean. Numbers lie within ±(2^53 - 1), so that every reader has the same one."""

    def __init__(self, longest: int = 1000, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.longest = longest

    def check(self, value: Any) -> str | int | float | bool:
        kind = type(value)
        if kind is str:
            fits = len(value) <= self.longest and is_storable(value)
        else:
            fits = kind is bool or (kind in (int, float) and abs(value) <= LARGEST_INTEGER)
        if not fits:
            raise ValidationError(self.says)
        scalar: str | int | float | bool = value
        return scalar

    @property
    def says(self) -> str:
        return (
            f"must be a string of at most {self.longest} characters without NUL, "
            "a number within ±(2^53 - 1), true or false"
        )

    def json_schema(self) -> JsonSchema:
        return {
            "anyOf": [
                {"type": "string", "maxLength": self.longest, "pattern": NO_NUL},
                {"type": "number", "minimum": -LARGEST_INTEGER, "maximum": LARGEST_INTEGER},
                {"type": "boolean"},
            ]
        }


class ScalarMap(Strict):
    """An object of string → scalar (with `nulls`: or null). Keys have 1 to `longest_key` characters.

    A message names no key: keys are the sender's, and could hold anything.
    """

    def __init__(
        self,
        *,
        nulls: bool,
        shortest_key: int = 1,
        longest_key: int = 128,
        most: int = 200,
        longest: int = 1000,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.nulls, self.most = nulls, most
        self.keys = Text(shortest_key, longest_key)
        self.values = Scalar(longest)

    def check(self, value: Any) -> dict[str, Any]:
        if type(value) is not dict or len(value) > self.most:
            raise ValidationError(f"must be an object of at most {self.most} entries")
        for place, (key, inner) in enumerate(value.items(), start=1):
            self._check_entry(place, key, inner)
        return value

    def _check_entry(self, place: int, key: Any, inner: Any) -> None:
        try:
            self.keys.check(key)
            if not (inner is None and self.nulls):
                self.values.check(inner)
        except ValidationError as error:
            text = error.messages[0] + (" or null" if self.nulls else "")
            raise ValidationError(f"entry {place}: its key or value {text}") from None

    def json_schema(self) -> JsonSchema:
        value = self.values.json_schema()
        if self.nulls:
            value["anyOf"].append({"type": "null"})
        names = self.keys.json_schema()
        return {
            "type": "object",
            "maxProperties": self.most,
            "propertyNames": names,
            "additionalProperties": value,
        }


class Secret(Strict):
    """A secret by its name, `{"secret": "lincoln-sftp"}`; the secret itself is never written down."""

    NAME = r"[a-z0-9][a-z0-9-]*"
    _matches = re.compile(NAME).fullmatch

    def check(self, value: Any) -> dict[str, str]:
        if type(value) is not dict or list(value) != ["secret"]:
            raise ValidationError(
                'a secret is never written here: give its name as {"secret": "name"} '
                "and put the secret in the environment or the folder of secrets"
            )
        name = value["secret"]
        if type(name) is not str or len(name) > 63 or self._matches(name) is None:
            raise ValidationError(
                "the secret's name must be 1 to 63 of a-z, 0-9 and -, beginning with a letter or a digit"
            )
        return value

    def json_schema(self) -> JsonSchema:
        return {
            "type": "object",
            "properties": {"secret": {"type": "string", "pattern": whole(self.NAME), "maxLength": 63}},
            "required": ["secret"],
            "additionalProperties": False,
        }


def is_finite(value: object) -> bool:
    """Whether a JSON number is one that JSON can write again."""
    return not isinstance(value, float) or math.isfinite(value)


def _control(text: str) -> bool:
    return any(char < " " or char == "\x7f" for char in text)
