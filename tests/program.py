"""A whole program for tests, driven step by step: real database, real files, a clock that the test sets."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import RowMapping, func, select

from schemas.messages.events import ReferenceItem, TardyVersion
from tests.builders import NOON, as_command, as_event, hidden_in, rows_in
from tests.migrated import with_tables
from worker import __version__
from worker.actions.commands.asked import Asked
from worker.actions.commands.carrying_out import Answer, carry_out
from worker.bootstrap import Program
from worker.destinations.file_port import Installation
from worker.destinations.places import Places
from worker.district_locks import UNLOCKED
from worker.settings import read_settings
from worker.store.catalogue.catalogue import CatalogueCache
from worker.store.database.engine import own_catalogue, share_catalogue
from worker.store.database.tables import entries, outbox
from worker.store.database.tables import runs as runs_table
from worker.store.entries import quiet
from worker.store.entries.buffering import buffer_tardies
from worker.store.entries.reference_saved import save_references
from worker.store.outcome_rows import ReplyAddress
from worker.store.runs import claims
from worker.store.runs.claims import Claim


class SteppedProgram:
    """The program without its loops and without a broker: each step is a call."""

    def __init__(
        self,
        database_url: str,
        home: Path,
        now: datetime = NOON,
        *,
        version: str = __version__,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.version = version
        self.now = now
        self.home = home
        self.cache = CatalogueCache()
        self._settings = {
            "DATABASE_URL": database_url,
            "WRITEBACK_LINGER_MS": "0",
            **(environment or {}),
        }
        self.begin_process()
        self.database = self.parts.database
        with_tables(self.database)

    def begin_process(self, **parts: Any) -> None:
        """Has everything built as in production, as if a process had just begun; these parts are there already."""
        settings = read_settings(self._settings | {"WRITEBACK_HOME": str(self.home)})
        everywhere = replace(settings, destination_roots=(Path("/"),))  # no operator may say so
        self.parts = Program(everywhere, self.clock, self.database_clock, self.version, short_retries=1)
        for name, part in parts.items():
            setattr(self.parts, name, part)
        self.instruments, self.means = self.parts.instruments, self.parts.means
        self.scheduler, self.flush = self.parts.scheduler, self.parts.flush
        self.sweeping = self.parts.sweeping

    @property
    def places(self) -> Places:
        """Where this worker may put files."""
        return self.parts.places

    @property
    def installation(self) -> Installation:
        """What destinations are opened with."""
        return self.parts.installation

    def clock(self) -> datetime:
        return self.now

    def database_clock(self) -> datetime:
        """What the database's own clock shows."""
        return self.now

    def pass_time(self, **amount: float) -> None:
        """Moves the clock on."""
        self.now += timedelta(**amount)

    def receive(self, *messages: Mapping[str, Any]) -> list[str]:
        """Buffers the messages as one batch; what became of each tardy and reference, tardies first."""
        events = [as_event(message) for message in messages]
        tardies = [event for event in events if isinstance(event, TardyVersion)]
        references = [event for event in events if isinstance(event, ReferenceItem)]
        results: list[str] = []
        if references:
            with self.database.write() as connection:
                own_catalogue(connection)
                results += save_references(connection, references, self.now)
        if tardies:
            with self.database.write() as connection:
                share_catalogue(connection)
                self.cache.refresh(connection)
                results = buffer_tardies(connection, self.cache, tardies, self.now) + results
        return results

    def command(self, message: Mapping[str, Any], reply_to: str | None = None) -> Answer | None:
        """Carries a command out."""
        asked = Asked(as_command(message), self.now, self.places, ReplyAddress(reply_to), locks=UNLOCKED)
        with self.database.write() as connection:
            return carry_out(connection, asked)

    def tick(self) -> None:
        """Lets the scheduler look until nothing is left to do, without working on runs."""
        while self.scheduler.tick():
            pass

    def claim(self) -> Claim | None:
        """Claims the next run."""
        with self.database.write() as connection:
            export_id = claims.next_claimable(connection, self.flush.left_alone())
            if export_id is None:
                return None
            return claims.claim_next(connection, "tests", export_id=export_id)

    def forget_barriers(self) -> None:
        """Run-now requests need not wait for consumers: this program has none."""
        with self.database.write() as connection:
            connection.exec_driver_sql("UPDATE run_requests SET barrier = NULL")

    def note_quiet_days(self) -> list[tuple[str, date]]:
        """As housekeeping does, export by export; returns (export, day) of each that is noted now."""
        with self.database.write() as connection:
            return [
                (export_id, day)
                for export_id in quiet.active_exports(connection)
                for day in quiet.note_quiet_days(connection, export_id, self.now)
            ]

    def work(self) -> None:
        """Ticks and flushes until nothing is left to do."""
        self.forget_barriers()
        while True:
            self.tick()
            claim = self.claim()
            if claim is None:
                return
            self.flush.attempt(claim)

    def sweep_closed(self) -> None:
        """Sweeps every closed run that nobody has swept, as housekeeping does."""
        for run in self.sweeping.unswept():
            self.sweeping.sweep_one(run)

    def files(self, folder: str = "outbox") -> dict[str, list[str]]:
        """{file name: lines} of what lies at the destination."""
        return rows_in(self.home / folder)

    def leftovers(self, folder: str = "outbox") -> list[str]:
        """Temporary files at the destination."""
        return [path.name for path in hidden_in(self.home / folder)]

    def states(self, export_id: str = "daily") -> dict[str, int]:
        """{entry state: how many} of an export."""
        with self.database.read() as connection:
            rows = connection.execute(
                select(entries.c.state, func.count())
                .where(entries.c.export_id == export_id)
                .group_by(entries.c.state)
            )
            return {row.state: row[1] for row in rows}

    def entries(self, export_id: str = "daily") -> list[RowMapping]:
        """An export's entries by tardy and version."""
        with self.database.read() as connection:
            statement = select(entries).where(entries.c.export_id == export_id)
            return list(
                connection.execute(statement.order_by(entries.c.tardy_id, entries.c.version)).mappings()
            )

    def runs(self, export_id: str = "daily") -> list[RowMapping]:
        """An export's runs, oldest first."""
        with self.database.read() as connection:
            statement = select(runs_table).where(runs_table.c.export_id == export_id)
            ordered = statement.order_by(runs_table.c.started_at, runs_table.c.sequence.nulls_last())
            return list(connection.execute(ordered).mappings())

    def outcomes(self, kind: str | None = None) -> list[dict[str, Any]]:
        """The data of the outcomes queued so far."""
        with self.database.read() as connection:
            bodies = connection.execute(
                select(outbox.c.type, outbox.c.body).order_by(outbox.c.outbox_id)
            ).all()
        return [json.loads(body)["data"] for found, body in bodies if kind in (None, found)]

    def outcome_types(self) -> Counter[str]:
        """How many outcomes of each type are queued."""
        with self.database.read() as connection:
            return Counter(connection.execute(select(outbox.c.type)).scalars())
