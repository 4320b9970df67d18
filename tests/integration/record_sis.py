"""An SIS that takes records, in memory, as one that a plug-in reaches; a test tells it what to do with which row."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from marshmallow import Schema, fields

from schemas.definition.records import RecordFields
from worker.core.record_rules import FORMS, Capabilities, Deed, RecordForm, Verb
from worker.destinations.kinds import DESTINATIONS, add
from worker.destinations.record_port import (
    RecordKind,
    RowAccepted,
    RowDeed,
    RowDone,
    RowLater,
    RowOutcome,
    RowRefused,
    RowUnknown,
)
from worker.destinations.trial import Trial
from worker.errors import DestinationError, TransientError

_IDS = count(1)  # no two of these SISs give one id: they may be one place to the program
FIELDS = RecordFields(
    (
        {"field": "tardy_id", "header": "tardy"},
        {"field": "date", "header": "date"},
        {"field": "comment", "header": "note"},
    ),
    required=("tardy", "date"),
)
EVERY: frozenset[Verb] = frozenset({"create", "update", "delete"})
SHAPES: dict[str, Capabilities] = {
    "natural": Capabilities("natural", EVERY),
    "own": Capabilities("own", EVERY, reads_back=True),
    "keyed": Capabilities("own", EVERY, idempotency_key=True),
    "blind": Capabilities("own", frozenset({"create"})),
    "batch": Capabilities("natural", EVERY, rows_a_request=10),
    "asynchronous": Capabilities("natural", frozenset({"create", "update"}), synchronous=False),
    "proven": Capabilities("own", EVERY, synchronous=False, reads_back=True),
    "replacing": Capabilities("own", frozenset({"create", "delete"}), reads_back=True),
    "blind-replacing": Capabilities("own", frozenset({"create", "delete"})),
}


class Options(Schema):
    """What the definition says of it."""

    type = fields.String()
    shape = fields.String()
    parallel = fields.Integer()
    base_url = fields.String()


@dataclass
class LedgerSis:
    """The far side. `records`: {id: properties}; `plan`: {tardy: what happens to its next deeds}: `refuse`, `later`,
    `cut` (done, the answer is lost), `lost` (not done, the answer is lost), `busy`, `login`, `break`. `before`: called
    before each request is looked at."""

    shape: str = "natural"
    records: dict[str, dict[str, Any]] = field(default_factory=dict)
    plan: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    requests: list[list[RowDeed]] = field(default_factory=list)
    keys: dict[str, str] = field(default_factory=dict)
    before: Callable[[Sequence[RowDeed]], None] = lambda _deeds: None
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def tardies(self) -> list[str]:
        """Which tardies have a record, once for each."""
        return sorted(record["tardy"] for record in self.records.values())

    def send(self, deeds: Sequence[RowDeed]) -> Sequence[RowOutcome]:
        self.before(deeds)
        with self.lock:
            self.requests.append(list(deeds))
            for deed in deeds:
                self._trouble(deed)
            return [self._one(deed) for deed in deeds]

    def look(self, deed: RowDeed) -> RowDone | None:
        wanted = deed.properties["tardy"]
        found = [name for name, record in self.records.items() if record["tardy"] == wanted]
        return RowDone(found[0]) if found else None

    def check(self, trial: Trial) -> None:
        with trial.step("read"):
            pass

    def _trouble(self, deed: RowDeed) -> None:
        steps = self.plan[deed.properties["tardy"]]
        if steps and steps[0] in ("busy", "login", "break"):
            kind = steps.pop(0)
            if kind == "break":
                raise KeyError("a defect of the destination")
            said = (
                TransientError("429", retry_after=60) if kind == "busy" else DestinationError("login refused")
            )
            raise said

    def _one(self, deed: RowDeed) -> RowOutcome:
        steps = self.plan[deed.properties["tardy"]]
        what = steps.pop(0) if steps else "take"
        if what == "refuse":
            return RowRefused("no such student: Ada")
        if what == "later":
            return RowLater("the student is not enrolled yet")
        if what == "lost":
            return RowUnknown("time-out")
        if deed.deed is Deed.UPDATE and self._is_missing(deed):
            return RowRefused("there is no such record")
        sis_id = self._carried_out(deed)
        if what == "cut":
            return RowUnknown("the line was cut")
        return RowDone(sis_id) if SHAPES[self.shape].synchronous else RowAccepted(f"job-{len(self.requests)}")

    def _is_missing(self, deed: RowDeed) -> bool:
        """Who gives ids changes what has one; who goes by natural keys makes what is not there."""
        return SHAPES[self.shape].key == "own" and self._id(deed) not in self.records

    def _carried_out(self, deed: RowDeed) -> str:
        if deed.deed is Deed.DELETE:
            self.records.pop(self._id(deed), None)
            return self._id(deed)
        name = self._id(deed) if deed.deed is Deed.UPDATE else self._new_id(deed)
        self.records[name] = dict(deed.properties)
        return name

    def _id(self, deed: RowDeed) -> str:
        return deed.sis_id or _natural(deed.properties)

    def _new_id(self, deed: RowDeed) -> str:
        if SHAPES[self.shape].key == "natural":
            return _natural(deed.properties)
        if SHAPES[self.shape].idempotency_key:
            return self.keys.setdefault(deed.key, f"id-{next(_IDS)}")
        return f"id-{next(_IDS)}"


def _natural(properties: Mapping[str, Any]) -> str:
    return f"{properties['tardy']} {properties['date']}"


@contextmanager
def ledger(shape: str = "natural", sis: LedgerSis | None = None) -> Iterator[LedgerSis]:
    """The kind `ledger` is there as long as this lasts."""
    sis = sis or LedgerSis(shape)
    form = RecordForm(SHAPES[shape], FIELDS, frozenset({"tardy", "date"}))
    add("ledger", RecordKind(Options, lambda *_: sis, lambda _options: form))
    try:
        yield sis
    finally:
        del DESTINATIONS["ledger"], FORMS["ledger"]
