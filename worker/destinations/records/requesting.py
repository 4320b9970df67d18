"""Rows of one request, and what is done where an SIS refuses them together: they are parted."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from worker.destinations.http.http_failures import LostAnswerError
from worker.destinations.record_port import RowDeed, RowLater, RowOutcome, RowRefused, RowUnknown
from worker.errors import DeliveryError, TransientError

Ask = Callable[[Sequence[RowDeed]], Sequence[RowOutcome]]
"""One request of some rows, and what became of each in their order. Raises DeliveryError, LostAnswerError."""


def together_or_parted(deeds: Sequence[RowDeed], ask: Ask) -> Sequence[RowOutcome]:
    """Asks for all in one request. One that is refused as a whole is parted in halves, down to the rows that the SIS
    does not take: these refuse no others, and its words are about them alone.

    Raises DeliveryError only while nothing can have been carried out.
    """
    outcomes = _asked(deeds, ask)
    if len(deeds) == 1 or not all(isinstance(one, RowRefused) for one in outcomes):
        return outcomes
    half = len(deeds) // 2
    first = together_or_parted(deeds[:half], ask)
    try:
        return [*first, *together_or_parted(deeds[half:], ask)]
    except DeliveryError as error:
        if all(isinstance(one, RowRefused) for one in first):
            raise
        # Some of the first half is carried out: what is left was not sent, and says so by itself.
        wait = error.retry_after if isinstance(error, TransientError) else None
        return [*first, *[RowLater(str(error), wait)] * (len(deeds) - half)]


def all_fit(
    deeds: Sequence[RowDeed], hindered: Callable[[RowDeed], RowOutcome | None], ask: Ask
) -> Sequence[RowOutcome]:
    """Asks for those that nothing hinders; the others have their outcome already."""
    outcomes = {deed.line: hindered(deed) for deed in deeds}
    fit = [deed for deed in deeds if outcomes[deed.line] is None]
    asked = iter(ask(fit) if fit else ())
    return [outcomes[deed.line] or next(asked) for deed in deeds]


def _asked(deeds: Sequence[RowDeed], ask: Ask) -> Sequence[RowOutcome]:
    try:
        return ask(deeds)
    except LostAnswerError as error:
        return [RowUnknown(str(error))] * len(deeds)
