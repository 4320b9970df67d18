"""A web in which nothing is sent: what would be asked of an SIS is written down, without secrets."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from worker.destinations.file_port import Installation
from worker.destinations.http.aging_cache import AgingCache
from worker.destinations.http.answers import Request, Response
from worker.destinations.http.web import Web
from worker.destinations.record_port import RecordKind, RowDeed
from worker.errors import DeliveryError


@dataclass(frozen=True, slots=True)
class WrittenRequest:
    """A request as it would go, without who asks. `body`: what stands there as JSON, or as a form's fields."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: Any


def write_down(
    kind: RecordKind, options: Mapping[str, Any], installation: Installation, deeds: Sequence[RowDeed]
) -> WrittenRequest | None:
    """The request that these deeds come to; None: the kind does not say, or has to ask its SIS something first.

    No secret is read: where one belongs stands its name.
    """
    if not kind.on_paper:
        return None
    try:
        kind.open(options, replace(installation, web=_PaperWeb()), _named).send(deeds)
    except _WrittenError as written:
        return written.request
    except (_AskedFirstError, DeliveryError):
        return None
    return None


def _named(secret: str) -> str:
    return f"<{secret}>"


class _WrittenError(Exception):
    def __init__(self, request: WrittenRequest) -> None:
        super().__init__()
        self.request = request


class _AskedFirstError(Exception):
    pass


@dataclass(frozen=True, slots=True)
class _PaperToken:
    access: str = "token"
    refresh: str | None = None


class _PaperTokens(AgingCache):
    def get(self, key: Hashable, load: Callable[[], tuple[Any, float]], *, fresh: bool = False) -> Any:
        return _PaperToken()


class _PaperWeb(Web):
    """Raises _WrittenError for what would change something, _AskedFirstError for what would be read."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens = _PaperTokens()

    def looked_up(self, key: Hashable, load: Callable[[], Any], **_how: Any) -> Any:
        raise _AskedFirstError

    def exchange(self, request: Request, headers: Mapping[str, str], longest_wait: float) -> Response:
        if request.is_safe:
            raise _AskedFirstError
        url = f"{request.url}?{urlencode(request.params)}" if request.params else request.url
        body = request.json if request.json is not None else request.form
        raise _WrittenError(WrittenRequest(request.method, url, request.headers, body))
