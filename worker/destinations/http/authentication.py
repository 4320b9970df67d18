"""The option `authentication`: how a destination over HTTP logs in. A way more: a schema, and a line in each table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from marshmallow import ValidationError

from schemas.fields.objects import StrictSchema, Variant
from schemas.fields.scalars import Choice, JsonSchema, Pattern, Secret, Strict, Text
from worker.destinations.file_port import Secret as ReadSecret
from worker.destinations.http import logins
from worker.destinations.http.logins import NOBODY, Login
from worker.destinations.http.tokens import client_credentials
from worker.destinations.http.web import Web
from worker.destinations.http.web_options import Url

CLIENT_ID = r"[\x21-\x7e]{1,256}"
CLIENT_ID_SAYS = "1 to 256 characters without a blank"
HEADER_NAME = r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}"  # RFC 9110, 5.6.2: a token


class NamedOrSecret(Strict):
    """A name as it is, or a secret by its name, where a district treats it as one."""

    def __init__(self, pattern: str, says: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._named, self._secret = Pattern(pattern, says), Secret()

    def check(self, value: Any) -> Any:
        if type(value) is dict:
            return self._secret.check(value)
        try:
            return self._named.check(value)
        except ValidationError as error:
            raise ValidationError(
                f'{error.messages[0]}, or a secret by its name, {{"secret": "name"}}'
            ) from None

    def json_schema(self) -> JsonSchema:
        return {"anyOf": [self._named.json_schema(), self._secret.json_schema()]}


class _Way(StrictSchema):
    tells_known = True


class BearerSchema(_Way):
    """A token that the server's office has given out."""

    type = Choice("bearer", required=True)
    token = Secret(required=True, about="The token, as a secret.")


class BasicSchema(_Way):
    """User name and password."""

    type = Choice("basic", required=True)
    username = NamedOrSecret(
        r"[^:\x00-\x1f\x7f]{1,256}",
        "1 to 256 characters without a colon",
        required=True,
        about="The user name.",
    )
    password = Secret(required=True, about="The password, as a secret.")


class ApiKeySchema(_Way):
    """A key in a header that the server names."""

    type = Choice("api_key", required=True)
    header = Pattern(
        HEADER_NAME, "the name of a header, such as X-Api-Key", required=True, about="The header's name."
    )
    key = Secret(required=True, about="The key, as a secret.")


class OAuth2Schema(_Way):
    """OAuth2, client credentials: a token is asked for and kept for its life."""

    type = Choice("oauth2", required=True)
    token_url = Url(required=True, about="Where tokens are asked for.")
    client_id = NamedOrSecret(CLIENT_ID, CLIENT_ID_SAYS, required=True)
    client_secret = Secret(required=True)
    scope = Text(1, 1000, single_line=True, about="What the token is to allow, as the server calls it.")
    credentials_in = Choice(
        "header", "body", about="Where the client's id and secret go: a Basic header (default) or the form."
    )


_WAYS: dict[str, type[StrictSchema]] = {
    "bearer": BearerSchema,
    "basic": BasicSchema,
    "api_key": ApiKeySchema,
    "oauth2": OAuth2Schema,
}

Options = Mapping[str, Any]

_LOGINS: dict[str, Callable[[Web, ReadSecret, Options], Login]] = {
    "bearer": lambda _web, secret, options: logins.bearer(secret, options["token"]),
    "basic": lambda _web, secret, options: logins.basic(secret, options["username"], options["password"]),
    "api_key": lambda _web, secret, options: logins.api_key(secret, options["header"], options["key"]),
    "oauth2": lambda web, secret, options: client_credentials(
        web,
        secret,
        options["token_url"],
        (options["client_id"], options["client_secret"]),
        scope=options.get("scope"),
        credentials_in=options.get("credentials_in", "header"),
    ),
}


class Authentication(Variant):
    """An object whose `type` says the way."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__("type", _WAYS, noun="way to log in", **kwargs)

    def check(self, value: Any) -> Any:
        if type(value) is not dict:
            raise ValidationError(
                'must be an object such as {"type": "bearer", "token": {"secret": "name"}}; known types:'
                f" {', '.join(_WAYS)}"
            )
        return super().check(value)


def login(web: Web, secret: ReadSecret, options: Options | None) -> Login:
    """Who asks, by what a definition says; None: nobody. Raises DestinationError where a secret is missing or unfit."""
    return NOBODY if options is None else _LOGINS[options["type"]](web, secret, options)
