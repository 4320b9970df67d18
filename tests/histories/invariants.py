"""What is true at every moment, whatever has happened: each claim of the guarantees as a check."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import RowMapping, Table, select

from tests.histories.expected import belongs
from tests.histories.installation import Arrival, Installation
from tests.histories.policies import is_blackout, is_day_off
from tests.histories.record import Export, Key, Version
from worker.store.database import tables
from worker.store.database.tables import UNSEALED

_STATES = {
    "buffered",
    "held",
    "sealed",
    "delivered",
    "cancelled",
    "superseded",
    "ignored",
    "not_required",
} | {
    "collapsed",
    "dismissed",
}
_NOT_DUE = ("cancelled", "superseded")  # states in which nothing is going to be sent
EntryKey = tuple[str, Key, int, int]


class Facts:
    """What the database says at one moment."""

    def __init__(self, program: Installation) -> None:
        with program.database.read() as connection:

            def every(table: Table, *order: Any) -> Sequence[RowMapping]:
                return connection.execute(select(table).order_by(*order)).mappings().all()

            c = tables.entries.c
            self.entries = every(tables.entries, c.export_id, c.tardy_id, c.version, c.ordinal)
            self.runs = every(tables.runs, tables.runs.c.sequence)
            self.requests = every(tables.run_requests, tables.run_requests.c.request_id)
            self.versions = {
                ((row["district_id"], row["tardy_id"]), row["version"])
                for row in every(tables.tardy_versions, tables.tardy_versions.c.version)
            }
        self.of_tardy: dict[tuple[str, Key], list[RowMapping]] = defaultdict(list)
        self.of_run: dict[str, list[RowMapping]] = defaultdict(list)
        for entry in self.entries:
            self.of_tardy[(entry["export_id"], key_of(entry))].append(entry)
            if entry["run_id"] is not None:
                self.of_run[entry["run_id"]].append(entry)

    def open_run(self, export_id: str) -> RowMapping | None:
        """The export's open run."""
        found = [run for run in self.runs if run["export_id"] == export_id and run["finished_at"] is None]
        assert len(found) <= 1, f"{export_id} has {len(found)} open runs"
        return found[0] if found else None


def key_of(entry: Mapping[str, Any] | RowMapping) -> Key:
    return (entry["district_id"], entry["tardy_id"])


