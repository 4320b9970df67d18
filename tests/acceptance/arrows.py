"""A morning that reaches every arrow, the SIS that collects its files, and what has to be true when it is over."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import func, select, text, update

from tests.acceptance.amqp import Client
from tests.acceptance.exports import apply_actions
from tests.builders import as_command, code, command, definition, outgoing, save, school, tardy, void
from tests.processes import Processes, Worker, wait_for
from worker.broker.embedded import EmbeddedBroker
from worker.broker.ports import QUEUES, Broker
from worker.commands import carry_out
from worker.store import migrate
from worker.store.engine import Database
from worker.store.tables import consumers, definitions, entries, outbox, run_requests, runs, tardy_versions

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
_EXPORTS = ("daily", "timed", "live")
_LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
_COLLECTS_EVERY = 0.002  # seconds

_OPEN = text(
    "SELECT (SELECT count(*) FROM entries WHERE state IN ('buffered', 'sealed'))"
    " + (SELECT count(*) FROM run_requests WHERE state = 'pending')"
    " + (SELECT count(*) FROM runs WHERE finished_at IS NULL)"
    " + (SELECT count(*) FROM outbox WHERE published_at IS NULL)"
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

    def leftovers(self) -> list[str]:
        """What lies in the folders besides finished files."""
        return sorted(path.name for path in self.root.glob("*/.*"))


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
        migrate.upgrade(self.database)
        self.broker.prepare()
        if isinstance(self.broker, EmbeddedBroker):
            self.broker.declare_reply_queue(REPLIES)
        if self.client is not None:
            self.client.bind_outcomes()
        for document in (_timed(), _live()):
            with self.database.write() as connection:
                answer = carry_out(connection, as_command(save(document)), datetime.now(UTC))
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
        wait_for(lambda: self.goes_on(worker), f"the morning to be over; {self.stand()}", 60)

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
    """What waiting would do while no worker lives: leases end (30 s), consumers count as silent (15 s), claimed
    outcomes are free (60 s)."""
    leases_end(database)
    with database.write() as connection:
        claimed = outbox.c.claimed_until.is_not(None)
        connection.execute(update(outbox).where(claimed).values(claimed_until=_LONG_AGO))
        connection.execute(update(consumers).values(heartbeat_at=_LONG_AGO))


def leases_end(database: Database) -> None:
    """What 30 s without a renewal do to the runs that somebody works on."""
    with database.write() as connection:
        leased = runs.c.lease_until.is_not(None)
        connection.execute(update(runs).where(leased).values(lease_until=_LONG_AGO))


def _end_back_off(database: Database) -> None:
    """What waiting for 30 s to 2 min would do: a run that waits is due."""
    with database.write() as connection:
        waiting = runs.c.state == "waiting"
        connection.execute(update(runs).where(waiting).values(next_attempt_at=datetime.now(UTC)))


# what has to be true


def check(site: Site) -> None:
    """Files, receipts, outcomes and parked messages are as after an undisturbed morning."""
    site.sis.collect()
    check_files(site.sis)
    check_entries(site)
    check_runs(site)
    check_commands(site)
    check_queues(site)


def check_files(sis: Sis) -> None:
    """Each row has left once, whichever file it is in; nothing else lies in the folders."""
    for export_id in ("daily", "timed"):
        assert Counter(row for rows in sis.rows(export_id) for row in rows) == expected_rows(), export_id
    there = apply_actions(list(sis.rows("live")))
    assert Counter(there.values()) == expected_rows()
    assert sis.leftovers() == []


def check_entries(site: Site) -> None:
    """As many are delivered as rows have left; the one without a code is held; every other has ended."""
    for export_id in _EXPORTS:
        with site.database.read() as connection:
            rows = connection.execute(
                select(entries.c.state, func.count())
                .where(entries.c.export_id == export_id)
                .group_by(entries.c.state)
            )
            states = {row.state: row[1] for row in rows}
        sent = sum(len(rows) for rows in site.sis.rows(export_id))
        assert states.pop("delivered") == sent, export_id
        assert states.pop("held") == 1, export_id
        assert states.keys() <= {"superseded", "cancelled"}, (export_id, states)


def check_runs(site: Site) -> None:
    """Each run is settled once, was asked for once, and is the very file that was collected."""
    with site.database.read() as connection:
        every = connection.execute(select(runs)).mappings().all()
        asked = connection.execute(select(run_requests.c.run_id)).scalars().all()
    assert Counter(asked) == Counter(run["run_id"] for run in every)
    check_outcomes(site, {run["run_id"]: f"run.{run['state']}" for run in every})
    sent = [run for run in every if run["state"] != "empty"]
    assert {run["state"] for run in sent} == {"delivered"}
    files = [(file.export_id, file.name, file.sha256) for file in site.sis.collected]
    assert sorted(files) == sorted((run["export_id"], run["file_name"], run["sha256"]) for run in sent)
    for export_id in _EXPORTS:
        numbers = sorted(run["sequence"] for run in sent if run["export_id"] == export_id)
        assert numbers == list(range(1, len(numbers) + 1)), export_id


def check_outcomes(site: Site, ends: Mapping[str, str]) -> None:
    """Each run's end was queued as one outcome, and that was told at least once."""
    with site.database.read() as connection:
        queued = connection.execute(
            select(outbox.c.outcome_id, outbox.c.type, outbox.c.body).distinct()
        ).all()
    of_ends = [one for one in queued if one.type in ("run.delivered", "run.empty")]
    found = [(json.loads(one.body)["data"]["run_id"], one.type) for one in of_ends]
    assert sorted(found) == sorted(ends.items())
    if site.client is not None:
        assert {one.outcome_id for one in of_ends} <= {one["id"] for one in site.told()}


def check_commands(site: Site) -> None:
    """Each command was carried out and answered, perhaps more than once, but always with the same outcome."""
    asked = {message["id"] for message in site.sent_commands}
    answers = [one for one in site.told() if one["type"].startswith("command.")]
    assert {one["type"] for one in answers} == {"command.accepted"}
    found = {(one["id"], one["data"]["command_id"]) for one in answers}
    assert sorted(command_id for _, command_id in found if command_id in asked) == sorted(asked)


def check_queues(site: Site) -> None:
    """Nothing is left in the queues but the broken message, which is parked with its reason."""
    events, commands, _rejected = QUEUES
    wait_for(lambda: site.waiting(events) == 0 == site.waiting(commands), "the queues to be empty")
    assert set(parked(site)) == {("invalid", "t-broken")}


def parked(site: Site) -> list[tuple[str, str]]:
    """The parked messages: code and tardy."""
    return [
        (one.code, json.loads(one.body)["data"]["tardy_id"]) for one in site.broker.operator().rejected(100)
    ]
