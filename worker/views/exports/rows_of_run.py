"""The rows of a run as people see them: what became of each, in the SIS's own words, and what is to be done."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import RowMapping

from schemas.fields.times import stored_instant
from schemas.fields.zones import Zone, zone_of
from worker.core.definition import as_far_as_known
from worker.core.row_outcomes import NOT_TAKEN, outcome_of
from worker.store.catalogue.schools import every_zone
from worker.store.database.engine import Database
from worker.store.queries.run_lines import lines_beyond, local_id_before
from worker.views.exports.known_exports import export_row
from worker.views.exports.known_runs import find_run
from worker.views.operating.spreadsheet import local_time, safe
from worker.views.tardies.what_frees import what_frees
from worker.views.words import instant, when

SHEET = (
    "export",
    "run",
    "line",
    "tardy_id",
    "version",
    "student_local_id",
    "school",
    "time",
    "code",
    "action",
    "outcome",
    "words",
    "at",
    "sis_id",
    "to_do",
)
"""The columns of the spreadsheet of rows that the SIS has not taken."""

_OF_FILE = {"sealed": "waiting"}
_PURGED = "(its data has been purged)"


@dataclass(frozen=True, slots=True)
class _OfRun:
    """What the rows of one run have in common. `zone` is the export's, `zones` those of schools."""

    run: RowMapping
    zone: str
    tells_action: bool
    zones: Mapping[tuple[str, str], Zone]


@dataclass(frozen=True, slots=True)
class RunRow:
    """A row of a run. `earlier_id`: the student's local id as an earlier version has it, of a void that names
    nobody."""

    row: RowMapping
    of: _OfRun
    earlier_id: str | None

    @property
    def outcome(self) -> str:
        """As `outcome_of` says; of a file's row the same words, or the state that its entry is in now."""
        if self.row["r_deed"] is not None:
            return outcome_of(self.row["r_outcome"], self.row["r_asked_at"])
        state = self.row["entry_state"] or "waiting"
        return _OF_FILE.get(state, state)

    @property
    def at(self) -> datetime | None:
        """When it was answered, else asked for; of a file's row when the file was delivered."""
        row = self.row
        moment: datetime | None = row["r_answered_at"] or row["r_asked_at"]
        return moment or (row["entry_settled_at"] if row["r_deed"] is None else None)

    @property
    def is_purged(self) -> bool:
        return self.row["document"] is None

    @property
    def words(self) -> str | None:
        """The SIS's own."""
        words: str | None = self.row["r_words"]
        said = self.row["r_outcome"] in NOT_TAKEN and self.row["r_outcome"] != "held"
        return _PURGED if words is None and said and self.is_purged else words

    @property
    def to_do(self) -> str:
        """What a person does about a row that the SIS has not taken, as its entry stands now."""
        row = self.row
        entry = {"export_id": self.of.run["export_id"], "tardy_id": row["tardy_id"]} | {
            name: row[f"entry_{name}"] for name in ("state", "reason_code", "action")
        }
        if entry["state"] == "held" or (entry["state"] == "refused" and not row["entry_released"]):
            return what_frees(entry, tells_action=self.of.tells_action)
        if self.of.run["finished_at"] is None:
            return "nothing yet: its run goes on"
        return f"nothing: `writeback trace {row['tardy_id']}` tells what has become of it since"

    @property
    def line(self) -> tuple[object, ...]:
        """For a table: line, tardy, version, action, outcome, when, the SIS's id and its own words."""
        row = self.row
        about = (row["line"], row["tardy_id"], row["version"], row["row_action"])
        return (*about, self.outcome, when(self.at, self.of.zone), row["r_sis_id"], self.words)

    @property
    def shape(self) -> dict[str, Any]:
        """The same as JSON, with the file that the row is in."""
        row, run = self.row, self.of.run
        return {
            "line": row["line"],
            "tardy_id": row["tardy_id"],
            "version": row["version"],
            "action": row["row_action"],
            "outcome": self.outcome,
            "deed": row["r_deed"],
            "at": instant(self.at),
            "sis_id": row["r_sis_id"],
            "words": row["r_words"],
            "purged": self.is_purged,
            "entry_state": row["entry_state"],
            "file": run["file_name"],
            "sha256": run["sha256"],
        }

    @property
    def cells(self) -> list[str]:
        """Its values in the order of SHEET, safe to open."""
        row, document = self.row, self._document
        values = (
            self.of.run["export_id"],
            self.of.run["run_id"],
            str(row["line"]),
            row["tardy_id"],
            str(row["version"]),
            _PURGED if self.is_purged else self._local_id,
            document.get("school_id"),
            self._occurred(document.get("occurred_at")),
            document.get("behavior_code"),
            row["row_action"],
            self.outcome,
            self.words,
            when(self.at, self.of.zone),
            row["r_sis_id"],
            self.to_do,
        )
        return [safe(value) for value in values]

    @property
    def _document(self) -> Mapping[str, Any]:
        return {} if self.is_purged else orjson.loads(self.row["document"])

    @property
    def _local_id(self) -> str | None:
        student = self._document.get("student")
        return student.get("local_id") if student else self.earlier_id

    def _occurred(self, moment: str | None) -> str | None:
        if moment is None:
            return None
        school = (self.row["district_id"], self._document["school_id"])
        return local_time(stored_instant(moment).astimezone(self.of.zones.get(school, zone_of(self.of.zone))))


@dataclass(frozen=True, slots=True)
class RowsOfRun:
    """A run and its rows, by line; they are read as they are asked for."""

    run: RowMapping
    rows: Iterator[RunRow]

    @property
    def facts(self) -> list[tuple[str, object]]:
        """Which file the rows are in: name and value, for a person; of records there is none."""
        about = ("run", f"{self.run['run_id']} of {self.run['export_id']}, {self.run['state']}")
        return [about, ("file", self.run["file_name"]), ("sha256", self.run["sha256"])]


def rows_of_run(database: Database, beginning: str, *, not_taken: bool = False) -> RowsOfRun:
    """Every row of the one run whose id begins so; `not_taken`: those that are not in the SIS, or of which nobody
    knows.

    A transaction a page: none waits for whoever reads them. Raises RefusedError as `find_run`, UnavailableError.
    """
    with database.read() as connection:
        run = find_run(connection, beginning)
        saved = export_row(connection, run["export_id"])
        zones = every_zone(connection)
    definition = as_far_as_known(run["export_id"], saved["district_id"], saved["document"])
    of = _OfRun(run, definition.schedule.time_zone, definition.tells_action, zones)
    rows = (RunRow(row, of, earlier) for row, earlier in _rows(database, run))
    return RowsOfRun(run, (one for one in rows if one.outcome in NOT_TAKEN) if not_taken else rows)


def _rows(database: Database, run: RowMapping) -> Iterator[tuple[RowMapping, str | None]]:
    after = 0
    while True:
        with database.read() as connection:
            page = lines_beyond(connection, run, after)
            earlier = [local_id_before(connection, row) if _names_nobody(row) else None for row in page]
        if not page:
            return
        yield from zip(page, earlier, strict=True)
        after = page[-1]["line"]


def _names_nobody(row: RowMapping) -> bool:
    """A void that came without its student."""
    return row["document"] is not None and not orjson.loads(row["document"]).get("student")
