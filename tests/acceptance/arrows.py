"""A morning that reaches every arrow, the SIS that collects its files, and the installation where it happens."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import func, select, text, update

from tests.acceptance.amqp import Client
from tests.builders import (
    as_command,
    code,
    command,
    definition,
    hidden_in,
    outgoing,
    save,
    school,
    tardy,
    void,
)
from tests.migrated import with_tables
from tests.processes import Processes, Worker, wait_for
from worker.actions.commands.asked import Asked
from worker.actions.commands.carrying_out import carry_out
from worker.broker.embedded.inbox_broker import EmbeddedBroker
from worker.broker.ports import Broker
from worker.destinations.places import Places
from worker.district_locks import UNLOCKED
from worker.store.database.engine import Database
from worker.store.database.tables import (
    consumers,
    definitions,
    entries,
    outbox,
    replies,
    runs,
    tardy_versions,
)

Row = tuple[str, ...]

REPLIES = "tests"
SMALL_BATCHES = {"WRITEBACK_BATCH_SIZE": "10"}
_TARDIES = 26
_HELD, _AMENDED, _VOIDED = "t-07", "t-11", "t-15"
_COLUMNS = [
    {"field": "tardy_id"},
    {"field": "version"},
    {"field": "behavior.external_reference_code", "required": True},
]
EXPORTS = ("daily", "timed", "live")
_COLLECTS_EVERY = 0.002  # seconds

_OPEN = text(
    "SELECT (SELECT count(*) FROM named_entries WHERE state IN ('buffered', 'sealed'))"
    " + (SELECT count(*) FROM run_requests WHERE state = 'pending')"
    " + (SELECT count(*) FROM runs WHERE finished_at IS NULL)"
    " + (SELECT count(*) FROM outbox WHERE published_at IS NULL)"
    " + (SELECT count(*) FROM replies)"
    " + abs((SELECT count(*) FROM commands) - :commands)"
    " + abs((SELECT count(*) FROM runs WHERE export_id <> 'live' AND state = 'delivered') - :runs)"
)


# the morning


def references() -> list[dict[str, Any]]:
    """One school; one code that can be sent, one that cannot."""
    return [code("T"), code(None, name="BUS"), school()]


def tardies() -> list[dict[str, Any]]:
    """Every version once: one tardy is amended, one voided, one has the code that cannot be sent."""
    first = [tardy(name, behavior_code="BUS" if name == _HELD else "TARDY") for name in _names()]
    return [*first, tardy(_AMENDED, 2), void(_VOIDED)]


def broken() -> dict[str, Any]:
    """A message with a field that nobody knows."""
    return tardy("t-broken", surprise="?")


def daily() -> dict[str, Any]:
    """The definition that is saved and run by commands."""
    return definition("daily", destination=_folder("daily"), fields=_COLUMNS)


def _timed() -> dict[str, Any]:
    at = datetime.now(UTC) - timedelta(minutes=2)
    schedule = {"frequency": "daily", "at": [f"{at:%H:%M}"], "time_zone": "UTC"}
    return definition("timed", destination=_folder("timed"), fields=_COLUMNS, schedule=schedule)


def _live() -> dict[str, Any]:
    schedule = {
        "frequency": "continuous",
        "linger_seconds": 0.2,
        "max_rows": 10,
        "time_zone": "America/Chicago",
    }
    fields = [{"field": "action"}, *_COLUMNS]
    return definition(
        "live", destination=_folder("live"), fields=fields, schedule=schedule, corrections="send"
    )


def _folder(export_id: str) -> dict[str, str]:
    return {"type": "directory", "path": f"sis/{export_id}"}


def _names() -> list[str]:
    return [f"t-{number:02d}" for number in range(_TARDIES)]


def expected_rows() -> Counter[Row]:
    """The rows of `daily` and of `timed`."""
    sent = [name for name in _names() if name not in (_HELD, _VOIDED)]
    return Counter((name, "2" if name == _AMENDED else "1", "T") for name in sent)


# the SIS


@dataclass(frozen=True, slots=True)
class Collected:
    """A file that the SIS has taken away."""

    export_id: str
    name: str
    content: bytes

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    @property
    def rows(self) -> list[Row]:
        return [tuple(row) for row in csv.reader(io.StringIO(self.content.decode(), newline=""))]


@dataclass
class Sis:
    """Takes files away from the folders under `root`; no other file is ever looked at."""

    root: Path
    collected: list[Collected] = field(default_factory=list)

    def collect(self) -> None:
        """Takes away every finished file."""
        for path in sorted(self.root.glob("*/[!.]*")):
            self.collected.append(Collected(path.parent.name, path.name, path.read_bytes()))
            path.unlink()

    @contextmanager
    def collecting_at_once(self) -> Iterator[None]:
        """Within, a file is gone a moment after it has been renamed."""
        ended = threading.Event()

        def collect() -> None:
            while not ended.wait(_COLLECTS_EVERY):
                self.collect()

        thread = threading.Thread(target=collect, name="sis")
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def rows(self, export_id: str) -> Iterator[list[Row]]:
        """The rows of each of the export's files, in the order of their numbers."""
        files = sorted((file for file in self.collected if file.export_id == export_id), key=lambda f: f.name)
        return (file.rows for file in files)

    def leftovers(self) -> list[Path]:
        """What lies in the folders besides finished files."""
        return [path for folder in self.root.glob("*/") for path in hidden_in(folder)]


