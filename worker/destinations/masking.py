"""What a destination says is kept free of the secrets it was given: an SIS may well repeat a wrong password in its
answer, and its own words are shown, logged and stored."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import quote, quote_plus

from worker.destinations.file_port import Secret
from worker.destinations.record_port import RowLater, RowRefused, RowUnknown
from worker.errors import DeliveryError

MASK = "***"
# Not "Basic authentication": two capitals or digits tell credentials from words.
_credentials = re.compile(r"\b(Basic|Bearer) (?=(?:\S*[A-Z0-9]){2})[\w.~+/=-]{8,}")
_SHORTEST = 4
"""Characters of the shortest text that is masked: without shorter ones a sentence could not be read any more."""
_SHORTEST_LOGGED = 8  # of what is masked in the log, where a short one could be any word
_logged: set[str] = set()


def masked_in_log(line: str) -> str:
    """The line of the log with `***` for each secret that this process has given to a destination: a plug-in may log
    by itself. Safe to use from several threads."""
    for secret in sorted(_logged.copy(), key=len, reverse=True):
        line = line.replace(secret, MASK)
    return line


class Overheard:
    """The secrets that one destination was given. Safe to use from several threads."""

    def __init__(self, secret: Secret) -> None:
        self._secret = secret
        self._texts: frozenset[str] = frozenset()

    def __call__(self, name: str) -> str:
        """The secret of that name. Raises as what it is read from."""
        value = self._secret(name)
        self._texts |= frozenset(_forms(value))
        _logged.update(_forms_in_log(value))
        return value

    def masked(self, text: str) -> str:
        """The text with `***` for each of them, also as it is written in a URL or cut short by `…`, and for what is
        in the form of a request's credentials."""
        for secret in sorted(self._texts, key=len, reverse=True):
            text = text.replace(secret, MASK)
            if "…" in text:
                text = _without_beginning(secret, text)
        return _credentials.sub(rf"\1 {MASK}", text)


def _forms(value: str) -> Iterator[str]:
    """The secret, a line of it (of a key), and each as a URL has it."""
    for text in {value, *value.splitlines()}:
        if len(text) >= _SHORTEST:
            yield from (text, quote(text, safe=""), quote_plus(text))


def _forms_in_log(value: str) -> Iterator[str]:
    """As a line shows it by itself, in JSON and within a Python string."""
    for text in _forms(value):
        if len(text) >= _SHORTEST_LOGGED and "\n" not in text:
            yield from (
                text,
                json.dumps(text)[1:-1],
                json.dumps(text, ensure_ascii=False)[1:-1],
                repr(text)[1:-1],
            )


def _without_beginning(secret: str, text: str) -> str:
    for length in range(len(secret) - 1, _SHORTEST - 1, -1):
        text = text.replace(f"{secret[:length]}…", f"{MASK}…")
    return text


class Masked:
    """A destination of either port, its errors and its answers without the secrets it was given."""

    def __init__(self, destination: Any, overheard: Overheard) -> None:
        self._destination = destination
        self._overheard = overheard

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._destination, name)
        return self._guarded(found) if callable(found) else found

    def _guarded(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            return _answer(guarded(method, self._overheard, *arguments, **named), self._overheard)

        return call


def guarded(work: Callable[..., Any], overheard: Overheard, *arguments: Any, **named: Any) -> Any:
    """What the work returns; a DeliveryError that it raises names no secret."""
    try:
        return work(*arguments, **named)
    except DeliveryError as error:
        for one in _chain(error):
            one.args = tuple(overheard.masked(part) if isinstance(part, str) else part for part in one.args)
        raise


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error and those that led to it: the log shows the texts of ours."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _answer(answer: Any, overheard: Overheard) -> Any:
    """The words of an SIS, masked; anything else as it is."""
    if isinstance(answer, RowRefused | RowLater | RowUnknown):
        return replace(answer, words=overheard.masked(answer.words))
    if isinstance(answer, Sequence) and not isinstance(answer, str | bytes):
        return [_answer(one, overheard) for one in answer]
    return answer
