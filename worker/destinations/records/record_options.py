"""What the options of every kind that asks an SIS over HTTP have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import Schema, ValidationError

from schemas.fields.scalars import ScalarMap, Text, Whole
from worker.destinations.http.authentication import CLIENT_ID, CLIENT_ID_SAYS, NamedOrSecret
from worker.destinations.http.web_options import Url

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


class WebAddress(Url):
    """An address to which paths are added, such as `https://sis.example.org/api`: without a query."""

    def check(self, value: Any) -> str:
        text = super().check(value)
        if "?" in text:
            raise ValidationError("must hold no ?: it is where paths are added")
        return text


class ClientId(NamedOrSecret):
    """What an OAuth2 client is called."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(CLIENT_ID, CLIENT_ID_SAYS, **kwargs)


def codes(about: str) -> ScalarMap:
    """The option `codes`: External Reference Code → the id that the SIS has for it."""
    return ScalarMap(nulls=False, longest_key=200, most=500, longest=200, about=about)
