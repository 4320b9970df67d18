"""Asking what may never answer, and has no time limit of its own: a network mount whose server is gone, or the
resolver of names, holds whoever asks."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from worker.errors import TransientError

T = TypeVar("T")
SECONDS = 10.0
_SAYS = "folder {name}: its file system does not answer within {seconds:g} seconds; is its server there?"


class SilentError(TransientError):
    """There is no answer, and may never be."""


class Patience:
    """Asks in a thread of its own, and waits for it so long; then it `says` so. Safe to use from several threads."""

    def __init__(self, seconds: float = SECONDS, says: str = _SAYS) -> None:
        self._seconds, self._says = seconds, says
        self._unanswered: dict[str, threading.Thread] = {}

    def ask(self, name: str, question: Callable[[], T]) -> T:
        """The answer. Raises what the question raises, and SilentError where there is none in time.

        Under one name nothing more is asked while a question is unanswered.
        """
        asked = self._unanswered.get(name)
        if asked is not None and asked.is_alive():
            raise self._silent(name)
        answers: list[T | Exception] = []
        thread = threading.Thread(
            target=_answer, args=(question, answers), name=f"asks {name}"[:100], daemon=True
        )
        thread.start()
        thread.join(self._seconds)
        if not answers:
            self._unanswered[name] = thread
            raise self._silent(name)
        self._unanswered.pop(name, None)
        if isinstance(answers[0], Exception):
            raise answers[0]
        return answers[0]

    def _silent(self, name: str) -> SilentError:
        return SilentError(self._says.format(name=name, seconds=self._seconds))


def _answer(question: Callable[[], T], answers: list[T | Exception]) -> None:
    try:
        answers.append(question())
    except Exception as error:  # noqa: BLE001 - told to who asks
        answers.append(error)
