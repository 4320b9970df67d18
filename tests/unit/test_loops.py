"""The loop that every thread runs in: whatever its step meets, it goes on; only a wrong setting ends it."""

from __future__ import annotations

import threading

import pytest
from structlog.testing import capture_logs

from worker import defects
from worker.errors import ConfigurationError, RefusedError, UnavailableError
from worker.instruments import Pulse
from worker.running.loops import Loop


class Script:
    """What a loop's step meets, call by call; the last call ends the loop."""

    def __init__(self, stop: threading.Event, *errors: Exception) -> None:
        self._stop = stop
        self._left = list(errors)
        self.taken = 0

    def __call__(self) -> float:
        self.taken += 1
        if self._left:
            raise self._left.pop(0)
        self._stop.set()
        return 0


def counted(step: str) -> float:
    return next(
        sample.value
        for family in defects.COUNTER.collect()
        for sample in family.samples
        if sample.name == "writeback_defects_total" and sample.labels == {"step": step}
    )


def loop(name: str, pulse: Pulse) -> Loop:
    return Loop(name, pulse, within=60, longest=0.01)


@pytest.mark.parametrize(
    "error", [ValueError("Ada Byron"), RecursionError(), RefusedError("no"), MemoryError()]
)
def test_a_defect_is_counted_and_the_step_taken_again(error: Exception) -> None:
    stop, name = threading.Event(), f"test of {type(error).__name__}"
    script = Script(stop, error, error)
    loop(name, Pulse()).run(script, stop)
    assert script.taken == 3
    assert counted(name) == 2


def test_a_server_that_is_away_is_waited_for_and_is_no_defect() -> None:
    stop = threading.Event()
    script = Script(stop, UnavailableError("away"))
    loop("test of a server", Pulse()).run(script, stop)
    assert script.taken == 2
    assert counted("test of a server") == 0


def test_a_kind_of_trouble_may_have_a_longest_pause_of_its_own() -> None:
    stop = threading.Event()
    script = Script(stop, *(UnavailableError("away", kind=kind) for kind in ("gone", "costly", "gone")))
    with capture_logs() as logged:
        Loop("test of kinds", Pulse(), within=60, longest=0.01, longest_of={"costly": 0.02}).run(script, stop)
    assert [line["seconds"] for line in logged] == [0.01, 0.02, 0.01]


def test_a_wrong_setting_ends_the_loop() -> None:
    stop = threading.Event()
    with pytest.raises(ConfigurationError):
        loop("test of a setting", Pulse()).run(Script(stop, ConfigurationError("wrong")), stop)


def test_a_loop_that_has_ended_is_not_stuck_and_one_whose_step_takes_too_long_is() -> None:
    stop, pulse = threading.Event(), Pulse()
    seen = []

    def step() -> float:
        seen.append(dict(pulse.stuck()))
        stop.set()
        return 0

    Loop("slow", pulse, within=-1).run(step, stop)
    assert seen[0].keys() == {"slow"}
    assert pulse.stuck() == {}


def test_a_loop_that_breaks_off_each_time_it_is_begun_again_makes_no_progress() -> None:
    now = [0.0]
    pulse = Pulse(lambda: now[0])
    for now[0] in (0.0, 30.0, 61.0):
        pulse.expect("consumer", within=120)
        pulse.stopped("consumer")
        pulse.broke_off("consumer")
    assert pulse.stuck() == {"consumer": 61.0}
    pulse.expect("consumer", within=120)
    pulse.worked("consumer")
    assert pulse.stuck() == {}


def test_a_step_that_hangs_is_stuck_once_its_time_is_over_and_waiting_is_not() -> None:
    now = 0.0
    pulse, stop = Pulse(lambda: now), threading.Event()

    def hang() -> float:
        nonlocal now
        now = 61.0
        assert pulse.stuck() == {"hanging": 61.0}
        stop.set()
        return 0

    loop("hanging", pulse).run(hang, stop)
    assert pulse.stuck() == {}
