"""What files and records have in common: who asks, where, and how it is tried."""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO, Any

from worker.destinations.file_port import Secret
from worker.destinations.http.answers import Request, Response
from worker.destinations.http.authentication import login
from worker.destinations.http.client import TIMEOUT_SECONDS
from worker.destinations.http.web import Web
from worker.destinations.http.web_options import client
from worker.destinations.https.https_options import NAME
from worker.destinations.trial import Trial
from worker.errors import DestinationError, TransientError

_TRIED_NAME = "writeback-check"
_MAY_BE_READ = frozenset({404, 405, 406, 410, 501})
"""What a server says to a HEAD of an address that only takes; whether it takes shows with the first request."""


class HttpsClient:
    """Asks the address that a definition gives. Safe to use from several threads. Raises DestinationError where a
    secret is missing or unfit."""

    def __init__(self, options: Mapping[str, Any], web: Web, secret: Secret) -> None:
        self.url: str = options["url"]
        self.method: str = options.get("method", "POST")
        self._headers: Mapping[str, str] = options.get("headers") or {}
        self._timeout: float = options.get("timeout_seconds", TIMEOUT_SECONDS)
        self._client = client(web, login(web, secret, options.get("authentication")), options)

    def request(
        self,
        headers: Mapping[str, str],
        *,
        url: str | None = None,
        json: Any = None,
        body: IO[bytes] | None = None,
        more_seconds: float = 0.0,
    ) -> Request:
        """A request that may take `more_seconds` than the definition says."""
        return Request(
            self.method,
            url or self.url,
            headers={**self._headers, **headers},
            json=json,
            body=body,
            timeout=self._timeout + more_seconds,
        )

    def ask(self, request: Request) -> Response:
        """As `Client.ask`."""
        return self._client.ask(request)

    def check(self, trial: Trial) -> None:
        """Tries the way there, the token, and a HEAD, which changes nothing."""
        self._client.try_server(self.url, trial)
        with trial.step("read"):
            url = self.url.replace(NAME, _TRIED_NAME)
            answer = self._client.ask(Request("HEAD", url, headers=self._headers))
            if answer.status >= 500 and answer.status not in _MAY_BE_READ:
                raise TransientError(f"{answer.server} is in trouble ({answer.words()})")
            if answer.status >= 400 and answer.status not in _MAY_BE_READ:
                raise DestinationError(
                    f"{answer.server} does not let this log in read the address ({answer.words()}); check the rights"
                    " it has there"
                )
        if answer.status in (404, 410):
            trial.lack(
                f"the address answers HTTP {answer.status} to a HEAD: whether it takes anything shows later"
            )
