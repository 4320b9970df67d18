"""What an SIS's answer to a request means for the rows in it, where nothing but HTTP says so."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from worker.destinations.http.answers import Response, one_line
from worker.destinations.http.http_failures import LostAnswerError
from worker.destinations.record_port import RowLater, RowOutcome, RowRefused, RowUnknown
from worker.errors import DestinationError, TransientError

_LONGEST = 300
_LONGEST_NAME = 200
_TOLD_IN = ("error_description", "message", "error", "errors", "detail", "title", "description", "reason")
_DEEPEST = 4


def troubled(answer: Response, *, names_row: bool = False) -> RowOutcome | None:
    """What became of the rows of a request; None: the SIS has taken it, and the kind reads what it says.

    `names_row`: the address names a student or a class, so that a 404 tells of the row and not of the address. Raises
    DestinationError where a person must act: the address leads nowhere.
    """
    status = answer.status
    if answer.is_success:
        return (
            RowUnknown(f"HTTP {status}: a page for people, no answer of an API") if answer.is_page else None
        )
    if status >= 500:
        return RowUnknown(sis_words(answer))
    if status < 400 or (status in (404, 405, 410) and not names_row):
        raise DestinationError(
            f"{answer.server}: the address leads nowhere ({answer.words()}); correct the destination's options"
        )
    if status in (403, 404, 409, 410):
        return RowLater(sis_words(answer), answer.retry_after)
    return RowRefused(sis_words(answer))


def read(answer: Response, what: str, options: str) -> Any:
    """What a read brought. Raises DestinationError where a person must act, such as on the named options of the
    destination, else TransientError."""
    if 300 <= answer.status < 500:
        raise DestinationError(
            f"{answer.server}: {what} cannot be read ({answer.words()}); check {options} in the destination and what"
            " the login may read, then retry the export"
        )
    if not answer.is_success:
        raise TransientError(
            f"{answer.server}: {what} cannot be read just now ({answer.words()})",
            retry_after=answer.retry_after,
        )
    try:
        return answer.json()
    except LostAnswerError as error:
        raise TransientError(str(error)) from None


def name_of(value: Any) -> str | None:
    """An SIS's id or other name for a thing, as text; None: it is none."""
    fits = isinstance(value, str | int) and not isinstance(value, bool) and value != ""
    return str(value)[:_LONGEST_NAME] if fits else None


def sis_words(answer: Response) -> str:
    """The SIS's own words, one line of at most 300 characters. They may quote a student: for a receipt alone."""
    said = "; ".join(dict.fromkeys(_told(_body(answer))))
    return one_line(f"HTTP {answer.status}: {said}" if said else f"HTTP {answer.status}", _LONGEST)


def _body(answer: Response) -> Any:
    try:
        return json.loads(answer.body)
    except (ValueError, RecursionError):
        return None


def _told(body: Any, depth: int = 0) -> Iterator[str]:
    """The texts that an error's body has for a person, wherever it keeps them."""
    if isinstance(body, str) and depth:
        yield body
    elif isinstance(body, list) and depth < _DEEPEST:
        for one in body[:20]:
            yield from _told(one, depth + 1)
    elif isinstance(body, dict) and depth < _DEEPEST:
        told = [name for name in _TOLD_IN if name in body] or (list(body)[:20] if depth else [])
        for name in told:
            yield from _told(body[name], depth + 1)
