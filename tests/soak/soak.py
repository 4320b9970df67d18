"""One soak from beginning to end: set out, rage, calm, come to rest, account."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from sqlalchemy import Table, func, select

from tests.acceptance import district
from tests.acceptance.amqp import Client
from tests.processes import wait_for
from tests.soak.commander import Commander
from tests.soak.crew import Crew
from tests.soak.exports import Export, exports, folder_of
from tests.soak.faults import BrokerFaults, DatabaseFaults, FolderFaults, Lane
from tests.soak.files import FileCheck
from tests.soak.journal import Journal
from tests.soak.load import Load, conflict_original
from tests.soak.plan import Plan, Stage
from tests.soak.publishing import Insistent
from tests.soak.report import Report, report_of
from tests.soak.rest import Rest
from tests.soak.settled import SettledCheck
from tests.soak.sis import Sis
from tests.soak.watch import Watch
from worker.broker.by_url import open_broker
from worker.store.database import migrate
from worker.store.database.engine import Database
from worker.store.database.tables import commands, reference_versions

_SET_OUT_SECONDS = 120.0
_UP_SECONDS = 90.0
_MOST_TRACES = 8

Say = Callable[[str], None]


def soak(plan: Plan, stage: Stage, stop: threading.Event, say: Say) -> Report:
    """Runs it all; ends early, in order, once `stop` is set. `say` is told how far it has come."""
    logging.getLogger("pika").setLevel(logging.CRITICAL)  # lost connections are what a soak is made of
    journal = Journal(stage.folder / "timeline.log")
    try:
        with ExitStack() as stack:
            return _Soak(plan, stage, journal, stop, say, stack).run()
    finally:
        journal.close()


class _Soak:
    def __init__(
        self, plan: Plan, stage: Stage, journal: Journal, stop: threading.Event, say: Say, stack: ExitStack
    ) -> None:
        self._plan, self._stage, self._journal = plan, stage, journal
        self._stop, self._say = stop, say
        self._given_up = threading.Event()
        self._exports = exports()
        self._prepare_servers()
        self._client = Client(stage.amqp_url)
        self._client.bind_outcomes()
        self._client.close()
        self._commander = Commander(plan, stage, journal, self._exports, self._given_up)
        stack.callback(self._commander.close)
        self._rest = Rest(stage, journal, patience=_patience(plan))
        stack.callback(self._rest.close)
        self._sis = stack.enter_context(Sis(self._folders(), stage.collected, journal))
        self._crew = stack.enter_context(Crew(plan, stage, journal, stop))
        self._watch = stack.enter_context(Watch(stage, self._crew, journal))
        self._load = Load(plan, stage, journal, self._given_up)

    def run(self) -> Report:
        self._set_out()
        self._rage()
        rested = self._come_to_rest()
        seconds = self._journal.seconds
        self._crew.dismiss()
        self._account(rested)
        return report_of(
            self._plan, self._journal, self._crew.places, seconds, disk=self._stage.disk is not None
        )

    # before

    def _prepare_servers(self) -> None:
        database = Database(self._stage.database_url)
        migrate.upgrade(database)
        database.close()
        open_broker(self._stage.amqp_url, self._stage.home).prepare()

    def _folders(self) -> dict[str, Path]:
        """Where each export's files come; those that the program does not make itself are made."""
        found = {}
        for export in self._exports:
            folder = folder_of(export, self._stage.folder, self._stage.disk)
            found[export.export_id] = self._stage.home / folder
            if folder.is_absolute():
                folder.mkdir(parents=True)
        return found

    def _set_out(self) -> None:
        """Definitions are saved and reference data is known before anything fails."""
        self._say("setting out")
        publisher = Insistent(self._stage.amqp_url, self._journal, self._given_up)
        references = list(district.reference_messages())
        for message in [*references, conflict_original()]:
            publisher.publish(message)
        publisher.close()
        self._commander.save_all()
        database = Database(self._stage.database_url)
        for table, count in ((reference_versions, len(references)), (commands, len(self._exports))):
            wait_for(lambda: _rows(database, table) >= count, f"{count} rows in {table}", _SET_OUT_SECONDS)  # noqa: B023
        database.close()

    # meanwhile

    def _lanes(self) -> Sequence[Lane]:
        return [
            BrokerFaults(self._plan, self._stage, self._journal),
            DatabaseFaults(self._plan, self._stage, self._journal),
            FolderFaults(self._plan, self._stage, self._journal, self._exports, self._sis),
        ]

    def _rage(self) -> None:
        lanes = self._lanes()
        self._load.start()
        self._commander.start()
        self._crew.rage()
        for lane in lanes:
            lane.start()
        deadline = time.monotonic() + self._plan.seconds
        while not self._stop.wait(1) and (left := deadline - time.monotonic()) > 0:
            self._say(f"{left:.0f} s left; {self._progress()}")
        self._say("the faults end")
        for lane in lanes:
            lane.end()
        self._crew.calm()
        self._commander.end()

    def _progress(self) -> str:
        events, faults = self._journal.figures["events published"], self._journal.faults.total()
        files = sum(self._sis.files.values())
        return f"{events} events, {files} files, {faults} faults, {self._journal.found.total()} violations"

    # after

    def _come_to_rest(self) -> bool:
        self._journal.note("the faults have ended")
        self._say("coming to rest")
        deadline = time.monotonic() + _UP_SECONDS
        while not self._crew.all_up() and time.monotonic() < deadline:
            time.sleep(0.1)
        if not self._crew.all_up():
            self._journal.violation("it does not come to rest", "not every worker is up")
        if self._plan.short:
            self._crew.end_claims()
        if not self._load.finish(_patience(self._plan)):
            self._given_up.set()
            self._journal.violation(
                "it does not come to rest", "the broker did not take all that was published"
            )
            return False
        if not self._rest.buffered(self._distinct_versions() + 1):  # and the original of the conflict
            return False
        asked = self._commander.run_every_export()
        if not self._rest.answered(list(self._commander.sent)) or not asked:
            return False
        rested = self._rest.idle(self._commander)
        self._rest.check_buffer()
        self._watch.look()
        return rested

    def _distinct_versions(self) -> int:
        count = sum(len(self._load.history.block(number)) for number in range(self._load.stream.blocks))
        self._journal.figures["distinct versions published"] = count
        self._journal.figures["repeats published on purpose"] = self._load.stream.repeats
        return count

    def _account(self, rested: bool) -> None:
        self._say("accounting")
        if leftovers := self._sis.leftovers():
            names = ", ".join(f"{path.parent.name}/{path.name}" for path in leftovers[:5])
            self._journal.violation("temporary files are left", f"{len(leftovers)}: {names}")
        settled = SettledCheck(self._stage, self._journal, self._exports)
        client = Client(self._stage.amqp_url)
        settled.check(client, self._load.sent, self._commander.sent)
        client.close()
        if rested:
            self._check_files(settled)
        settled.close()

    def _check_files(self, settled: SettledCheck) -> None:
        unwritable = {}
        for export in self._exports:
            self._say(f"accounting: {export.export_id}")
            check = self._check_export(export)
            unwritable[export.export_id] = check.held
            for tardy_id in sorted(check.bad)[:_MOST_TRACES]:
                path = self._stage.folder / f"trace-{export.export_id}-{tardy_id}.txt"
                path.write_text(settled.trace(export.district, tardy_id))
        settled.check_held(unwritable)

    def _check_export(self, export: Export) -> FileCheck:
        folder = self._stage.collected / export.export_id
        revisions = self._commander.revisions[export.export_id]
        check = FileCheck(export, revisions, folder, self._journal)
        check.check(self._load.history, self._load.stream.blocks)
        return check


def _rows(database: Database, table: Table) -> int:
    with database.read() as connection:
        return int(connection.execute(select(func.count()).select_from(table)).scalar_one())


def _patience(plan: Plan) -> float:
    """Seconds that coming to rest may take: leases, back-off, a backlog."""
    return 120.0 + plan.seconds / 2
