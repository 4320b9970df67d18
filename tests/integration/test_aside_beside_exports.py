"""The same beside exports: an outcome, a task of housekeeping, a tardy that is purged, a lease; and days far away."""

from __future__ import annotations

from concurrent.futures import Future
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from tests.builders import command, definition, save, school, tardy
from tests.integration.setting_aside import Bench, broken, fails
from worker.broker.by_url import open_broker
from worker.delivery.flusher import Flusher
from worker.delivery.housekeeping import Housekeeping
from worker.failpoints import Place, PlannedError, Step
from worker.outbox.telling import Outbox
from worker.store.database.tables import (
    definition_revisions,
    definitions,
    outbox,
    quiet_days,
    tardy_versions,
)

KEPT = timedelta(days=100)


@pytest.fixture
def program(sqlite_url: str, tmp_path: Path) -> Bench:
    program = Bench(sqlite_url, tmp_path)
    program.receive(school())
    for name in ("bad", "good"):
        folder = {"type": "directory", "path": name}
        program.command(save(definition(name, destination=folder)))
    return program


# outcomes


class Telling:
    """An outbox of an embedded broker."""

    def __init__(self, program: Bench) -> None:
        broker = open_broker(None, program.home)
        broker.prepare()
        self._publisher = broker.publisher()
        self._outbox = Outbox(program.database, broker, program.clock, program.instruments)
        self._program = program

    def tell_all(self) -> None:
        while self._outbox.publish_some(self._publisher):
            pass

    def untold(self) -> int:
        with self._program.database.read() as connection:
            left = connection.execute(select(outbox).where(outbox.c.published_at.is_(None))).all()
        return len(left)


def test_an_outcome_that_cannot_be_told_stands_aside_and_holds_no_other_up(program: Bench) -> None:
    telling = Telling(program)
    telling.tell_all()
    for kind in ("pause", "run_now", "resume"):
        program.command(command(f"export.{kind}", {"export_id": "good", "reason": "tests"}))
    with broken(fails(Step.OUTCOME, "command.refused")):
        telling.tell_all()
        assert telling.untold() == 1
        [aside] = program.aside()
        assert (aside.kind, aside.step, aside.error) == ("outcome", "tell", "PlannedError")
        telling.tell_all()
        assert program.aside() == [aside]
    program.pass_time(minutes=2)
    telling.tell_all()
    assert telling.untold() == 0
    telling.tell_all()
    assert program.aside() == []


def test_what_follows_an_outcome_that_stands_aside_does_not_wait_for_it(program: Bench) -> None:
    telling = Telling(program)
    telling.tell_all()
    program.receive(tardy("a"))
    program.command(command("export.run_now", {"export_id": "good"}))
    program.flush_all()
    with broken(fails(Step.OUTCOME, "command.accepted")):
        telling.tell_all()
        telling.tell_all()
        assert telling.untold() == 1  # run.delivered, of the same command, is out


# housekeeping


def _keeping(program: Bench) -> Housekeeping:
    return Housekeeping(program.means, program.sweeping, program.parts.proving, KEPT)


def _noted(program: Bench) -> set[str]:
    with program.database.read() as connection:
        return set(connection.execute(select(quiet_days.c.export_id)).scalars())


def test_an_export_whose_quiet_days_cannot_be_told_costs_no_other_its_own(program: Bench) -> None:
    program.pass_time(days=3)
    with broken(fails(Step.QUIET, "bad")):
        assert _keeping(program).once() is True
    assert _noted(program) == {"good"}
    [aside] = program.aside()
    assert (aside.kind, aside.thing, aside.step) == ("task", "quiet days of bad", "quiet")
    program.pass_time(minutes=2)
    _keeping(program).once()
    assert _noted(program) == {"good", "bad"}
    assert program.aside() == []


