"""What an act of a person did, as a frozen value: `shape` is its one JSON, `said` tells it in sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import RowMapping

from worker.store.entries.decisions import Decision
from worker.views.tardies.held_entries import entry_id
from worker.views.words import counted, picked


class Done(Protocol):
    """What every act returns that a person is told of."""

    @property
    def shape(self) -> Mapping[str, Any]: ...
    @property
    def said(self) -> Sequence[str]: ...


@dataclass(frozen=True, slots=True)
class Resent:
    """A run that sends the delivered `run` once more. `paused`: it goes once its export is resumed."""

    run_id: str
    run: RowMapping
    paused: bool

    @property
    def shape(self) -> dict[str, Any]:
        run = self.run
        resent = {"run_id": self.run_id, "resend_of": run["resend_of"] or run["run_id"]}
        return resent | picked(run, "export_id file_name")

    @property
    def said(self) -> list[str]:
        later = f" once {self.run['export_id']} is resumed" if self.paused else ""
        return [f"{self.run['file_name']} is sent once more{later}, by run {self.run_id}"]


@dataclass(frozen=True, slots=True)
class Resynced:
    """Rows of an export that go once more: now or (`paused`) once it is resumed."""

    export_id: str
    rows: int
    paused: bool

    @property
    def shape(self) -> dict[str, Any]:
        return {"export_id": self.export_id, "rows": self.rows, "paused": self.paused}

    @property
    def said(self) -> list[str]:
        if not self.rows:
            return [f"{self.export_id} has delivered nothing of these that could go once more"]
        when = f"go once {self.export_id} is resumed" if self.paused else "go now"
        return [f"{counted(self.rows, 'row')} of {self.export_id} {when}"]


@dataclass(frozen=True, slots=True)
class Approved:
    """A guarded run, as it was, that goes: now or (`paused`) once its export is resumed."""

    run: RowMapping
    paused: bool

    @property
    def shape(self) -> dict[str, Any]:
        return picked(self.run, "run_id export_id rows")

    @property
    def said(self) -> list[str]:
        rows = f"its {counted(self.run['rows'], 'row')}, and what has come since,"
        later = f"once {self.run['export_id']} is resumed" if self.paused else "now"
        return [f"run {self.run['run_id'][:8]} is approved: {rows} go {later}"]


@dataclass(frozen=True, slots=True)
class Abandoned:
    """A run given up. `buffered`: how many entries are buffered again; None: whether its file has left is asked at
    the destination first, by the next attempt."""

    run: RowMapping
    buffered: int | None

    @property
    def shape(self) -> dict[str, Any]:
        return picked(self.run, "run_id export_id") | {"buffered": self.buffered}

    @property
    def said(self) -> list[str]:
        about = f"run {self.run['run_id'][:8]}"
        answered = self.run["file_name"] is None and self.run["departed_attempt"] is not None
        if self.buffered is None:
            left = "what the SIS has answered stays" if answered else "unless its file has left"
            return [f"{about} is given up{',' if answered else ''} {left}"]
        if answered:
            again = counted(self.buffered, "entry", "entries")
            return [f"{about} is given up: what the SIS has answered stays, {again} buffered again"]
        return [f"{about} is abandoned: {counted(self.buffered, 'entry', 'entries')} buffered again"]


@dataclass(frozen=True, slots=True)
class Decided:
    """What was decided about entries, given as they were. `leaving`: {export: when what was released leaves}."""

    decision: Decision
    entries: Sequence[RowMapping]
    leaving: Mapping[str, str]

    @property
    def shape(self) -> dict[str, Any]:
        kept = "export_id district_id tardy_id version action"
        entries = [{"id": entry_id(row)} | picked(row, kept) | {"was": row["reason"]} for row in self.entries]
        return {"decision": self.decision, "entries": entries}

    @property
    def said(self) -> list[str]:
        return [f"{entry_id(row)}, version {row['version']}: {self._became(row)}" for row in self.entries]

    def _became(self, row: RowMapping) -> str:
        if self.decision == "release":
            return f"released; {self.leaving[row['export_id']]}"
        if self.decision == "undo":
            return "its dismissal is taken back; it waits as before"
        seen_to = "its void counts as seen to in the SIS" if row["action"] == "void" else "it is not sent"
        return f"dismissed; {seen_to}"


@dataclass(frozen=True, slots=True)
class TakenBack:
    """A version that counts no more. `in_force`: the version that counts again; None: the tardy has none. `exports`:
    those that had entries of the tardy or have some now."""

    district_id: str
    tardy_id: str
    version: int
    in_force: int | None
    exports: tuple[str, ...]

    @property
    def shape(self) -> dict[str, Any]:
        names = ("district_id", "tardy_id", "version", "in_force")
        return {name: getattr(self, name) for name in names} | {"exports": list(self.exports)}

    @property
    def said(self) -> list[str]:
        taken = f"version {self.version} of tardy {self.tardy_id} is taken back"
        if self.in_force is None:
            return [f"{taken}; no version is left: the next that comes is the tardy's first"]
        judged = f", to be judged again in {', '.join(self.exports)}" if self.exports else ""
        return [f"{taken}; version {self.in_force} counts again{judged}"]
