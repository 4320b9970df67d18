"""Who asks: the headers that say so. To add a way: one function that returns a Login."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from worker.destinations.file_port import Secret
from worker.errors import DestinationError

Credential = str | Mapping[str, Any]
"""As a definition gives it: a secret by its name, `{"secret": name}`; what is none, such as a user's name, as it is."""


class Login(Protocol):
    """Safe to use from several threads."""

    @property
    def expired(self) -> frozenset[int]:
        """The statuses by which the server may say that a token has expired."""

    @property
    def advice(self) -> str:
        """What a person is to look at where the server refuses it: a clause with the names of secrets."""

    def headers(self) -> Mapping[str, str]:
        """The headers of a request. Raises TransientError or DestinationError where a token cannot be had."""

    def renewed(self, refused: Mapping[str, str]) -> Mapping[str, str] | None:
        """Headers to try instead of those that the server has refused; None: there are no others."""


@dataclass(frozen=True, slots=True)
class FixedLogin:
    """The same headers for each request."""

    advice: str
    fixed: Mapping[str, str] = field(default_factory=dict, repr=False)
    expired: frozenset[int] = frozenset()

    def headers(self) -> Mapping[str, str]:
        return self.fixed

    def renewed(self, refused: Mapping[str, str]) -> Mapping[str, str] | None:
        return None


NOBODY = FixedLogin("it asks for a log in: the definition names none under authentication")


def bearer(secret: Secret, token: Credential) -> Login:
    """`Authorization: Bearer …`. Like all below it raises DestinationError where a secret is missing or unfit."""
    return FixedLogin(advice(token), {"Authorization": f"Bearer {_in_ascii(secret, token)}"})


def api_key(secret: Secret, header: str, key: Credential) -> Login:
    """A key in a header of the server's own."""
    return FixedLogin(advice(key), {header: _in_ascii(secret, key)})


def basic(secret: Secret, username: Credential, password: Credential) -> Login:
    """User name and password (RFC 7617), in UTF-8."""
    given = in_header(secret, username), in_header(secret, password)
    return FixedLogin(advice(username, password), basic_header(*given))


def basic_header(username: str, password: str) -> Mapping[str, str]:
    """The header of RFC 7617, which is also how an OAuth2 client says who it is (RFC 6749, 2.3.1)."""
    return {"Authorization": f"Basic {base64.b64encode(f'{username}:{password}'.encode()).decode()}"}


def in_header(secret: Secret, given: Credential) -> str:
    """A credential that can stand in a header, once it is encoded."""
    value = given if isinstance(given, str) else secret(given["secret"])
    if not value.isprintable():
        raise _unfit(given)
    return value


def _in_ascii(secret: Secret, given: Credential) -> str:
    value = in_header(secret, given)
    if not value.isascii():
        raise _unfit(given)
    return value


def _unfit(given: Credential) -> DestinationError:
    which = "the user name" if isinstance(given, str) else f"secret {given['secret']!r}"
    return DestinationError(
        f"{which} holds a line break or another character that no such log in has; put it right, then retry"
    )


def advice(*credentials: Credential) -> str:
    """Which secrets to look at."""
    names = [repr(given["secret"]) for given in credentials if not isinstance(given, str)]
    return f"check the secret{'s' if len(names) > 1 else ''} {' and '.join(names)}, then retry"