@pytest.mark.parametrize("place", [Step.SWEEP, Step.FORGET, Step.QUIET, Step.PURGE])
def test_a_task_that_fails_keeps_no_other_task_from_being_done(program: Bench, place: Place) -> None:
    program.receive(tardy("a"))
    program.command(command("export.run_now", {"export_id": "good"}))
    program.flush_all()
    with program.database.write() as connection:
        connection.exec_driver_sql("UPDATE runs SET swept = 0")
    program.pass_time(days=200)
    done: set[Place] = set()

    def hook(at: Place, _thing: str | None) -> None:
        done.add(at)
        if at is place:
            raise PlannedError

    with broken(hook):
        _keeping(program).once()
    assert done >= {Step.SWEEP, Step.FORGET, Step.QUIET, Step.PURGE}
    assert {one.kind for one in program.aside()} == {"task"}


def test_a_tardy_that_cannot_be_purged_keeps_its_data_and_nobody_else_does(program: Bench) -> None:
    program.receive(*(tardy(name) for name in ("a", "b", "c", "d")))
    program.pass_time(days=200)
    with broken(fails(Step.PURGE_PAGE, "b")):
        assert _keeping(program).once() is True
    with program.database.read() as connection:
        v = tardy_versions.c
        kept = connection.execute(select(v.tardy_id).where(v.document.is_not(None))).scalars().all()
    assert kept == ["b"]
    _keeping(program).once()
    with program.database.read() as connection:
        assert connection.execute(select(v.tardy_id).where(v.document.is_not(None))).all() == []


# leases


class Later:
    """Takes attempts in and never makes them: they are under way."""

    def submit(self, *_work: Any, **_more: Any) -> Future[Any]:
        return Future()


def test_a_lease_that_cannot_be_renewed_costs_no_other_run_its_own(program: Bench) -> None:
    for name in ("bad", "good"):
        program.receive(tardy(name))
        program.command(command("export.run_now", {"export_id": name}))
    program.forget_barriers()
    flusher = Flusher(program.means, program.scheduler, program.flush, worker="w")
    flusher.look(Later())  # type: ignore[arg-type]
    before = {name: program.runs(name)[0]["lease_until"] for name in ("bad", "good")}
    program.pass_time(seconds=10)
    with broken(fails(Step.LEASES, "bad")), pytest.raises(PlannedError):
        flusher.renew_leases()
    after = {name: program.runs(name)[0]["lease_until"] for name in ("bad", "good")}
    assert after["bad"] == before["bad"]
    assert after["good"] == before["good"] + timedelta(seconds=10)


# days far away


def test_a_blackout_without_end_costs_a_tick_nothing_and_its_definition_can_still_be_changed(
    program: Bench,
) -> None:
    daily = {"frequency": "daily", "at": ["12:30"], "time_zone": "America/Chicago"}
    spans = [{"from": str(date(2026, 10, 1) + timedelta(days=day)), "to": "9999-12-30"} for day in range(400)]
    for name in ("bad", "good"):
        folder = {"type": "directory", "path": name}
        program.command(save(definition(name, schedule=daily, destination=folder)))
    endless = definition("bad", schedule=daily, destination={"type": "directory", "path": "bad"})
    with program.database.write() as connection:  # as an earlier version let it in
        is_bad = definition_revisions.c.export_id == "bad"
        document = {**endless, "blackout": spans}
        connection.execute(update(definition_revisions).where(is_bad).values(document=document))
    program.receive(tardy("a"))
    program.pass_time(minutes=31)
    program.flush_all()
    assert program.files("good") == {"good_0001.csv": ["a,1,"]}
    assert program.files("bad") == {}
    with program.database.read() as connection:
        due = select(definitions.c.next_due_at).where(definitions.c.export_id == "bad")
        assert connection.execute(due).scalar_one() == datetime(2200, 1, 1, tzinfo=UTC)
    program.command(save(endless))
    program.flush_all()
    assert program.files("bad") == {"bad_0001.csv": ["a,1,"]}
