"""What an answer of an Ed-Fi API means for the row it was asked for.

Since 7.2 the ODS/API says what is wrong as problem details (RFC 9457) with `validationErrors`, `errors` and a
`correlationId`, before as a `message`. The words may quote a student: they are for the row's receipt alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from worker.destinations.http.answers import Response, one_line
from worker.destinations.http.http_failures import LostAnswerError
from worker.destinations.record_port import RowLater, RowOutcome, RowRefused, RowUnknown
from worker.errors import DestinationError

_LONGEST_WORDS = 400
_LONGEST_ID = 64

GONE = frozenset({404, 410})
"""Of what is asked for by its id: it is not there."""

_ABOUT_THE_KEY = (
    (
        "access-denied:action",
        "its claim set does not let it write attendance: have it granted create, read and delete",
    ),
    (
        "access-denied:resource",
        "its claim set does not know attendance: have it granted create, read and delete",
    ),
    ("data-policy", "a profile limits what it may write: have attendance put into it"),
    ("api:profile", "a profile limits what it may write: have attendance put into it"),
)
"""In a problem's `type`: what is no fault of a row, and what the host of the API has to do about it."""


_NOT_YET_THERE = "reference could not be resolved"
"""In the `message` of an ODS/API before 7.2, with 400: a person whom it does not know yet."""


def outcome(answer: Response) -> RowOutcome:
    """What became of a row that was not taken. Raises DestinationError where it would be the same for every row."""
    _refuse_for_all(answer)
    lags = answer.status == 400 and _NOT_YET_THERE in str(_said(answer).get("message"))
    if lags or answer.status in (403, 409):
        return RowLater(words(answer), answer.retry_after)
    if answer.status >= 500 or answer.status == 408:
        return RowUnknown(words(answer))
    return RowRefused(words(answer))


def _refuse_for_all(answer: Response) -> None:
    kind = str(_said(answer).get("type", ""))
    for part, advice in _ABOUT_THE_KEY:
        if answer.status < 500 and part in kind:
            raise DestinationError(f"{answer.server} does not take this from the key: {advice}, then retry")
    if answer.status in GONE:
        raise DestinationError(
            f"{answer.server} has no such resource (HTTP {answer.status}): check base_url, with the school year or"
            " tenant that its host asks for, then retry"
        )
    if answer.status == 405:
        raise DestinationError(
            f"{answer.server} lets nobody write there (HTTP 405): check base_url, then retry"
        )


def words(answer: Response) -> str:
    """The SIS's own words in one line, with the id under which its host finds the request in his log."""
    said = _said(answer)
    told = one_line("; ".join(dict.fromkeys(_sentences(said))), _LONGEST_WORDS)
    line = f"HTTP {answer.status}: {told}" if told else f"HTTP {answer.status}"
    correlation = said.get("correlationId")
    if isinstance(correlation, str) and correlation:
        line += f" (correlation id {one_line(correlation, _LONGEST_ID)})"
    return line


def _sentences(said: Mapping[str, Any]) -> Iterator[str]:
    first = next((said[name] for name in ("detail", "message", "title", "error") if said.get(name)), None)
    if isinstance(first, str):
        yield first
    errors = said.get("errors")
    yield from (each for each in errors if isinstance(each, str)) if isinstance(errors, list) else ()
    validation = said.get("validationErrors")
    for path, problems in validation.items() if isinstance(validation, dict) else ():
        listed = problems if isinstance(problems, list) else [problems]
        yield from (f"{path}: {problem}" for problem in listed if isinstance(problem, str))


def _said(answer: Response) -> Mapping[str, Any]:
    try:
        said = answer.json() if answer.body else None
    except LostAnswerError:
        return {}
    return said if isinstance(said, dict) else {}


def record_id(answer: Response) -> str | None:
    """The id of what was written, from `Location`; the address around it is the API's own, which behind a proxy leads
    nowhere. None: the answer does not tell."""
    path = urlsplit(answer.headers.get("Location", "")).path
    return path.rstrip("/").rpartition("/")[2] or None


def is_same_id(one: str, other: str | None) -> bool:
    """Whether two ids are of one record: an API that has been upgraded may write its ids (UUIDs) in another form."""
    return other is not None and _plain(one) == _plain(other)


def _plain(record: str) -> str:
    return record.replace("-", "").casefold()
