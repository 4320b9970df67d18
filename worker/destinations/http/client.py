"""Asks one server, as somebody who has logged in."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from urllib.parse import urldefrag, urljoin

from worker.destinations.http.answers import Request, Response
from worker.destinations.http.logins import NOBODY, Login
from worker.destinations.http.origins import Origin, origin_of, without_ids
from worker.destinations.http.round_trip import under_way
from worker.destinations.http.trust import secured
from worker.destinations.http.web import Web
from worker.destinations.trial import Trial
from worker.errors import DestinationError, TransientError

TIMEOUT_SECONDS = 30.0
LONGEST_WAIT_SECONDS = 1800.0
_MOST_REDIRECTS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_WAIT = {429: "takes no more requests just now", 503: "is not available just now"}


class Client:
    """Safe to use from several threads. `timeout`: seconds for a whole request, from resolving the name to the last
    byte of its answer. `longest_wait`: the longest `Retry-After` that is granted, in seconds."""

    def __init__(
        self,
        web: Web,
        login: Login = NOBODY,
        *,
        timeout: float = TIMEOUT_SECONDS,
        longest_wait: float = LONGEST_WAIT_SECONDS,
    ) -> None:
        self.web = web
        self._login = login
        self._timeout, self._longest_wait = timeout, longest_wait

    def ask(self, request: Request) -> Response:
        """The answer, whatever its status but 401, 429, 503 and redirects. A token that is refused is renewed once.

        Raises, with the server's name and nothing that was sent:
        NothingSentError: the server cannot have carried it out, for nothing of it has left.
        TransientError: the server asks to wait (429, 503): it has not carried it out. For a request that is safe (GET,
        HEAD, OPTIONS) also: no answer.
        LostAnswerError: it may have been carried out.
        DestinationError: the server may not be reached, its certificate is not valid, it points elsewhere, or it
        refuses the log in: it has not carried it out.
        """
        headers = self._login.headers()
        answer = self._asked(request, headers)
        if answer.status in self._login.expired:
            renewed = self._login.renewed(headers)
            answer = answer if renewed is None else self._asked(request, renewed)
        if answer.status == 401:
            raise DestinationError(
                f"{answer.server}: log in refused ({answer.words()}); {self._login.advice}"
            )
        return answer

    def try_server(self, url: str, trial: Trial) -> None:
        """The first steps of a trial: resolve, connect, certificate and, where one is needed, token."""
        at = origin_of(url)
        with under_way(self._timeout):
            with trial.step("resolve"):
                addresses = self.web.gate.addresses(at.scheme, at.host, at.port)
            with trial.step("connect"):
                made = self.web.gate.connect(at.host, at.port, addresses)
            with closing(made):
                if at.scheme == "https":
                    with trial.step("certificate"):
                        secured(made, self.web.context, at.host).close()
        if self._login.expired:
            with trial.step("token"):
                self._login.headers()

    def _asked(self, request: Request, headers: Mapping[str, str]) -> Response:
        self.web.make_ready()
        with under_way(request.timeout or self._timeout):
            for _ in range(_MOST_REDIRECTS + 1):
                answer = self.web.exchange(request, headers, self._longest_wait)
                if answer.status in _WAIT:
                    raise TransientError(
                        f"{answer.server} {_WAIT[answer.status]} (HTTP {answer.status})",
                        retry_after=answer.retry_after,
                    )
                if answer.status not in _REDIRECTS:
                    return answer
                request = _followed(request, answer)
        raise DestinationError(f"{answer.server} redirects in a circle; give the URL that it ends at")


def _followed(request: Request, answer: Response) -> Request:
    """The request to where the answer points: the same server, and nothing but a read."""
    target = urldefrag(urljoin(request.url, answer.headers.get("Location", ""))).url
    if request.method not in ("GET", "HEAD") or _server(target) != origin_of(request.url):
        raise DestinationError(
            f"{answer.server} points elsewhere (HTTP {answer.status}), to {without_ids(target)}; that is not followed:"
            " if it is right, give that address"
        )
    return replace(request, url=target, params=None)


def _server(url: str) -> Origin | None:
    try:
        return origin_of(url)
    except ValueError:
        return None
