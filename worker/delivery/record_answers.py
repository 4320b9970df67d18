"""What an SIS answered → what is kept of it, and what is asked next."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from worker.core.record_plans import Ask, SoFar, is_last
from worker.core.record_rules import RecordForm
from worker.delivery.record_requests import HeldForPerson, RecordRequest, Result
from worker.destinations.record_port import RowAccepted, RowDone, RowLater, RowRefused, RowUnknown
from worker.store.runs.row_receipts import Answered, EntryRow


@dataclass(frozen=True, slots=True)
class JudgedAnswers:
    """`kept`: what is written down; `again`: rows of which another deed follows; `alone`: rows of a request that was
    refused as a whole, each in one of its own; `lost`: how many answers were."""

    kept: list[Answered] = field(default_factory=list)
    again: list[EntryRow] = field(default_factory=list)
    alone: list[RecordRequest] = field(default_factory=list)
    lost: int = 0


def judged(form: RecordForm, request: RecordRequest, results: Sequence[Result]) -> JudgedAnswers:
    """What came of a request. One row that an SIS refuses does not take the others along: of several that were all
    refused, each is asked for by itself."""
    if len(results) > 1 and all(isinstance(result, RowRefused) for result in results):
        return JudgedAnswers(alone=list(_singly(request)))
    kept, again = [], []
    for one, ask, result in zip(request.rows, request.asks, results, strict=True):
        if isinstance(result, RowDone) and not is_last(form, one.row, ask.step):
            kept.append(_answered(ask, None, step=ask.step + 1))
            again.append(_one_further(one, ask))
        else:
            kept.append(_final(ask, result))
    return JudgedAnswers(kept, again, lost=sum(isinstance(result, RowUnknown) for result in results))


def after_trouble(request: RecordRequest) -> Iterator[Answered]:
    """Nothing of the request was carried out: each row is as it was before it was asked for."""
    for ask in request.asks:
        if ask.repeats:
            yield _answered(ask, "unknown")
        else:
            yield replace(_answered(ask, None), taken_back=True)


def left_to_person(ask_step: int, line: int, deed: str) -> Answered:
    """Nothing more is asked for the row."""
    return Answered(line, ask_step, deed, "held")


def _singly(request: RecordRequest) -> Iterator[RecordRequest]:
    for one, ask in zip(request.rows, request.asks, strict=True):
        yield RecordRequest((one,), (replace(ask, alone=True, batch=None),))


def _one_further(one: EntryRow, ask: Ask) -> EntryRow:
    step = ask.step + 1
    return replace(one, row=replace(one.row, asked=SoFar(step, ask.deed, one.row.line, lost=False, tries=0)))


def _final(ask: Ask, result: Result) -> Answered:
    match result:
        case RowDone():
            return _answered(ask, "done", sis_id=result.sis_id, sis_version=result.sis_version)
        case RowAccepted():
            return _answered(ask, "accepted", sis_id=result.reference)
        case RowRefused():
            return _answered(ask, "refused", words=result.words)
        case RowLater():
            return _answered(ask, "later", words=result.words)
        case RowUnknown():
            return _answered(ask, "unknown", words=result.words)
        case HeldForPerson():
            return _answered(ask, "held")
        case _:
            raise TypeError(f"the destination told of a row by a {type(result).__name__}")


def _answered(
    ask: Ask,
    outcome: str | None,
    *,
    step: int | None = None,
    sis_id: str | None = None,
    sis_version: str | None = None,
    words: str | None = None,
) -> Answered:
    tries = 0 if ask.row.asked is None else ask.row.asked.tries
    words = None if words is None else " ".join(words.split())[:_LONGEST_WORDS]
    return Answered(
        ask.row.line, ask.step if step is None else step, ask.deed, outcome, tries, sis_id, sis_version, words
    )


_LONGEST_WORDS = 2000
