"""What judging looks at, and what it says, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from worker.core.rows import Value

Action = Literal["add", "change", "void"]
SisWaits = Literal["later", "half", "unknown"]


@dataclass(frozen=True, slots=True)
class Candidate:
    """An entry under judgement: the version it carries, beside the tardy's newest one.

    `document` is None for a void that came without its tardy's data, or where it has been purged. `received_at`
    is when this version arrived, `first_received_at` the tardy's first, `told_at` the first with the same
    `occurred_at` (None: this one). `released`: a person has said that it is to go although a policy holds it.
    `sis_waits`: what an SIS that takes records has left open of the tardy: it takes it `later`; it has let go of the
    record and not taken the new one (`half`); nobody knows. `put_off`: it is not yet time to ask again.
    """

    tardy_id: str
    version: int
    head_version: int
    voided: bool
    document: Mapping[str, Any] | None
    occurred_at: datetime | None
    received_at: datetime
    first_received_at: datetime
    released: bool = False
    told_at: datetime | None = None
    sis_waits: SisWaits | None = None
    put_off: bool = False

    @property
    def ahead(self) -> timedelta:
        """How far its time lies ahead of its arrival."""
        told_at = self.told_at or self.received_at
        return timedelta(0) if self.occurred_at is None else self.occurred_at - told_at


@dataclass(frozen=True, slots=True)
class Delivered:
    """What the SIS has of the tardy in this export: the row last delivered.

    `values` None: purged. `same_layout`: they are in the columns of the definition under judgement.
    `document` and `occurred_at` are those of the delivered version (None: purged, or a void).
    `seen_to`: a person has dismissed a void of it since, and so says to have seen to it in the SIS.
    """

    version: int
    action: str
    values: list[Value] | None
    same_layout: bool = True
    document: Mapping[str, Any] | None = None
    occurred_at: datetime | None = None
    seen_to: bool = False


@dataclass(frozen=True, slots=True)
class Ready:
    """It can go out: this row, for this reason."""

    action: Action
    values: list[Value]


@dataclass(frozen=True, slots=True)
class Waits:
    """It is held; the reason is for a person and bears no student's data."""

    code: str
    reason: str
    action: Action = "add"  # what it would go out as


@dataclass(frozen=True, slots=True)
class Ends:
    """Nothing of it is to be sent: `cancelled`, `superseded`, `ignored`, `collapsed` or `not_required`, and why."""

    state: Literal["cancelled", "superseded", "ignored", "collapsed", "not_required"]
    reason: str


Verdict = Ready | Waits | Ends
