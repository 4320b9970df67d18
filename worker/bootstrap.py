"""The one place that builds things: settings in, a program out. Nothing is opened before it is used, nor imported: a
command that asks for little would otherwise wait for all there is."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from worker import __version__
from worker.broker.by_url import open_broker
from worker.clock import Clock, system_clock
from worker.destinations.plug_ins import load_plug_ins
from worker.secrets import Secrets
from worker.settings import Settings
from worker.store.database import migrate
from worker.store.database.engine import Database

if TYPE_CHECKING:
    from worker.broker.ports import Broker
    from worker.delivery.attempt import Flush
    from worker.delivery.code_watch import CodeWatch
    from worker.delivery.collecting import Collecting
    from worker.delivery.flusher import Flusher
    from worker.delivery.housekeeping import Housekeeping
    from worker.delivery.means import Means
    from worker.delivery.proving import Proving
    from worker.delivery.scheduler import Scheduler
    from worker.delivery.sweeping import Sweeping
    from worker.destinations.file_port import Installation
    from worker.destinations.opening import Opener
    from worker.destinations.places import Places
    from worker.instruments import Instruments
    from worker.intake.consumer import Intake
    from worker.outbox.answering import Answering
    from worker.outbox.telling import Outbox
    from worker.running.hearing_others import WakeCaller, WakeListener
    from worker.running.heartbeat import Heartbeat
    from worker.running.wakes import Doorbells


@dataclass
class Program:
    """Everything one process consists of, built when first asked for."""

    settings: Settings
    clock: Clock = system_clock
    database_clock: Clock | None = None  # stands in for the database's own; the demo's is a simulated one
    version: str = __version__
    short_retries: int | None = None  # within one attempt; None: as many as a worker makes

    def __post_init__(self) -> None:
        load_plug_ins()
        # Now, not when first asked for: what the environment says is compared with its file as that was at the start.
        self.secret = Secrets(self.settings.environment, self.settings.secrets_dir, self.settings.env_file)

    @cached_property
    def worker(self) -> str:
        """This process's name in leases and logs; the random part tells a restart from its predecessor."""
        return f"{socket.gethostname()}-{os.getpid()}-{uuid4().hex[:8]}"

    @cached_property
    def instruments(self) -> Instruments:
        from worker.instruments import Instruments

        return Instruments()

    @cached_property
    def database(self) -> Database:
        return Database(self.settings.database_url, self.database_clock)

    @cached_property
    def broker(self) -> Broker:
        senders = self.settings.senders
        replayers = None if senders is None else senders.replayers
        return open_broker(self.settings.broker_url, self.settings.home, replayers)

    @cached_property
    def places(self) -> Places:
        """Where this installation may put files."""
        from worker.destinations.places import Places

        return Places(self.settings.home, self.settings.destination_roots, tuple(_own(self.settings)))

    @cached_property
    def installation(self) -> Installation:
        from worker.destinations.file_port import Installation
        from worker.destinations.http.web import Web
        from worker.store.runs.marked_places import StoredMarks

        web = Web(self.settings.allowed_hosts, self.settings.ca_file)
        return Installation(self.places, StoredMarks(self.database, self.clock), web=web)

    @cached_property
    def opener(self) -> Opener:
        from worker.destinations.opening import Opener

        return Opener(self.installation, self.secret)

    @cached_property
    def means(self) -> Means:
        from worker.delivery.means import Means

        build = load_plug_ins().build(self.version)
        return Means(self.database, self.clock, self.instruments, self.version, build)

    @cached_property
    def sweeping(self) -> Sweeping:
        from worker.delivery.sweeping import Sweeping

        return Sweeping(self.means, self.opener)

    @cached_property
    def proving(self) -> Proving:
        from worker.delivery.proving import Proving

        return Proving(self.means, self.opener)

    @cached_property
    def flush(self) -> Flush:
        from worker.delivery.attempt import Flush
        from worker.delivery.by_file import SHORT_RETRIES, ByFile
        from worker.delivery.by_record import ByRecord

        tries = self.short_retries or SHORT_RETRIES
        by_file = ByFile(self.database, self.opener, short_retries=tries)
        by_record = ByRecord(self.database, self.opener, short_retries=tries)
        return Flush(self.means, by_file, by_record, self.sweeping)

    @cached_property
    def scheduler(self) -> Scheduler:
        from worker.delivery.scheduler import Scheduler

        return Scheduler(self.means)

    @cached_property
    def flusher(self) -> Flusher:
        from worker.delivery.flusher import Flusher

        return Flusher(self.means, self.scheduler, self.flush, self.bells, worker=self.worker)

    @cached_property
    def heartbeat(self) -> Heartbeat:
        from worker.running.heartbeat import Heartbeat

        return Heartbeat(self.database, self.instruments.pulse, worker=self.worker)

    @cached_property
    def housekeeping(self) -> Housekeeping:
        from worker.delivery.housekeeping import Housekeeping

        retain = timedelta(days=self.settings.retain_days)
        return Housekeeping(self.means, self.sweeping, self.proving, retain)

    @cached_property
    def collecting(self) -> Collecting:
        from worker.delivery.collecting import Collecting

        return Collecting(self.means, self.opener)

    @cached_property
    def code_watch(self) -> CodeWatch:
        from worker.delivery.code_watch import CodeWatch

        return CodeWatch(self.means, self.opener)

    @cached_property
    def outbox(self) -> Outbox:
        from worker.outbox.telling import Outbox

        return Outbox(self.database, self.broker, self.clock, self.instruments, self.bells)

    @cached_property
    def answering(self) -> Answering:
        from worker.outbox.answering import Answering

        return Answering(self.database, self.broker, self.instruments, self.bells)

    @cached_property
    def bells(self) -> Doorbells:
        """What wakes this process's loops."""
        from worker.running.wakes import Doorbells

        return Doorbells()

    def listener(self, *, flushes: bool) -> WakeListener:
        """What hears other processes; `flushes`: a flusher works in this one."""
        from worker.running.hearing_others import WakeListener

        return WakeListener(self.database, self.instruments.pulse, self.bells, flushes=flushes)

    @cached_property
    def caller(self) -> WakeCaller:
        from worker.running.hearing_others import WakeCaller

        return WakeCaller(self.database, self.instruments.pulse, self.bells)

    def intake(self) -> Intake:
        """A consumer of both queues."""
        from worker.intake.consumer import Intake

        return Intake(
            self.database,
            self.broker,
            self.clock,
            self.instruments,
            places=self.places,
            worker=self.worker,
            batch_size=self.settings.batch_size,
            linger=self.settings.linger,
            senders=self.settings.senders,
            locks=self.settings.locks,
            bells=self.bells,
        )

    def prepare_database(self) -> None:
        """Brings the embedded database up to date. Raises RefusedError where another one is behind."""
        if self.settings.database_is_embedded:
            if not migrate.is_current(self.database):
                migrate.upgrade(self.database)
            return
        migrate.require_current(self.database)

    def stand_in(self, where: str) -> None:
        """Puts an empty database, which takes nothing, in the place of one that is not there yet; `where`: whose."""
        from worker.store.database.nothing_yet import NothingYet

        self.database = NothingYet(where)

    def close(self) -> None:
        """Lets go of the database."""
        if "database" in self.__dict__:
            self.database.close()


_FILES_OF_SETTINGS = (
    "WRITEBACK_ENV_FILE",
    "WRITEBACK_SENDERS",
    "WRITEBACK_LOCKS",
    "WRITEBACK_SECRETS_KEY_FILE",
    "WRITEBACK_CA_FILE",
)


def _own(settings: Settings) -> Iterator[Path]:
    """Files and folders, other than those under WRITEBACK_HOME, that are the program's or its operator's own."""
    from sqlalchemy.engine import make_url

    database = make_url(settings.database_url)
    if database.drivername == "sqlite" and database.database:
        yield Path(database.database).absolute()
    if settings.secrets_dir is not None:
        yield settings.secrets_dir.absolute()
    for name in _FILES_OF_SETTINGS:
        if given := settings.environment.get(name, "").strip():
            yield Path(given).absolute()