class Invariants:
    """Checks after every step; remembers what must never change any more."""

    def __init__(self, program: Installation) -> None:
        self._program = program
        self.disowned: set[str] = set()  # runs that a person gave up, having seen that they had not arrived
        self._delivered: set[EntryKey] = set()
        self._explained: set[tuple[str, Key]] = set()
        self._requests_seen = 0

    def check(self) -> Facts:
        """Raises AssertionError naming what does not add up."""
        facts = Facts(self._program)
        published = {(key, number) for key, of in self._program.record.tardies.items() for number in of}
        assert facts.versions == published, f"known {facts.versions}, published {published}"
        self._check_entries(facts)
        for run in facts.runs:
            self._check_run(facts, run)
        for request in facts.requests[self._requests_seen :]:
            self._check_request(request)
        self._requests_seen = len(facts.requests)
        self._check_arrivals(facts)
        for export in self._program.record.exports.values():
            self._check_export(facts, export)
        return facts

    # entries

    def _check_entries(self, facts: Facts) -> None:
        delivered = set()
        for entry in facts.entries:
            assert entry["state"] in _STATES, entry["state"]
            assert (key_of(entry), entry["version"]) in facts.versions, f"invented: {dict(entry)}"
            in_a_run = entry["state"] in ("sealed", "delivered")
            assert (entry["run_id"] is not None) == in_a_run, f"in a run or not: {dict(entry)}"
            if entry["state"] == "delivered":
                delivered.add((entry["export_id"], key_of(entry), entry["version"], entry["ordinal"]))
        assert self._delivered <= delivered, f"no longer delivered: {self._delivered - delivered}"
        self._delivered = delivered
        for (export_id, key), mine in facts.of_tardy.items():
            self._check_origin(export_id, key, mine[0])

    def _check_origin(self, export_id: str, key: Key, first: RowMapping) -> None:
        """A tardy's first entry is of a version that the definition took when both were there."""
        if (export_id, key) in self._explained:
            return
        record, export = self._program.record, self._program.record.exports[export_id]
        version = record.tardies[key][first["version"]]
        since = max(version.since, export.revisions[0].since)
        moments = range(since, record.moment + 1)
        assert any(belongs(record, export.at(moment), version, moment) for moment in moments), (
            f"{export_id} never took version {version.number} of {key}"
        )
        self._explained.add((export_id, key))

    # what goes by itself

    def _check_request(self, request: RowMapping) -> None:
        """Nothing is asked for by itself in a blackout, nor for a day on which every school is out."""
        if request["trigger"] == "run_now" or request["state"] == "skipped":
            return
        export = self._program.record.exports[request["export_id"]]
        since, until = self._program.record.since(request["requested_at"]), self._program.record.moment
        assert any(self._sends(export, request, moment) for moment in range(since, until + 1)), (
            f"{export.export_id} sends by itself: {dict(request)}"
        )

    def _sends(self, export: Export, request: RowMapping, moment: int) -> bool:
        revision = export.at(max(moment, export.revisions[0].since))
        zone = ZoneInfo(revision.document["schedule"]["time_zone"])
        # Clocks of the database's machine and of the program's may differ.
        now = request["requested_at"] + (self._program.now - self._program.time)
        today = now.astimezone(zone).date()
        day = today if request["due_at"] is None else request["due_at"].astimezone(zone).date()
        if is_blackout(revision.document, today) or is_blackout(revision.document, day):
            return False
        return not is_day_off(self._program.record, revision, export.district, day, moment)

    # runs and files

    def _check_run(self, facts: Facts, run: RowMapping) -> None:
        about = f"run {run['sequence']} of {run['export_id']} ({run['state']})"
        assert "error of the program" not in (run["error"] or ""), f"{about}: {run['error']}"
        mine = facts.of_run[run["run_id"]]
        if run["state"] in ("empty", "abandoned") or run["resend_of"] is not None:
            assert not mine, f"{about} has entries"
            return
        wanted = "delivered" if run["state"] == "delivered" else "sealed"
        assert all(entry["state"] == wanted for entry in mine), f"{about}: entries are not all {wanted}"
        lines = sorted(entry["line"] for entry in mine)
        assert lines == list(range(1, run["rows"] + 1)), f"{about}: {run['rows']} rows, lines {lines}"

    def _check_arrivals(self, facts: Facts) -> None:
        runs = {run["run_id"]: run for run in facts.runs}
        arrived: dict[str, Arrival] = {}
        for arrival in self._program.arrivals:
            run = runs[arrival.run_id]
            if arrival.run_id in self.disowned:
                continue
            assert arrival.run_id not in arrived, f"{arrival.name} arrived twice"
            arrived[arrival.run_id] = arrival
            on_its_way = run["finished_at"] is None and run["departed_attempt"] is not None
            assert run["state"] == "delivered" or on_its_way, (
                f"{arrival.name} arrived, its run is {run['state']}"
            )
            assert run["sha256"] == arrival.sha256, f"{arrival.name} is not what its receipt says"
        for run in facts.runs:
            assert run["state"] != "delivered" or run["run_id"] in arrived, (
                f"{run['file_name']} never arrived"
            )
        seen = {(arrival.name, arrival.sha256) for arrival in self._program.arrivals}
        assert {path.name for path in self._program.sis.finished()} <= {name for name, _ in seen}

    # conservation

    def _check_export(self, facts: Facts, export: Export) -> None:
        open_run = facts.open_run(export.export_id)
        for head in self._program.record.heads(export.district):
            mine = facts.of_tardy.get((export.export_id, head.key), [])
            if export.active:
                self._check_owed(export, head, mine)
            elif open_run is None:
                waiting = [entry for entry in mine if entry["state"] in (*UNSEALED, "sealed")]
                assert not waiting, f"{export.export_id} is deleted, and {head.key} waits in it"

    def _check_owed(self, export: Export, head: Version, mine: Sequence[RowMapping]) -> None:
        record = self._program.record
        about = f"{export.export_id}: version {head.number} of {head.key}"
        newest = mine[-1] if mine and mine[-1]["version"] == head.number else None
        if newest is None:
            assert not mine, f"{about} has no entry, earlier ones have"
            assert not belongs(record, export.now, head, record.moment), f"{about} belongs and has no entry"
            return
        in_sis = _in_sis(mine)
        if belongs(record, export.now, head, record.moment):
            assert newest["state"] not in _NOT_DUE, f"{about} belongs and is {newest['state']}"
            taken_back = newest["state"] == "delivered" and newest["action"] == "void"
            assert not taken_back, f"{about} belongs and was taken back"
        elif head.voided and in_sis is not None:
            assert newest["state"] not in _NOT_DUE, f"{about} is void and {newest['state']}, the SIS has it"
        assert newest["state"] != "ignored" or in_sis is not None, (
            f"{about} is ignored; nothing was sent before"
        )
        for older in mine[:-1]:
            stays = older["state"] in UNSEALED and older["judged"] and older["version"] < head.number
            assert not stays, f"{about}: version {older['version']} still waits"


def _in_sis(mine: Sequence[RowMapping]) -> RowMapping | None:
    """What the SIS was given last, unless it was taken back, or a person says that it is no longer there."""
    found = None
    for entry in mine:
        if entry["action"] == "void" and entry["state"] in ("delivered", "dismissed"):
            found = None
        elif entry["state"] == "delivered":
            found = entry
    return found
