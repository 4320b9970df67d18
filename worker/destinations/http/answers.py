"""A request and its answer."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import IO, Any

from worker.destinations.http.http_failures import LostAnswerError

ANSWER_BYTES = 1 << 20
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})  # RFC 9110, 9.2.1
_SAID_IN = ("title", "error", "message")

_seconds = re.compile(r"[0-9]{1,9}(\.[0-9]{1,6})?").fullmatch


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of a server. At most one of `json`, `form` and `body` is given; a file as `body` is read from its
    beginning, at every try. `timeout`: seconds, None: the client's. `most`: bytes of the answer that are read."""

    method: str
    url: str
    params: Mapping[str, str] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    json: Any = None
    form: Mapping[str, str] | None = None
    body: bytes | IO[bytes] | None = None
    timeout: float | None = None
    most: int = ANSWER_BYTES

    @property
    def is_safe(self) -> bool:
        """Whether asking twice changes nothing more than asking once does, which is nothing."""
        return self.method in _SAFE


@dataclass(frozen=True, slots=True)
class Response:
    """What a server said. `headers` know no capitals; `retry_after`: seconds it asked for, no more than the client
    grants; `whole`: False where `body` was longer than what was read; `server`: whose it is, for messages."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    retry_after: float | None
    whole: bool
    server: str

    @property
    def is_success(self) -> bool:
        """2xx."""
        return 200 <= self.status < 300

    @property
    def is_page(self) -> bool:
        """Whether it is one of a web site, for people."""
        return self.body.lstrip()[:15].lower().startswith((b"<!doctype html", b"<html"))

    def json(self) -> Any:
        """The body. Raises LostAnswerError where it is no JSON, or longer than what was read."""
        try:
            return json.loads(self.body) if self.whole else self._unreadable("is too long")
        except (ValueError, RecursionError):
            return self._unreadable("is no JSON")

    def words(self) -> str:
        """The status and, where the body is an object with a title or an error, that: one line of at most 200
        characters. A body as a whole is never repeated: it may hold what was sent."""
        said = _said(self.body) if self.whole else None
        return f"HTTP {self.status}" if said is None else f"HTTP {self.status}: {said}"

    def _unreadable(self, why: str) -> Any:
        raise LostAnswerError(f"{self.server}: what it answered (HTTP {self.status}) {why}")


def retry_after(value: str | None, now: datetime, most: float) -> float | None:
    """Seconds that a `Retry-After` asks for, in either of its forms; None: it asks for none that can be read."""
    if value is None:
        return None
    if _seconds(value.strip()):
        return min(float(value), most)
    try:
        wanted = (parsedate_to_datetime(value) - now).total_seconds()
    except (ValueError, TypeError, OverflowError):  # TypeError: a date without a zone
        return None
    return min(max(wanted, 0.0), most)


def _said(body: bytes) -> str | None:
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(said, dict):
        return None
    found = next((said[name] for name in _SAID_IN if isinstance(said.get(name), str) and said[name]), None)
    return None if found is None else one_line(found)


def one_line(text: str, most: int = 200) -> str:
    """A server's words, as one line of printable characters."""
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return line if len(line) <= most else f"{line[: most - 1]}…"
