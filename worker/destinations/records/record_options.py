"""What the options of every kind that asks an SIS over HTTP have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from marshmallow import Schema, ValidationError

from schemas.fields.scalars import JsonSchema, ScalarMap, Secret, Strict, Text, Whole

PARALLEL = 4
TIMEOUT_SECONDS = 30
RETRY_AFTER_MAX_SECONDS = 1800


class RecordSchema(Schema):
    """Options that each such kind has."""

    type = Text(required=True)
    parallel = Whole(1, 64, about=f"Requests side by side; default {PARALLEL}.")
    timeout_seconds = Whole(
        1, 600, about=f"How long one request may take, in seconds; default {TIMEOUT_SECONDS}."
    )
    retry_after_max_seconds = Whole(
        1,
        86_400,
        about="How long at the most nothing is sent when the SIS asks for a pause, in seconds; default"
        f" {RETRY_AFTER_MAX_SECONDS}.",
    )


def parallel(options: Mapping[str, Any]) -> int:
    """Requests side by side, as the definition says."""
    return int(options.get("parallel", PARALLEL))


class WebAddress(Text):
    """An address such as `https://sis.example.org/api`: http or https, without login, query or fragment."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(1, 1024, single_line=True, **kwargs)

    def check(self, value: Any) -> str:
        text = super().check(value)
        if not _is_address(text):
            raise ValidationError(
                "must be an address such as https://sis.example.org, without login, query or fragment"
            )
        return text


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        port_is_right = parts.port != 0
    except ValueError:
        return False
    plain = parts.username is None and parts.password is None and not parts.query and not parts.fragment
    return parts.scheme in ("http", "https") and bool(parts.hostname) and port_is_right and plain


class ClientId(Strict):
    """What an OAuth2 client is called: text, or the name of a secret where the district keeps it as one."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._text, self._secret = Text(1, 256, single_line=True), Secret()

    def check(self, value: Any) -> Any:
        return self._secret.check(value) if type(value) is dict else self._text.check(value)

    def json_schema(self) -> JsonSchema:
        return {"anyOf": [self._text.json_schema(), self._secret.json_schema()]}


def codes(about: str) -> ScalarMap:
    """The option `codes`: External Reference Code → the id that the SIS has for it."""
    return ScalarMap(nulls=False, longest_key=200, most=500, longest=200, about=about)
