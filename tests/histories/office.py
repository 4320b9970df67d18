"""The office: what people decide about runs and rows, each as a command."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random
from typing import Any

from sqlalchemy import select

from tests.builders import command
from tests.histories.installation import Installation
from tests.histories.invariants import Invariants, key_of
from tests.histories.payload import Payloads
from worker.store.database import instants, tables
from worker.store.runs import run_rows

_NO_RUN = "0" * 32


class Office:
    """Knows of each act whether it is to be refused. Each is noted in the record."""

    def __init__(
        self, program: Installation, claims: Invariants, payloads: Payloads, note: Callable[[str], None]
    ) -> None:
        self._program = program
        self._claims = claims
        self._payloads = payloads
        self._note = note

    def resend(self, export_id: str) -> None:
        """A person has the bytes of the last file sent once more, where nothing speaks against it."""
        c = tables.runs.c
        with self._program.database.read() as connection:
            sent = select(c.run_id).where(
                c.export_id == export_id, c.state == "delivered", c.sha256.is_not(None)
            )
            run_id = connection.execute(sent.order_by(c.finished_at.desc()).limit(1)).scalar_one_or_none()
            is_idle = (
                self._program.record.is_active(export_id) and run_rows.open_run(connection, export_id) is None
            )
        refused = self._program.ask(command("run.resend", {"run_id": run_id or _NO_RUN, "reason": "lost"}))
        assert (refused is None) == (is_idle and run_id is not None), refused

    def approve(self, export_id: str) -> bool:
        """A person lets the open run go, if it is larger than its guard; whether it is."""
        with self._program.database.read() as connection:
            run = run_rows.open_run(connection, export_id)
        run_id = _NO_RUN if run is None else run["run_id"]
        is_guarded = run is not None and run["state"] == "guarded"
        if is_guarded:
            self._program.record.approved.add(run_id)
        refused = self._program.ask(command("run.approve", {"run_id": run_id, "reason": "so"}))
        assert (refused is None) == is_guarded, refused
        return is_guarded

    def abandon(self, export_id: str, *, unsent: bool) -> None:
        """A person gives the open run up; `unsent`: and has seen that its file did not arrive."""
        with self._program.database.read() as connection:
            run = run_rows.open_run(connection, export_id)
            now = instants.read_time(connection)
        if run is None:
            assert self._program.ask(command("run.abandon", {"run_id": _NO_RUN})) is not None
            return
        is_busy = (
            run["state"] == "delivering" and run["lease_until"] is not None and run["lease_until"] >= now
        )
        self._note(f"the run is {run['state']}, attempt {run['departed_attempt']} has departed")
        if unsent and run["departed_attempt"] is not None and not is_busy:
            self._claims.disowned.add(run["run_id"])
            self._payloads.disown(run["run_id"])
        asked = {"run_id": run["run_id"], "reason": "so", "not_sent": unsent}
        refused = self._program.ask(command("run.abandon", asked))
        assert (refused is not None) == is_busy, refused

    def decide(self, decision: str, luck: Random) -> None:
        """A person releases or dismisses one of the rows that wait, or takes a dismissal back; or wants to, and
        there is none."""
        rows = self.decidable(decision)
        drawn = luck.choice(rows) if rows else {"export_id": "e0", "tardy_id": "t0"}
        named = [row for row in rows if _name(row) == _name(drawn)]
        is_refused = not named or not all(self._may_be(decision, row) for row in named)
        self._note(f"{decision} {named}, to be refused: {is_refused}")
        if not is_refused:
            for row in named:
                self._decided(decision, row)
        asked = {"ids": [_name(drawn)], "reason": "so"}
        refused = self._program.ask(command(f"entry.{decision}", asked))
        assert (refused is not None) == is_refused, refused

    def decidable(self, decision: str) -> list[dict[str, Any]]:
        """Entries about which it can be asked for: those held, or (undo) dismissed."""
        state = "dismissed" if decision == "undo" else "held"
        with self._program.database.read() as connection:
            c = tables.entries.c
            found = (
                select(tables.entries).where(c.state == state).order_by(c.export_id, c.tardy_id, c.version)
            )
            return [dict(row) for row in connection.execute(found).mappings()]

    def _may_be(self, decision: str, row: Mapping[str, Any]) -> bool:
        """Whether it can be done to the entry: what cannot be written is not released, an older version's dismissal
        not taken back."""
        if decision == "dismiss":
            return True
        if not self._program.record.is_active(row["export_id"]):
            return False
        if decision == "undo":
            return bool(row["version"] == max(self._program.record.tardies[key_of(row)]))
        tells = any(
            column.get("field") == "action"
            for column in self._program.record.exports[row["export_id"]].now.document["fields"]
        )
        by_policy = row["reason_code"] in ("correction", "closed", "too-old", "ahead")
        return by_policy and (tells or row["action"] not in ("change", "void"))

    def _decided(self, decision: str, row: Mapping[str, Any]) -> None:
        key = key_of(row)
        self._program.record.decide(row["export_id"], key, row["version"], decision, self._program.time)
        if row["action"] == "void" and decision != "release":
            self._payloads.see_to(row["export_id"], key, row["version"] if decision == "dismiss" else None)


def _name(entry: Mapping[str, Any]) -> str:
    """How a person names it."""
    return f"{entry['export_id']}/{entry['tardy_id']}"
