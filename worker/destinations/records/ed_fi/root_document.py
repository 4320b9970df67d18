"""Where an Ed-Fi API has its data and its tokens: its root document says so (Discovery API 1.0)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from worker.destinations.http.answers import Request, Response
from worker.destinations.http.client import Client
from worker.destinations.http.http_failures import LostAnswerError
from worker.destinations.http.origins import origin_of
from worker.errors import DestinationError, TransientError

KNOWN_SECONDS = 600.0
"""For how long a root document that was read will do."""

_BEFORE_URLS = {"dataManagementApi": "/data/v3", "oauth": "/oauth/token"}
"""Where they lie below an API that does not say so, as the ODS/API before 5.1."""


@dataclass(frozen=True, slots=True)
class Addresses:
    """`data`: what the path of a resource is appended to; `token`: where a token is asked for."""

    data: str
    token: str


def addresses(client: Client, base_url: str, *, fresh: bool = False) -> Addresses:
    """What the root document at `base_url` says, as read not long ago, or, `fresh`, now.

    Raises TransientError, or DestinationError where there is no such document.
    """
    found: Addresses = client.web.looked_up(
        ("ed_fi", base_url), lambda: _ask(client, base_url), age=KNOWN_SECONDS, fresh=fresh
    )
    return found


def _ask(client: Client, base_url: str) -> Addresses:
    answer = client.ask(Request("GET", base_url))
    if answer.status >= 500:
        raise TransientError(
            f"{answer.server} does not show its root document just now (HTTP {answer.status})"
        )
    urls = _urls(answer)
    data, token = (_address(answer, urls, name, base_url) for name in ("dataManagementApi", "oauth"))
    return Addresses(data.rstrip("/"), token)


def _urls(answer: Response) -> dict[str, Any]:
    try:
        said = answer.json() if answer.is_success else None
    except LostAnswerError:
        said = None
    if not isinstance(said, dict) or not ("urls" in said or "dataModels" in said):
        raise DestinationError(
            f"{answer.server} shows no root document of an Ed-Fi API at base_url (HTTP {answer.status}): ask its host"
            " for the address that lists version, dataModels and urls, then retry"
        )
    urls = said.get("urls")
    return urls if isinstance(urls, dict) else {}


def _address(answer: Response, urls: dict[str, Any], name: str, base_url: str) -> str:
    url = urls.get(name) or f"{base_url.rstrip('/')}{_BEFORE_URLS[name]}"
    if not isinstance(url, str) or "{" in url:
        raise DestinationError(
            f"{answer.server}: the root document leaves a part of {name} open: give base_url with the tenant or school"
            " year that its host asks for, then retry"
        )
    try:
        origin_of(url)
    except ValueError as error:
        raise DestinationError(
            f"{answer.server}: the root document's {name} {error}; tell the host of the API, then retry"
        ) from None
    return url
