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

_is_code = re.compile(r"[A-Za-z][A-Za-z_.-]{0,59}").fullmatch
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
        """The status and, where the server gives one, the kind of problem, for errors and logs: one line.

        That is the `title` of a problem details object (RFC 9457), which is the same at every occurrence, or an `error`
        that looks like a code. Anything else may quote a student: it belongs into a row's receipt alone.
        """
        said = _kind(self) if self.whole else None
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


def _kind(answer: Response) -> str | None:
    try:
        said = json.loads(answer.body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(said, dict):
        return None
    title, error = said.get("title"), said.get("error")
    is_details = "application/problem+json" in answer.headers.get("Content-Type", "").lower()
    if is_details and isinstance(title, str) and title.strip():
        return one_line(title, 100)
    return error if isinstance(error, str) and _is_code(error) else None


def one_line(text: str, most: int = 200) -> str:
    """A server's words, as one line of printable characters."""
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return line if len(line) <= most else f"{line[: most - 1]}…"
