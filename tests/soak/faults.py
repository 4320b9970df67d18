"""Faults of the servers and folders, each kind of victim by a thread of its own: several happen at once."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, urlsplit

from sqlalchemy import text

from tests.servers import ServerError
from tests.soak.deck import Deck
from tests.soak.exports import Export, folder_of
from tests.soak.journal import Journal
from tests.soak.mounts import read_only
from tests.soak.plan import Plan, Stage
from tests.soak.sis import Sis
from worker.errors import UnavailableError
from worker.store.database.engine import Database

_BALLAST = "ballast"
_CHUNK = bytes(4096)
_CUT = text(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid() AND random() < :share"
)

Fault = Callable[[], None]


class Lane:
    """One thread that lets faults happen to one kind of victim, with pauses between, until it is told to end."""

    def __init__(self, name: str, plan: Plan, journal: Journal) -> None:
        self.rng = plan.dice(name)
        self.journal = journal
        self._name = name
        self._plan = plan
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"faults: {name}", daemon=True)

    def faults(self) -> Sequence[Fault]:
        """What may happen; each leaves everything whole when it returns."""
        raise NotImplementedError

    def repair(self) -> None:
        """Makes whole what a fault that failed may have left broken."""

    def start(self) -> None:
        self._thread.start()

    def end(self) -> None:
        """Returns once everything is whole again."""
        self._ended.set()
        self._thread.join()
        self.repair()

    def last(self) -> None:
        """Lets a fault last for its while; shorter where the soak ends."""
        self._ended.wait(self.rng.uniform(*self._plan.lasting))

    def _run(self) -> None:
        deck = Deck(self.faults(), self.rng)
        while not self._ended.wait(self.rng.expovariate(1 / self._plan.between)):
            try:
                deck.deal()()
            except (ServerError, UnavailableError, OSError) as error:
                self.journal.count("faults that did not come about")
                self.journal.note(f"{self._name}: {error}")
                self.repair()
            except Exception as error:  # noqa: BLE001  # the soak goes on, its report says so
                self.journal.violation("a fault broke off", f"{self._name}: {error!r}")
                self.repair()


class BrokerFaults(Lane):
    """RabbitMQ ends, dies, freezes, blocks publishers, loses connections."""

    def __init__(self, plan: Plan, stage: Stage, journal: Journal) -> None:
        super().__init__("RabbitMQ", plan, journal)
        self._server = stage.rabbitmq
        self._vhost = urlsplit(stage.amqp_url).path[1:]

    def faults(self) -> Sequence[Fault]:
        return [self._stop, self._kill, self._freeze, self._cut, self._cut, self._alarm]

    def repair(self) -> None:
        self._server.start()

    def _stop(self) -> None:
        self.journal.fault("RabbitMQ stopped and started")
        self._server.stop()
        self.last()
        self._server.start()

    def _kill(self) -> None:
        self._server.kill()
        self.journal.fault("RabbitMQ killed and started")
        self.last()
        self._server.start()

    def _freeze(self) -> None:
        self._server.freeze()
        self.journal.fault("RabbitMQ frozen")
        self.last()
        self._server.thaw()

    def _alarm(self) -> None:
        with self._server.memory_alarm():
            self.journal.fault("RabbitMQ's memory alarm")
            self.last()

    def _cut(self) -> None:
        """Each connection with a chance of one half."""
        every = self._server.api("GET", f"vhosts/{self._vhost}/connections")
        chosen = [one["name"] for one in every if self.rng.random() < 0.5]
        for name in chosen:
            with contextlib.suppress(ServerError):  # it may have been closed meanwhile
                self._server.api("DELETE", f"connections/{quote(name, safe='')}")
        if chosen:
            self.journal.fault("RabbitMQ's connections cut")
            self.journal.count("cut connections", len(chosen))


class DatabaseFaults(Lane):
    """PostgreSQL ends, dies, freezes, loses connections."""

    def __init__(self, plan: Plan, stage: Stage, journal: Journal) -> None:
        super().__init__("PostgreSQL", plan, journal)
        self._server = stage.postgres
        self._database = Database(stage.database_url)

    def faults(self) -> Sequence[Fault]:
        return [self._stop, self._kill, self._freeze, self._cut, self._cut]

    def repair(self) -> None:
        self._server.start()

    def _stop(self) -> None:
        self.journal.fault("PostgreSQL stopped and started")
        self._server.stop()
        self.last()
        self._server.start()

    def _kill(self) -> None:
        self.journal.fault("PostgreSQL killed and started")
        self._server.kill()
        self.last()
        self._server.start()

    def _freeze(self) -> None:
        self._server.freeze()
        self.journal.fault("PostgreSQL frozen")
        self.last()
        self._server.thaw()

    def _cut(self) -> None:
        """Each connection with a chance of one half."""
        with self._database.write() as connection:
            cut = len(connection.execute(_CUT, {"share": 0.5}).all())
        if cut:
            self.journal.fault("PostgreSQL's connections cut")
            self.journal.count("cut connections", cut)


class FolderFaults(Lane):
    """Destinations go away, fill up, cannot be written; the SIS collects at once, late, or not for a while."""

    def __init__(
        self, plan: Plan, stage: Stage, journal: Journal, exports: Sequence[Export], sis: Sis
    ) -> None:
        super().__init__("folders", plan, journal)
        self._sis = sis
        self._disk = stage.disk
        self._exports = exports
        self._mounted = [folder_of(one, stage.folder, None) for one in exports if one.place == "absolute"]

    def faults(self) -> Sequence[Fault]:
        disk = [self._fill, self._lock] if self._disk is not None else []
        return [self._away, self._away, self._collect_late, self._collect_not, *disk]

    def _away(self) -> None:
        folder = self.rng.choice(self._mounted)
        with _moved_away(folder):
            self.journal.fault("destination folder gone for a while", folder.name)
            self.last()

    def _fill(self) -> None:
        assert self._disk is not None
        with _filled(self._disk):
            self.journal.fault("destination's disk full")
            self.last()

    def _lock(self) -> None:
        assert self._disk is not None
        with read_only(self._disk):
            self.journal.fault("destination not writable")
            self.last()

    def _collect_late(self) -> None:
        export = self.rng.choice(self._exports)
        self.journal.fault("SIS collects late", export.export_id)
        with self._sis.slow(export.export_id, self.rng.uniform(0.5, 4)):
            self.last()

    def _collect_not(self) -> None:
        export = self.rng.choice(self._exports)
        self.journal.fault("SIS does not collect for a while", export.export_id)
        with self._sis.slow(export.export_id, 3600):
            self.last()


@contextmanager
def _moved_away(folder: Path) -> Iterator[None]:
    """What a share that is not mounted looks like: the folder is not there, and comes back as it was."""
    elsewhere = folder.with_name(f"{folder.name}.away")
    folder.rename(elsewhere)
    try:
        yield
    finally:
        elsewhere.rename(folder)


@contextmanager
def _filled(disk: Path) -> Iterator[None]:
    """No byte more can be written there."""
    ballast = disk / _BALLAST
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(_CHUNK)
    try:
        yield
    finally:
        ballast.unlink()
