"""Options that destinations over HTTP share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import ValidationError

from schemas.fields.scalars import JsonSchema, Text
from worker.destinations.http.client import LONGEST_WAIT_SECONDS, TIMEOUT_SECONDS, Client
from worker.destinations.http.logins import Login
from worker.destinations.http.origins import origin_of
from worker.destinations.http.web import Web


class Url(Text):
    """An address over https, or over http to a private host."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(1, 2048, single_line=True, **kwargs)

    def check(self, value: Any) -> str:
        text = super().check(value)
        try:
            origin_of(text)
        except ValueError as error:
            raise ValidationError(str(error)) from None
        return text

    def json_schema(self) -> JsonSchema:
        return {**super().json_schema(), "pattern": "^[Hh][Tt][Tt][Pp][Ss]?://[^\\s\\\\]*$"}


def client(web: Web, login: Login, options: Mapping[str, Any]) -> Client:
    """The client that a definition's options ask for."""
    return Client(
        web,
        login,
        timeout=options.get("timeout_seconds", TIMEOUT_SECONDS),
        longest_wait=options.get("retry_after_max_seconds", LONGEST_WAIT_SECONDS),
    )
