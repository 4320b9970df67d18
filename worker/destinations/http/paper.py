"""A web in which nothing is sent: what would be asked of an SIS is written down, without secrets, by the very code that
asks it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Hashable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import unquote, urlencode

from worker.destinations.file_port import Installation, Secret
from worker.destinations.http.aging_cache import AgingCache
from worker.destinations.http.answers import Request, Response
from worker.destinations.http.origins import origin_of
from worker.destinations.http.web import Web
from worker.destinations.record_port import RecordDestination, RowDeed, RowRefused, Writes, WrittenRequest
from worker.errors import DeliveryError

Options = Mapping[str, Any]

_placeholder = re.compile(r"%3C[^/?&]*?%3E")


@dataclass(frozen=True, slots=True)
class Supposed:
    """What an SIS is supposed to answer, in JSON, with placeholders for what it alone knows. `looks_up`: the request
    only reads what is kept for a while; it is told in these words, for a person, rather than shown. `only`: as of
    WrittenRequest."""

    answer: Any
    looks_up: str | None = None
    only: str | None = None


Suppose = Callable[[Options, Sequence[RowDeed], Request], Supposed | None]
"""What is answered to a request for these deeds; None: nobody can say, and nothing of what follows is written down."""


def _nothing(_options: Options, _deeds: Sequence[RowDeed], _request: Request) -> None:
    return None


def on_paper(
    opens: Callable[[Options, Installation, Secret], RecordDestination], suppose: Suppose = _nothing
) -> Writes:
    """The `written` of a kind whose `send` goes over the installation's web, and over nothing else. What was looked up
    and is known in this process is used as it is."""

    def written(
        options: Options, installation: Installation, deeds: Sequence[RowDeed]
    ) -> Sequence[WrittenRequest]:
        web = _PaperWeb(installation.web, lambda request: suppose(options, deeds, request))
        lines = [deed.line for deed in deeds]
        with suppress(_NoAnswerError, DeliveryError):
            outcomes = opens(options, replace(installation, web=web), _named).send(deeds)
            lines = [
                line
                for line, outcome in zip(lines, outcomes, strict=True)
                if not isinstance(outcome, RowRefused)
            ]
        return [replace(one, rows=tuple(lines)) for one in web.written]

    return written


def _named(secret: str) -> str:
    return f"<{secret}>"


class _NoAnswerError(Exception):
    """Nothing is supposed to be answered: it ends here."""


@dataclass(frozen=True, slots=True)
class _PaperToken:
    access: str = "token"
    refresh: str | None = None


class _PaperTokens(AgingCache):
    def get(self, key: Hashable, load: Callable[[], tuple[Any, float]], *, fresh: bool = False) -> Any:
        return _PaperToken()


class _PaperWeb(Web):
    """Of one preview of one request's deeds. `known` is what this process looks ids up with."""

    def __init__(self, known: Web, suppose: Callable[[Request], Supposed | None]) -> None:
        super().__init__()
        self.tokens = _PaperTokens()
        self.written: list[WrittenRequest] = []
        self._known, self._suppose = known, suppose
        self._looks_up: list[str] = []

    def looked_up(self, key: Hashable, load: Callable[[], Any], **_how: Any) -> Any:
        known = self._known.known(key)
        return load() if known is None else known

    def exchange(self, request: Request, headers: Mapping[str, str], longest_wait: float) -> Response:
        supposed = self._suppose(request)
        if supposed is None:
            if not request.is_safe:
                self._write(request, None)
            raise _NoAnswerError
        if supposed.looks_up is None:
            self._write(request, supposed.only)
        else:
            self._looks_up.append(supposed.looks_up)
        body = json.dumps(supposed.answer).encode()
        return Response(200, {}, body, None, True, str(origin_of(request.url)))

    def _write(self, request: Request, only: str | None) -> None:
        url = f"{request.url}?{urlencode(request.params)}" if request.params else request.url
        url = _placeholder.sub(lambda found: unquote(found[0]), url)
        body = request.json if request.json is not None else request.form
        looks_up = tuple(self._looks_up)
        self.written.append(WrittenRequest(request.method, url, request.headers, body, (), looks_up, only))
