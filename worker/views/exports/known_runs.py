"""Runs as a person sees them: the newest of them, or one with all that is known of it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, RowMapping

from worker.core.row_outcomes import ROW_OUTCOMES
from worker.errors import RefusedError
from worker.store.database.engine import Database
from worker.store.queries import listing
from worker.store.queries.run_lines import outcomes_of
from worker.store.queries.standing import OPEN_STATES
from worker.views.exports.known_exports import require_export
from worker.views.leaving import what_to_do
from worker.views.words import picked, when
from worker.views.zone_names import zone_of_export, zones_of_exports

_is_beginning = re.compile("[0-9a-f]{1,32}").fullmatch


@dataclass(frozen=True, slots=True)
class ListedRun:
    """A run with the zone in which its export's times are read."""

    run: RowMapping
    zone: str

    @property
    def shape(self) -> dict[str, Any]:
        return run_shape(self.run)

    @property
    def trigger(self) -> str:
        return "resend" if self.run["resend_of"] else str(self.run["trigger"])

    @property
    def error(self) -> str | None:
        """What went wrong and what a person does about it; None: nothing."""
        error, state, export_id = (self.run[name] for name in ("error", "state", "export_id"))
        return None if error is None else f"{error}{what_to_do(state, export_id)}"


@dataclass(frozen=True, slots=True)
class KnownRun(ListedRun):
    """All that is known of a run. `entries`: {state: how many}; `outcomes`: {what became of it: how many rows that were
    asked for}, where they are records; `resent_by`: the runs that sent its file again."""

    attempts: Sequence[RowMapping]
    entries: Mapping[str, int]
    resent_by: Sequence[str]
    outcomes: Mapping[str, int]
    actions: Sequence[RowMapping]

    @property
    def shape(self) -> dict[str, Any]:
        logged = "number worker revision phase started_at finished_at outcome error"
        return (
            run_shape(self.run)
            | picked(self.run, "revision approved_revision")
            | {
                "may_have_left": self.run["departed_attempt"] is not None,
                "entries": dict(self.entries),
                "outcomes": {name: self.outcomes[name] for name in ROW_OUTCOMES if self.outcomes.get(name)},
                "resent_by": list(self.resent_by),
                "attempt_log": [picked(one, logged) for one in self.attempts],
                "actions": [picked(one, "at who action reason") for one in self.actions],
            }
        )

    @property
    def facts(self) -> list[tuple[str, object]]:
        """Name and value, for a person; the value None where there is none."""
        run, approved, zone = self.run, self.run["approved_revision"], self.zone
        return [
            ("run", run["run_id"]),
            ("export", f"{run['export_id']}, revision {run['revision']}"),
            ("state", run["state"]),
            ("error", self.error),
            ("next attempt", when(run["next_attempt_at"], zone)),
            ("may have left", self._left),
            ("approved", f"under revision {approved}" if approved is not None else None),
            ("trigger", run["trigger"]),
            ("resends", run["resend_of"]),
            ("resent by", ", ".join(self.resent_by) or None),
            ("due", when(run["due_at"], zone)),
            ("started", when(run["started_at"], zone)),
            ("finished", when(run["finished_at"], zone)),
            ("rows", f"{run['rows']} (held {run['held_rows']}, refused {run['refused_rows']})"),
            ("records", self._records),
            ("entries", ", ".join(f"{count} {state}" for state, count in self.entries.items()) or None),
            ("file", run["file_name"]),
            ("bytes", run["bytes"]),
            ("sha256", run["sha256"]),
        ]

    @property
    def _left(self) -> str | None:
        run = self.run
        if run["finished_at"] is not None or run["departed_attempt"] is None:
            return None
        return "yes: its bytes are fixed" if run["file_name"] else "some of its rows: these are fixed"

    @property
    def _records(self) -> str | None:
        """What became of the rows that were asked for; more of each tells `--rows`."""
        told = [f"{count} {name}" for name in ROW_OUTCOMES if (count := self.outcomes.get(name))]
        return (
            f"{', '.join(told)} (each: `writeback runs show {self.run['run_id'][:8]} --rows`)"
            if told
            else None
        )


def listed_runs(
    database: Database, *, export_id: str | None, state: str | None, limit: int
) -> Sequence[ListedRun]:
    """The newest runs, of an export and in a state (`open`: any that has not ended) where one is named.

    Raises RefusedError: there is no such export.
    """
    states = OPEN_STATES if state == "open" else (state,) if state else ()
    with database.read() as connection:
        require_export(connection, export_id)
        rows = listing.list_runs(connection, export_id=export_id, states=states, limit=limit)
        zones = zones_of_exports(connection)
    return [ListedRun(row, zones[row["export_id"]]) for row in rows]


def known_run(database: Database, beginning: str) -> KnownRun:
    """The one run whose id begins so, with everything known of it. Raises RefusedError as `find_run`."""
    with database.read() as connection:
        run = find_run(connection, beginning)
        run_id = run["run_id"]
        return KnownRun(
            run,
            zone_of_export(connection, run["export_id"]),
            listing.attempts_of(connection, run_id),
            listing.states_in_run(connection, run_id),
            listing.resends_of(connection, run_id),
            outcomes_of(connection, run_id),
            listing.audit(connection, run_id=run_id),
        )


def find_run(connection: Connection, beginning: str) -> RowMapping:
    """The one run whose id begins so. Raises RefusedError: there is none, or more than one."""
    digits = beginning.strip().lower().replace("-", "")
    found = listing.runs_like(connection, digits) if _is_beginning(digits) else []
    if not found:
        raise RefusedError(f"no run {beginning!r}; `writeback runs list` shows the runs there are")
    if len(found) > 1 and found[0]["run_id"] != digits:
        raise RefusedError(
            f"{beginning!r} begins more than one run: {', '.join(run['run_id'][:12] for run in found)}; type more of it"
        )
    return found[0]


def run_shape(run: RowMapping) -> dict[str, Any]:
    """A run as JSON: as in the outcome messages, with its state."""
    named = "run_id export_id state trigger command_id resend_of sequence rows refused_rows held_rows"
    file = {"name": run["file_name"]} | picked(run, "sha256 bytes") if run["file_name"] else None
    ended = picked(run, "attempts next_attempt_at error due_at started_at finished_at")
    return picked(run, named) | {"file": file} | ended
