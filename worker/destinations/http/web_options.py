"""Options that destinations over HTTP share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import ValidationError

from schemas.fields.scalars import JsonSchema, Text, Whole
from worker.destinations.http.client import LONGEST_WAIT_SECONDS, TIMEOUT_SECONDS, Client
from worker.destinations.http.logins import Login
from worker.destinations.http.web import Web
from worker.destinations.http.web_address import web_address

SIDE_BY_SIDE = 4


class Url(Text):
    """An address over https, or over http to a private host."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(1, 2048, single_line=True, **kwargs)

    def check(self, value: Any) -> str:
        text = super().check(value)
        try:
            web_address(text)
        except ValueError as error:
            raise ValidationError(str(error)) from None
        return text

    def json_schema(self) -> JsonSchema:
        return {**super().json_schema(), "pattern": "^[Hh][Tt][Tt][Pp][Ss]?://[^\\s\\\\]*$"}


def parallel() -> Whole:
    """`parallel`: requests side by side."""
    return Whole(1, 32, about="Requests side by side.")


def timeout_seconds() -> Whole:
    """`timeout_seconds`: for a whole request."""
    return Whole(
        1, 300, about="Seconds for a whole request, from resolving the name to the answer's last byte."
    )


def retry_after_max_seconds() -> Whole:
    """`retry_after_max_seconds`: how long a `Retry-After` is heeded."""
    return Whole(0, 86_400, about="The longest wait that a server's Retry-After is granted, in seconds.")


def side_by_side(options: Mapping[str, Any]) -> int:
    """How many requests may be under way at once."""
    return int(options.get("parallel", SIDE_BY_SIDE))


def client(web: Web, login: Login, options: Mapping[str, Any]) -> Client:
    """The client that a definition's options ask for."""
    return Client(
        web,
        login,
        timeout=options.get("timeout_seconds", TIMEOUT_SECONDS),
        longest_wait=options.get("retry_after_max_seconds", LONGEST_WAIT_SECONDS),
    )