# the installation


@dataclass
class Site:
    """One installation: its servers, its folders, and how the morning goes on in it. `client` None: it is
    embedded."""

    database: Database
    home: Path
    processes: Processes
    broker: Broker
    client: Client | None
    sis: Sis
    sent_commands: list[dict[str, Any]] = field(default_factory=list)
    _told: list[dict[str, Any]] = field(default_factory=list)
    _due: bool = False
    _uncollected: Path | None = None

    def prepare(self) -> None:
        """Everything is there but a worker; `timed` and `live` have been saved."""
        with_tables(self.database)
        self.broker.prepare()
        if isinstance(self.broker, EmbeddedBroker):
            self.broker.declare_reply_queue(REPLIES)
        if self.client is not None:
            self.client.bind_outcomes()
        for document in (_timed(), _live()):
            with self.database.write() as connection:
                asked = Asked(
                    as_command(save(document)), datetime.now(UTC), Places(self.home), locks=UNLOCKED
                )
                answer = carry_out(connection, asked)
            assert answer is not None and answer.refused is None, answer

    def publish(self) -> None:
        """Everything of the morning is in the queues, each message once."""
        events = [*references(), *tardies()]
        events.insert(len(events) // 2, broken())
        for message in (save(daily()), command("export.run_now", {"export_id": "daily"})):
            self.ask(message)
        lost = self.broker.operator().publish_all([outgoing(message) for message in events])
        assert lost == 0

    def ask(self, message: dict[str, Any]) -> None:
        """Sends a command that asks for answers."""
        self.sent_commands.append(message)
        if self.client is not None:
            self.client.command(message)
        else:
            asked = outgoing(message, reply_to=REPLIES, correlation_id=message["id"])
            self.broker.operator().publish_all([asked])

    def leave_uncollected(self) -> None:
        """An earlier file of the name that `daily` will send lies there, until a run waits for it to go."""
        self._uncollected = self.home / "sis" / "daily" / "daily_0001.csv"
        self._uncollected.parent.mkdir(parents=True)
        self._uncollected.write_text("of an earlier morning")

    def goes_on(self, worker: Worker) -> bool:
        """Lets come about what is to come next; True: the morning is over, or the worker has died."""
        if not worker.alive:
            return True
        if not self._due and self._is_buffered():
            self._due = True
            self._reach_due_time()
        if self._uncollected is not None and self._a_run_waits():
            self._uncollected.unlink()
            self._uncollected = None
            _end_back_off(self.database)
        return self._due and self._is_over()

    def work(self, worker: Worker) -> None:
        """Waits until the morning is over, or the worker dead."""
        wait_for(lambda: self.goes_on(worker), "the morning to be over")

    def afternoon(self) -> None:
        """One more tardy and one more run of every export. What a death left in the folders is gone then."""
        self.broker.operator().publish_all([outgoing(tardy("t-late"))])
        self.ask(command("export.run_now", {"school_id": "0012"}))
        wanted = Counter(dict.fromkeys(EXPORTS, 1))
        wait_for(lambda: self._collected("t-late") >= wanted, "the tardy of the afternoon to be collected")
        assert self._collected("t-late") == wanted
        wait_for(lambda: not self.sis.leftovers(), "the folders to be tidy")

    def _collected(self, tardy_id: str) -> Counter[str]:
        """How often the SIS has it of each export."""
        self.sis.collect()
        return Counter(file.export_id for file in self.sis.collected for row in file.rows if tardy_id in row)

    def stand(self) -> str:
        """How things stand, for a person."""
        with self.database.read() as connection:
            found = connection.execute(select(runs.c.export_id, runs.c.state, runs.c.error)).all()
            states = connection.execute(
                select(entries.c.export_id, entries.c.state, func.count()).group_by(
                    entries.c.export_id, entries.c.state
                )
            ).all()
        return f"runs {found}, entries {states}"

    def told(self) -> list[dict[str, Any]]:
        """The outcomes that were told, as often as they were (embedded: the answers to commands)."""
        if self.client is not None:
            return self.client.outcomes()
        assert isinstance(self.broker, EmbeddedBroker)
        self._told += [json.loads(delivery.body) for delivery in self.broker.take_replies(REPLIES)]
        return self._told

    def waiting(self, queue: str) -> int:
        """How many messages the queue holds, handed out or not."""
        if self.client is not None:
            return self.client.depth(queue)
        depth = next(depth for depth in self.broker.operator().depths() if depth.queue == queue)
        return depth.ready + (depth.unacknowledged or 0)

    def _is_buffered(self) -> bool:
        with self.database.read() as connection:
            versions = connection.execute(select(func.count()).select_from(tardy_versions)).scalar_one()
        return bool(versions == len(tardies()))

    def _is_over(self) -> bool:
        with self.database.read() as connection:
            found = {"commands": 2 + len(self.sent_commands), "runs": 2}
            left: int = connection.execute(_OPEN, found).scalar_one()
        return left == 0

    def _a_run_waits(self) -> bool:
        with self.database.read() as connection:
            return connection.execute(select(runs).where(runs.c.state == "waiting")).first() is not None

    def _reach_due_time(self) -> None:
        """What waiting for the time of `timed` would do: it was saved a while ago and its time has come."""
        values = {
            "schedule_saved_at": datetime.now(UTC) - timedelta(minutes=30),
            "next_due_at": datetime.now(UTC),
        }
        with self.database.write() as connection:
            connection.execute(update(definitions).where(definitions.c.export_id == "timed").values(**values))


def time_passes(database: Database) -> None:
    """What waiting would do while no worker lives: claims end, and consumers count as silent (15 s)."""
    claims_end(database)
    with database.write() as connection:
        connection.execute(update(consumers).values(heartbeat_at=_an_hour_ago()))


def claims_end(database: Database) -> None:
    """What waiting would do to what somebody works on without a sign of life: a run is free after 30 s, an outcome
    to be told after 60 s."""
    with database.write() as connection:
        claimed = outbox.c.claimed_until.is_not(None)
        connection.execute(update(outbox).where(claimed).values(claimed_until=_an_hour_ago()))
        connection.execute(update(replies).values(due_at=_an_hour_ago()))
        leased = runs.c.lease_until.is_not(None)
        connection.execute(update(runs).where(leased).values(lease_until=_an_hour_ago()))


def _an_hour_ago() -> datetime:
    return datetime.now(UTC) - timedelta(hours=1)


def _end_back_off(database: Database) -> None:
    """What waiting for 30 s to 2 min would do: a run that waits is due."""
    with database.write() as connection:
        waiting = runs.c.state == "waiting"
        connection.execute(update(runs).where(waiting).values(next_attempt_at=datetime.now(UTC)))
