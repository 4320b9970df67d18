"""The program under a history: real store, intake, scheduler, flush and outbox, one step at a time, mortal."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import event, func, insert, select, text

from tests.histories.post import Post
from tests.histories.record import Key, Record
from tests.histories.sis import Crashed, Sis
from tests.program import SteppedProgram
from worker import failpoints
from worker.failpoints import Arrow, reached
from worker.instruments import Instruments
from worker.store.database import tables
from worker.store.runs import run_rows
from worker.store.runs.claims import LEASE, Claim
from worker.store.trail import PROGRAM

_TICK = timedelta(milliseconds=1)  # no two looks at a clock show the same
_MOST_ROUNDS = 200  # more than any of these histories needs: beyond it the program spins
_token_of = re.compile(r"\.([0-9a-f]{32})\.part$").search


@dataclass(frozen=True, slots=True)
class Sent:
    """One row as it was meant: which version of which tardy, and why it went."""

    key: Key
    version: int
    action: str


@dataclass(frozen=True, slots=True)
class Arrival:
    """A file that got its final name. `sealed_after`: the last moment that its rows must know of."""

    export_id: str
    district: str
    run_id: str
    revision: int
    name: str
    sequence: int
    resent: bool
    rows: tuple[Sent, ...]
    content: bytes
    moment: int
    sealed_after: int
    sha256: str


@dataclass(eq=False, slots=True)
class Armed:
    """Something that is to happen at a place, the Nth time from now."""

    arrow: Arrow
    times: int
    action: Callable[[], None]


class Installation(SteppedProgram):
    """One database used for many histories: `begin` empties it."""

    def __init__(self, database_url: str, home: Path) -> None:
        super().__init__(database_url, home)
        if self.database.is_sqlite:
            event.listen(self.database.engine, "connect", _sync_nothing)
        self.database.engine.dispose()
        self.redelivered = 0
        self.fired: Counter[Arrow] = Counter()

    def begin(self, home: Path, now: datetime) -> None:
        """A new history: nothing is known, nothing was sent."""
        home.mkdir()
        self.home, self.now, self.elapsed = home, now, timedelta()
        self._started = now
        self.record = Record(now)
        self.post = Post()
        self.sis = Sis(home, lambda temporary, path: self._watched(partial(self._arrived, temporary, path)))
        self.arrivals: list[Arrival] = []
        self.asked: set[str] = set()  # types of commands
        self.claimed: dict[str, timedelta] = {}
        self.crashes = 0
        self.problems: list[AssertionError] = []
        self.instruments = Instruments()
        self._armed: list[Armed] = []
        self._empty()
        self.restart()
        failpoints.arm(self._reached)

    def end(self) -> None:
        """No more hooks."""
        failpoints.arm(None)
        self._count_redelivered()

    def _empty(self) -> None:
        names = [table.name for table in tables.metadata.sorted_tables]
        with self.database.write() as connection:
            if self.database.is_sqlite:
                for name in names:
                    connection.execute(text(f"DELETE FROM {name}"))
            else:
                connection.execute(text(f"TRUNCATE {', '.join(names)} RESTART IDENTITY"))
            connection.execute(
                insert(tables.catalogue).values(id=1, generation=0, barrier=0, installation="1")
            )

    # time, and death

    @property
    def time(self) -> datetime:
        """What a clock would show that nobody ever set."""
        return self._started + self.elapsed

    def clock(self) -> datetime:
        self.elapsed += _TICK
        self.now += _TICK
        return self.now

    def database_clock(self) -> datetime:
        """Nobody sets the clock of the database's machine."""
        self.clock()
        return self.time

    def pass_time(self, **amount: float) -> None:
        """Time goes by."""
        self.elapsed += timedelta(**amount)
        self.now += timedelta(**amount)

    def set_clock(self, **amount: float) -> None:
        """Somebody sets the machine's clock."""
        self.now += timedelta(**amount)

    def restart(self) -> None:
        """The process is gone with all it had in memory; another one starts. Its leases are still there."""
        self._count_redelivered()
        self.begin_process(database=self.database, broker=self.post, worker="w")
        self.intake, self.outbox = self.parts.intake(), self.parts.outbox
        unacknowledged = (self.post.events, self.post.commands)
        self.post.events, self.post.commands = (
            [delivery._replace(delivery_count=delivery.delivery_count + 1) for delivery in queue]
            for queue in unacknowledged
        )

    def _count_redelivered(self) -> None:
        samples = [one for family in self.instruments.events.collect() for one in family.samples]
        again = [one for one in samples if one.labels.get("result") == "duplicate"]
        self.redelivered += sum(int(one.value) for one in again if one.name.endswith("_total"))

    def surviving(self, step: Callable[[], None]) -> bool:
        """Takes a step; True: the process died in it and another one has started."""
        try:
            step()
        except Crashed:
            self.crashes += 1
            self.restart()
            return True
        return False

    def intervene(self, arrow: Arrow, times: int, action: Callable[[], None]) -> Callable[[], None]:
        """Has something else happen when the program reaches a place for the Nth time from now; returns how to
        call it off."""
        armed = Armed(arrow, times, action)
        self._armed.append(armed)
        return lambda: self._armed.remove(armed) if armed in self._armed else None

    def _reached(self, arrow: Arrow) -> None:
        for armed in [one for one in self._armed if one.arrow is arrow]:
            armed.times -= 1
            if armed.times == 0:
                self._armed.remove(armed)
                self.fired[arrow] += 1
                self._watched(armed.action)

    def _watched(self, action: Callable[[], None]) -> None:
        """The program must not take a claim that fails under its hands for an error of its own."""
        try:
            action()
        except AssertionError as problem:
            self.problems.append(problem)

    def disarm_all(self) -> None:
        """Nothing intervenes any more."""
        self._armed.clear()

    # steps

    def take_in(self) -> None:
        """Handles what is in the queues until they are empty, however often the process dies over it."""
        while self.post.events or self.post.commands:
            self.surviving(self._take_in_once)

    def _take_in_once(self) -> None:
        self.intake.handle_events(self.post.receive(50, 0, 0), self.post, self.post)
        command = self.post.receive_command()
        if command is not None:
            self.intake.handle_command(command, self.post, self.post)

    def ask(self, message: Mapping[str, Any]) -> str | None:
        """Sends a command; why it was refused, or None."""
        self.asked.add(message["type"])
        self.post.put(message)
        self.take_in()
        c = tables.outbox.c
        with self.database.read() as connection:
            answers = connection.execute(
                select(c.body).where(c.command_id == message["id"], c.type.startswith("command."))
            ).scalars()
            answer = json.loads(next(iter(answers)))
        reason: str | None = answer["data"].get("reason")
        return reason

    def tick(self) -> None:
        for _ in range(_MOST_ROUNDS):
            if not self.scheduler.tick():
                return
        raise AssertionError("the scheduler finds something to do for ever")

    def claim(self) -> Claim | None:
        self.notice_pauses()
        claim = super().claim()
        if claim is not None:
            assert not self.record.exports[claim.export_id].paused, "an attempt began on a paused export"
            self.claimed[claim.token] = self.elapsed
            reached(Arrow.CLAIM_COMMITTED)
        return claim

    def notice_pauses(self) -> None:
        """What has paused by itself is paused; only where its definition says so, and no earlier."""
        d, a = tables.definitions.c, tables.attempts.c
        failed = (
            select(func.count())
            .select_from(tables.attempts)
            .join(tables.runs, tables.runs.c.run_id == a.run_id)
        )
        with self.database.read() as connection:
            for row in connection.execute(
                select(d.export_id).where(d.paused_at.is_not(None), d.paused_by == PROGRAM)
            ).all():
                export = self.record.exports[row.export_id]
                said = [one.document.get("pause_after_failures") for one in export.revisions]
                known = tables.runs.c.export_id == row.export_id, a.outcome == "failed"
                times = connection.execute(failed.where(*known)).scalar_one()
                assert times >= min(most for most in said if most is not None), "it paused too early"
                export.paused = True

    def work(self) -> None:
        self.forget_barriers()
        for _ in range(_MOST_ROUNDS):
            self.tick()
            claim = self.claim()
            if claim is None:
                return
            self.flush.attempt(claim)
        raise AssertionError("runs are attempted for ever")

    def lease_ends(self) -> None:
        """Nobody renews any lease."""
        self.pass_time(seconds=LEASE.total_seconds() + 1)

    # what is seen at the SIS

    def _arrived(self, temporary: str, path: Path) -> None:
        found = _token_of(temporary)
        assert found, f"{temporary} is no attempt's file"
        with self.database.read() as connection:
            attempt = connection.execute(
                select(tables.attempts).where(tables.attempts.c.token == found[1])
            ).one()
            run = run_rows.get(connection, attempt.run_id)
            assert run is not None
            departed = connection.execute(
                select(tables.attempts.c.token)
                .where(tables.attempts.c.run_id == attempt.run_id, tables.attempts.c.phase == "departing")
                .order_by(tables.attempts.c.number)
            ).scalars()
            first = self.claimed[next(iter(departed))]
            c = tables.entries.c
            rows = connection.execute(
                select(c.district_id, c.tardy_id, c.version, c.action)
                .where(c.run_id == (run["resend_of"] or run["run_id"]), c.line.is_not(None))
                .order_by(c.line)
            ).all()
        self.arrivals.append(
            Arrival(
                run["export_id"],
                self.record.exports[run["export_id"]].district,
                run["run_id"],
                run["revision"],
                path.name,
                run["sequence"],
                run["resend_of"] is not None,
                tuple(Sent((row[0], row[1]), row[2], row[3]) for row in rows),
                path.read_bytes(),
                self.record.moment,
                self.record.since(self._started + first - 2 * LEASE),
                hashlib.sha256(path.read_bytes()).hexdigest(),
            )
        )


def _sync_nothing(connection: Any, _record: Any) -> None:
    """Processes die in these histories, the machine does not."""
    connection.execute("PRAGMA synchronous=OFF")
