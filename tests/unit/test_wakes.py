"""Who is woken for what: bells between threads, calls between processes, and what the flusher makes of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Executor, Future
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.builders import NOON, bell_schedule, code, command, definition, outgoing, save, school, tardy
from tests.program import SteppedProgram
from worker.broker.ports import Delivery
from worker.delivery.flusher import Flusher
from worker.running.hearing_others import WakeListener
from worker.running.wakes import EVERYTHING, Doorbell, Doorbells
from worker.store import calls

CONTINUOUS = {"frequency": "continuous", "linger_seconds": 0, "time_zone": "America/Chicago"}


class AtOnce(Executor):
    """Does what it is given before it returns."""

    def submit(self, work: Callable[..., Any], /, *given: Any, **named: Any) -> Future[Any]:
        done: Future[Any] = Future()
        done.set_result(work(*given, **named))
        return done


class Acknowledging:
    """A consumer that takes any acknowledgement."""

    def acknowledge(self, deliveries: Iterable[Delivery]) -> None:
        pass

    def keep_alive(self) -> None:
        pass


def test_a_bell_that_was_rung_often_is_answered_once_for_all() -> None:
    bell = Doorbell()
    bell.ring_for(["a"])
    bell.ring_for(["b", "a"])
    assert bell.rung.is_set()
    assert bell.answer() == frozenset({"a", "b"})
    assert not bell.rung.is_set()
    assert bell.answer() == frozenset()


def test_a_bell_that_was_rung_for_nobody_in_particular_is_for_everything() -> None:
    bell = Doorbell()
    bell.ring_for(["a"])
    bell.ring()
    assert bell.answer() is EVERYTHING
    assert bell.answer() == frozenset()


def test_a_bell_rung_for_no_exports_wakes_nobody() -> None:
    bell = Doorbell()
    bell.ring_for([])
    assert not bell.rung.is_set()


def test_polls_are_far_apart_only_while_other_processes_are_heard() -> None:
    bells = Doorbells()
    assert bells.pause(heard=5, unheard=0.5) == 0.5
    bells.others.set()
    assert bells.pause(heard=5, unheard=0.5) == 5
    bells.others.clear()
    assert bells.pause(heard=5, unheard=0.5) == 0.5


def listener(bells: Doorbells, *, flushes: bool) -> WakeListener:
    return WakeListener(None, None, bells, flushes=flushes)  # type: ignore[arg-type]  # it is only told what was heard


def test_a_call_names_its_exports_and_rings_for_them_where_a_flusher_works() -> None:
    bells = Doorbells()
    listener(bells, flushes=True).ring(calls.for_exports(["b", "a"]))
    assert bells.exports.answer() == frozenset({"a", "b"})
    listener(bells, flushes=True).ring(calls.for_exports(EVERYTHING))
    assert bells.exports.answer() is EVERYTHING


def test_a_call_that_would_be_too_long_is_for_every_export() -> None:
    assert calls.for_exports([f"export-{number}" for number in range(1000)]) == calls.EXPORTS


@pytest.mark.parametrize("what", [calls.for_exports(["a"]), calls.EXPORTS, calls.ACT, "of a newer version"])
def test_where_no_flusher_works_no_call_is_called_again(what: str) -> None:
    bells = Doorbells()
    listener(bells, flushes=False).ring(what)
    assert not bells.exports.rung.is_set()


@pytest.mark.parametrize("what", [calls.ACT, "of a newer version"])
def test_a_call_that_names_nothing_known_rings_every_bell(what: str) -> None:
    bells = Doorbells()
    listener(bells, flushes=True).ring(what)
    assert all(one.rung.is_set() for one in (bells.exports, bells.outcomes, bells.replies, bells.barrier))


def test_a_waiting_run_rings_for_the_consumer_alone() -> None:
    bells = Doorbells()
    listener(bells, flushes=True).ring(calls.BARRIER)
    assert bells.barrier.rung.is_set()
    assert not bells.exports.rung.is_set()


@pytest.fixture
def program(sqlite_url: str, tmp_path: Path) -> SteppedProgram:
    program = SteppedProgram(sqlite_url, tmp_path, NOON)
    program.receive(school(), code(), bell_schedule())
    program.command(save(definition("live", schedule=CONTINUOUS)))
    program.command(save(definition("elsewhere", schedule=CONTINUOUS, schools=["0021"])))
    program.command(save(definition("daily")))
    return program


def handled(program: SteppedProgram, *messages: dict[str, Any]) -> None:
    deliveries = [
        Delivery("writeback.events", outgoing(one).body, number) for number, one in enumerate(messages)
    ]
    there = Acknowledging()
    program.parts.intake().handle_events(deliveries, there, there)  # type: ignore[arg-type]  # all that is asked of either


def test_a_batch_rings_for_the_continuous_exports_that_may_have_got_something(
    program: SteppedProgram,
) -> None:
    program.parts.bells.exports.answer()
    handled(program, tardy("a"), tardy("b"))
    assert program.parts.bells.exports.answer() == frozenset({"live"})
    handled(program, tardy("c", school_id="0099"))
    assert program.parts.bells.exports.answer() == frozenset()


def test_an_export_that_is_manual_since_is_not_rung_for(program: SteppedProgram) -> None:
    program.command(save(definition("live")))
    handled(program, tardy("a"))
    assert program.parts.bells.exports.answer() == frozenset()


def woken(program: SteppedProgram, *export_ids: str) -> Flusher:
    flusher = program.parts.flusher
    flusher.look_at(export_ids, AtOnce())
    return flusher


def test_who_is_named_sends_its_file_without_a_look_at_anybody_else(program: SteppedProgram) -> None:
    program.receive(tardy("a"))
    woken(program, "live")
    assert program.files() == {"live_0001.csv": ["a,1,"]}
    assert program.states("live") == {"delivered": 1}
    assert program.states("daily") == {"buffered": 1}
    assert [run["trigger"] for run in program.runs("live")] == ["continuous"]


def test_nobody_sends_an_empty_file_for_what_is_to_be_held(program: SteppedProgram) -> None:
    """A run of which no row is ready is taken back, number and all; what it found is held, and seen."""
    fields = [{"field": "comment", "required": True}]
    file = {"format": "csv", "name": "{sequence}.csv", "when_empty": "send"}
    program.command(save(definition("live", schedule=CONTINUOUS, fields=fields, file=file)))
    program.receive(tardy("a"))
    woken(program, "live")
    assert program.states("live") == {"held": 1}
    assert program.runs("live") == []
    program.receive(tardy("b", comment="overslept"))
    woken(program, "live")
    assert [run["sequence"] for run in program.runs("live")] == [1]


def test_a_buffer_that_fills_is_looked_at_again_when_it_is_due(program: SteppedProgram) -> None:
    program.command(save(definition("live", schedule=CONTINUOUS | {"linger_seconds": 60})))
    program.receive(tardy("a"))
    assert program.scheduler.advance(["live"]) == {"live": 60}
    program.pass_time(seconds=59)
    assert program.scheduler.advance(["live"]) == {"live": 1}
    program.pass_time(seconds=1)
    assert program.scheduler.advance(["live"]) == {"live": 0}


def test_a_full_buffer_does_not_wait_for_the_time(program: SteppedProgram) -> None:
    program.command(save(definition("live", schedule=CONTINUOUS | {"linger_seconds": 60, "max_rows": 2})))
    program.receive(tardy("a"), tardy("b"))
    assert program.scheduler.advance(["live"]) == {"live": 0}


def test_nothing_is_to_do_for_who_has_nothing_has_a_run_open_or_is_paused(program: SteppedProgram) -> None:
    assert program.scheduler.advance(["live", "daily", "unknown"]) == {}
    program.receive(tardy("a"))
    assert program.scheduler.advance(["live"]) == {"live": 0}
    program.receive(tardy("b"))
    assert program.scheduler.advance(["live"]) == {}
    program.work()
    program.command(command("export.pause", {"export_id": "live", "reason": "tests"}))
    program.receive(tardy("c"))
    assert program.scheduler.advance(["live"]) == {}


def test_a_run_now_goes_when_it_is_named_and_nothing_has_to_be_waited_for(program: SteppedProgram) -> None:
    program.receive(tardy("a"))
    program.command(command("export.run_now", {"export_id": "daily"}))
    woken(program, "daily")
    assert program.files() == {}  # what consumers have in hand is waited for
    program.forget_barriers()
    woken(program, "daily")
    assert program.files() == {"daily_0001.csv": ["a,1,"]}


def test_the_next_due_time_is_known(program: SteppedProgram) -> None:
    daily = {"frequency": "daily", "at": ["13:00"], "time_zone": "America/Chicago"}
    program.command(save(definition("timed", schedule=daily)))
    assert program.now == datetime(2026, 10, 6, 17, 0, tzinfo=UTC)
    assert program.scheduler.seconds_to_due() == 3600
