"""Tokens of OAuth2 (RFC 6749): fetched once for all threads, kept for their life, renewed a minute before its end."""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, Literal

from worker.destinations.file_port import Secret
from worker.destinations.http.answers import Request, Response
from worker.destinations.http.http_failures import LostAnswerError
from worker.destinations.http.logins import Credential, Login, advice, basic_header, in_header
from worker.destinations.http.round_trip import under_way
from worker.destinations.http.web import Web
from worker.errors import DestinationError, TransientError

Program = tuple[Credential, Credential]
"""A program's id and its secret."""

CredentialsIn = Literal["header", "body"]
TOKEN_SECONDS = 30.0
_BEFORE_ITS_END = 60.0
_LIFE_UNSAID = 1800.0
_LONGEST_LIFE = 366 * 86_400.0
_LONGEST_WAIT = 1800.0
_REFUSED = frozenset({400, 401, 403})
_LATER = frozenset({408, 425, 429})
_EXPIRED = frozenset({401})

_is_token = re.compile(r"[\x21-\x7e]{1,16384}").fullmatch
_is_error = re.compile(r"[a-z_]{1,40}").fullmatch  # RFC 6749, 5.2: one of a few words


@dataclass(frozen=True, slots=True)
class _Token:
    access: str = field(repr=False)
    refresh: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class TokenLogin:
    """A token from `url`, for which `form` is sent. `refresh`: the refresh token that a person once obtained."""

    web: Web
    url: str
    form: Mapping[str, str] = field(repr=False)
    header: Mapping[str, str] = field(repr=False)
    advice: str
    refresh: str | None = field(default=None, repr=False)
    expired: frozenset[int] = _EXPIRED

    def headers(self) -> Mapping[str, str]:
        return _bearing(self._token())

    def renewed(self, refused: Mapping[str, str]) -> Mapping[str, str] | None:
        last = self.web.tokens.last(self._key)
        if last is not None and _bearing(last) == refused:
            self.web.tokens.forget(self._key, last)
        return self.headers()

    def _token(self) -> _Token:
        token: _Token = self.web.tokens.get(self._key, self._fetch)
        return token

    @property
    def _key(self) -> Hashable:
        """Another secret is another key, so that one that was put right is asked for a token at once."""
        said = repr((self.url, sorted(self.form.items()), sorted(self.header.items()), self.refresh))
        return blake2b(said.encode(), digest_size=16).digest()

    def _fetch(self) -> tuple[_Token, float]:
        answer = self._answer()
        if answer.is_success:
            return self._read(answer)
        if answer.status >= 500 or answer.status in _LATER:
            raise TransientError(
                f"{answer.server} gives no token just now (HTTP {answer.status})",
                retry_after=answer.retry_after,
            )
        what = self.advice if answer.status in _REFUSED else "check the address that tokens are asked from"
        raise DestinationError(f"{answer.server} gives no token ({_refusal(answer)}); {what}")

    def _answer(self) -> Response:
        form = dict(self.form)
        if self.refresh is not None:
            last = self.web.tokens.last(self._key)
            form["refresh_token"] = (last and last.refresh) or self.refresh
        request = Request("POST", self.url, form=form, headers=self.header)
        self.web.make_ready()
        try:
            with under_way(TOKEN_SECONDS):
                return self.web.exchange(request, {}, _LONGEST_WAIT)
        except LostAnswerError as error:
            raise TransientError(f"{error} when asked for a token") from None

    def _read(self, answer: Response) -> tuple[_Token, float]:
        try:
            said = answer.json()
        except LostAnswerError as error:
            raise TransientError(f"{error} when asked for a token") from None
        access = said.get("access_token") if isinstance(said, dict) else None
        if not isinstance(access, str) or not _is_token(access):
            raise TransientError(f"{answer.server} answers without a token when asked for one")
        refresh = said.get("refresh_token")
        token = _Token(access, refresh if isinstance(refresh, str) and refresh else None)
        return token, _held(_life(said.get("expires_in")))


def client_credentials(
    web: Web,
    secret: Secret,
    url: str,
    client: Program,
    *,
    scope: str | None = None,
    credentials_in: CredentialsIn = "header",
    expired: frozenset[int] = _EXPIRED,
) -> Login:
    """A token for a program (RFC 6749, 4.4). `expired`: as of Login.

    Raises DestinationError where a secret is missing or unfit, as `refresh_token` does.
    """
    form = {"grant_type": "client_credentials"} | ({} if scope is None else {"scope": scope})
    form, header = _signed(secret, form, client, credentials_in)
    return TokenLogin(web, url, form, header, advice(*client), expired=expired)


def refresh_token(
    web: Web,
    secret: Secret,
    url: str,
    client: Program,
    token: Credential,
    *,
    credentials_in: CredentialsIn = "header",
    more: Mapping[str, str] | None = None,
) -> Login:
    """A token for what a person once allowed (RFC 6749, 6): `token` is the refresh token that came of it, `more` what
    else the server wants to be told.

    A server that gives another refresh token each time (rotation) is answered with the newest that this process has;
    after a restart only the secret is known, which such a server may then refuse.
    """
    form = {"grant_type": "refresh_token", **(more or {})}
    form, header = _signed(secret, form, client, credentials_in)
    return TokenLogin(web, url, form, header, advice(*client, token), refresh=in_header(secret, token))


def _signed(
    secret: Secret, form: dict[str, str], client: Program, credentials_in: CredentialsIn
) -> tuple[dict[str, str], Mapping[str, str]]:
    name, password = (in_header(secret, given) for given in client)
    if credentials_in == "header":
        return form, basic_header(name, password)
    return {**form, "client_id": name, "client_secret": password}, {}


def _bearing(token: _Token) -> Mapping[str, str]:
    return {"Authorization": f"Bearer {token.access}"}


def _life(said: Any) -> float:
    """Seconds a token lives; some servers write them as text, some not at all."""
    try:
        life = float(said)
    except (TypeError, ValueError):
        return _LIFE_UNSAID
    return life if 0 < life < _LONGEST_LIFE else _LIFE_UNSAID


def _held(life: float) -> float:
    """How long a token is used."""
    return max(life - _BEFORE_ITS_END, life / 2)


def _refusal(answer: Response) -> str:
    """The status, and the word of RFC 6749 for why; nothing else, since it may repeat what was sent."""
    try:
        word = answer.json().get("error")
    except (LostAnswerError, AttributeError):
        word = None
    told = isinstance(word, str) and _is_error(word)
    return f"HTTP {answer.status}, {word}" if told else f"HTTP {answer.status}"
