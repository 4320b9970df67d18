"""What is asked of a destination that takes records: each row of a run is a request, or a part of one."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from marshmallow import Schema

from worker.core.record_rules import Deed, RecordForm
from worker.destinations.facts import Facts
from worker.destinations.file_port import Installation, Secret, as_written
from worker.destinations.places import Places
from worker.destinations.trial import Trial


@dataclass(frozen=True, slots=True)
class RowDeed:
    """One deed to be done about one row: `create`, `update` or `delete`.

    `properties` are the row's, by their dotted names. `key` is the same in every attempt at this deed: it goes along
    where the SIS knows idempotency keys. `sis_id` and `sis_version` are what the SIS said of the record before.
    """

    line: int
    deed: Deed
    properties: Mapping[str, Any]
    key: str
    sis_id: str | None = None
    sis_version: str | None = None


@dataclass(frozen=True, slots=True)
class RowDone:
    """It is in the SIS, under this id and version where the SIS gives them; a delete that found nothing is done."""

    sis_id: str | None = None
    sis_version: str | None = None


@dataclass(frozen=True, slots=True)
class RowAccepted:
    """The SIS has taken it and works on it later; `reference` is its name for that, where it gives one."""

    reference: str | None = None


@dataclass(frozen=True, slots=True)
class RowRefused:
    """The SIS does not take it; `words` are the SIS's own."""

    words: str


@dataclass(frozen=True, slots=True)
class RowLater:
    """It may be taken later, as when the roster lags: `words` are the SIS's own, `retry_after` seconds it asked for.

    The row is looked at again after 10 minutes or more, whatever was asked for: that an SIS is not to be asked at all
    for a while, TransientError says.
    """

    words: str
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class RowUnknown:
    """The answer was lost: the SIS has it or has not. `words` say how."""

    words: str


RowOutcome = RowDone | RowAccepted | RowRefused | RowLater | RowUnknown


class RecordDestination(Protocol):
    """One SIS that takes records. Raises TransientError (with `retry_after` where the SIS asked for it) or
    DestinationError where it takes nothing at all just now; nothing else. Safe to use from several threads."""

    def send(self, deeds: Sequence[RowDeed]) -> Sequence[RowOutcome]:
        """One request, of at most `rows_a_request` records; what became of each, in their order.

        What it raises, it raises only while nothing of the request can have been carried out.
        """

    def look(self, deed: RowDeed) -> RowDone | None:
        """The record as the SIS has it, None: it is not there. Asked only where the kind `reads_back`."""

    def check(self, trial: Trial) -> None:
        """Tries whether records could be sent, step by step, changing nothing, and raises where none could."""


class CodedDestination(RecordDestination, Protocol):
    """One whose form names a `dictionary`."""

    def lacking(self, codes: Collection[str]) -> Collection[str]:
        """Which of these codes, as rows say them, the SIS's dictionary does not have, as it is read now. What is kept
        of it for rows is renewed by that, and stands in no row's way meanwhile."""


class LookingUpDestination(RecordDestination, Protocol):
    """One that keeps for a while what it looks up of its SIS; a plug-in's may do without."""

    def look_up(self) -> None:
        """Reads what its requests need of the SIS, and keeps it; changes nothing there."""


@dataclass(frozen=True, slots=True)
class WrittenRequest:
    """A request as it would go, without who asks. `body`: what stands there as JSON, or as a form's fields; `rows`: the
    lines of the rows in it.

    What only the SIS knows stands there as a placeholder, `<its name>`; `looks_up` says in words how each is looked up
    that is not known yet. `only`: where it goes, if that depends on what the SIS answers before; a clause.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    body: Any
    rows: tuple[int, ...]
    looks_up: tuple[str, ...] = ()
    only: str | None = None


Writes = Callable[[Mapping[str, Any], Installation, Sequence[RowDeed]], Sequence[WrittenRequest]]
"""Given a `destination`, the installation and deeds that share a request: what `send` would ask for them, in its order.
Only computes: nothing is asked of anybody, and no secret is read."""


@dataclass(frozen=True, slots=True)
class RecordKind:
    """A kind of destination that takes records: its options, how one is opened, how one with these options takes
    records, and which place it is (as of `FileKind`).

    `examples`: for each way in which it takes records (a mode, a resource) one right `destination`, of which layouts
    are made; what only a district knows stands there as an example, secrets by name. `written`: the requests that deeds
    come to, for a preview; a row that is in none of them is shown with its deed, as all are where there is no such
    function. `http.paper.on_paper` makes one for kinds that reach their SIS over the installation's web.
    """

    schema: type[Schema]
    open: Callable[[Mapping[str, Any], Installation, Secret], RecordDestination]
    form: Callable[[Mapping[str, Any]], RecordForm]
    place: Callable[[Mapping[str, Any], Places], str] = as_written
    examples: tuple[Mapping[str, Any], ...] = ()
    facts: Facts | None = None
    written: Writes | None = None
