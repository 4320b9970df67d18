"""Sends one request over a connection of the installation's, and reads its answer."""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Mapping
from typing import Any

import requests
import urllib3

from worker import __version__
from worker.clock import Clock
from worker.destinations.http.answers import Request, Response, retry_after
from worker.destinations.http.connections import GuardedAdapter
from worker.destinations.http.gate import Gate
from worker.destinations.http.http_failures import LostAnswerError, NothingSentError
from worker.destinations.http.origins import origin_of
from worker.destinations.http.round_trip import RoundTrip, current
from worker.errors import DestinationError, TransientError

_PIECE = 1 << 16
_HEADERS = {
    "User-Agent": f"tardy-writeback/{__version__}",
    "Accept": "application/json",
    "Accept-Encoding": "identity",  # a small answer that unpacks to a large one is none to take
}


class Sending:
    """Safe to use from several threads."""

    def __init__(self, gate: Gate, context: ssl.SSLContext, clock: Clock) -> None:
        self._adapter, self._clock = GuardedAdapter(gate, context), clock

    def exchange(self, request: Request, headers: Mapping[str, str], longest_wait: float) -> Response:
        """As `Web.exchange`, which this does."""
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
