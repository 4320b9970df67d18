"""What one process keeps about servers over HTTP: connections, tokens, ids that were looked up."""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Callable, Hashable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import requests
import urllib3

from worker import __version__
from worker.allowed_hosts import AllowedHosts
from worker.clock import Clock, system_clock
from worker.destinations.http.aging_cache import AgingCache
from worker.destinations.http.answers import Request, Response, retry_after
from worker.destinations.http.connections import GuardedAdapter, timed, trusted
from worker.destinations.http.gate import Gate, Resolve, system_resolve
from worker.destinations.http.http_failures import LostAnswerError, NothingSentError
from worker.destinations.http.origins import origin_of
from worker.destinations.http.round_trip import RoundTrip, current
from worker.errors import DestinationError, TransientError

LOOKED_UP_SECONDS = 3600.0
_PIECE = 1 << 16
_HEADERS = {
    "User-Agent": f"tardy-writeback/{__version__}",
    "Accept": "application/json",
    "Accept-Encoding": "identity",  # a small answer that unpacks to a large one is none to take
}


class Web:
    """Nothing is opened before it is used. Safe to use from several threads.

    `ca_file`: certificates to trust beside the usual ones.
    """

    def __init__(
        self,
        allowed: AllowedHosts | None = None,
        ca_file: Path | None = None,
        *,
        resolve: Resolve = system_resolve,
        clock: Clock = system_clock,
    ) -> None:
        self.gate = Gate(allowed or AllowedHosts(), resolve)
        self.tokens = AgingCache()
        self._looked_up = AgingCache()
        self._ca_file, self._clock = ca_file, clock

    @cached_property
    def context(self) -> ssl.SSLContext:
        """Whom this installation trusts. Raises DestinationError where its own authorities cannot be read."""
        return timed(self._ca_file)

    def trust(self) -> ssl.SSLContext:
        """A new context with the same trust, for what speaks TLS and no HTTP, to be changed. Raises as `context`."""
        return trusted(self._ca_file)

    @cached_property
    def _adapter(self) -> GuardedAdapter:
        return GuardedAdapter(self.gate, self.context)

    def looked_up(
        self, key: Hashable, load: Callable[[], Any], *, age: float = LOOKED_UP_SECONDS, fresh: bool = False
    ) -> Any:
        """What `load` returned less than `age` seconds ago under this key, or returns now; `fresh`: now, or in another
        thread since this call. The key tells servers, and who logs in there, apart."""
        return self._looked_up.get(key, lambda: (load(), age), fresh=fresh)

    def known(self, key: Hashable) -> Any:
        """What was looked up under this key last, however old; None: nothing was."""
        return self._looked_up.last(key)

    def renewed(self, key: Hashable, load: Callable[[], Any], *, age: float = LOOKED_UP_SECONDS) -> Any:
        """What `load` returns now, kept under this key; who asks for it meanwhile is not kept waiting."""
        return self._looked_up.renew(key, lambda: (load(), age))

    def exchange(self, request: Request, headers: Mapping[str, str], longest_wait: float) -> Response:
        """Sends one request and reads its answer, within the round trip that is under way; no redirect is followed.

        `longest_wait`: no answer makes anybody wait longer, in seconds. Raises NothingSentError, DestinationError
        where the server may not be reached, and where the answer is lost TransientError for a request that is safe,
        else LostAnswerError.
        """
        server = str(origin_of(request.url))
        prepared = _prepared(request, headers)
        trip = current()
        try:
            return self._answer(prepared, request.most, server, longest_wait)
        except (OSError, urllib3.exceptions.HTTPError, http.client.HTTPException):
            raise _failure(request, trip, server) from None

    def _answer(
        self, prepared: requests.PreparedRequest, most: int, server: str, longest_wait: float
    ) -> Response:
        with self._adapter.send(prepared, stream=True) as response:
            body = _read(response.raw, most + 1)
            wait = retry_after(response.headers.get("Retry-After"), self._clock(), longest_wait)
            if len(body) > most:
                response.raw.close()  # or the rest would be read, to use the connection again
            return Response(
                response.status_code, response.headers, body[:most], wait, len(body) <= most, server
            )


def _prepared(request: Request, headers: Mapping[str, str]) -> requests.PreparedRequest:
    body = request.body
    if body is not None and not isinstance(body, bytes):
        body.seek(0)
    try:
        return requests.Request(
            request.method,
            request.url,
            params=request.params,
            headers={**_HEADERS, **request.headers, **headers},
            json=request.json,
            data=request.form if body is None else body,
        ).prepare()
    except (requests.RequestException, UnicodeError):  # its text would repeat the header
        raise DestinationError(
            f"{origin_of(request.url)}: a header of the request holds what no header may"
        ) from None


def _read(raw: Any, most: int) -> bytes:
    found = bytearray()
    while len(found) < most:
        piece = raw.read(min(_PIECE, most - len(found)))
        if not piece:
            break
        found += piece
    return bytes(found)


def _failure(request: Request, trip: RoundTrip, server: str) -> TransientError | LostAnswerError:
    late = trip.is_over
    if not trip.sent:
        said = "not in time" if late else "the connection was cut"
        return NothingSentError(f"{server} cannot be reached: {said}")
    why = "did not answer in time" if late else "cut the connection before its answer was whole"
    lost = TransientError if request.is_safe else LostAnswerError
    return lost(f"{server} {why}")
