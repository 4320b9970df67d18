"""A fault stays where it is: the export, entry or row that meets one stands aside, and every other is delivered."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.builders import code, command, definition, save, school, tardy
from tests.integration.setting_aside import Bench, broken, fails
from worker.failpoints import Arrow, Place, Step
from worker.store.asides import LONGEST
from worker.store.runs import claims

CHICAGO = "America/Chicago"
SCHEDULES: dict[str, dict[str, Any]] = {
    "timed": {"frequency": "daily", "at": ["12:30"], "time_zone": CHICAGO},
    "live": {"frequency": "continuous", "linger_seconds": 1, "time_zone": CHICAGO},
}
GOOD = ("good-timed", "good-live")
IN_A_TICK = (
    Arrow.SLOT_BEFORE_COMMIT,
    Arrow.SLOT_COMMITTED,
    Arrow.JUDGE_BEFORE_COMMIT,
    Arrow.JUDGE_COMMITTED,
    Arrow.CONTINUOUS_COMMITTED,
    Arrow.SEAL_BEFORE_COMMIT,
    Arrow.SEAL_COMMITTED,
    Arrow.CLAIM_COMMITTED,
)
IN_AN_ATTEMPT = (
    Arrow.UPLOAD_BEFORE,
    Arrow.UPLOAD_HALF,
    Arrow.UPLOAD_DONE,
    Arrow.DEPART_BEFORE_COMMIT,
    Arrow.DEPART_COMMITTED,
    Arrow.RENAME_DONE,
    Arrow.SETTLE_BEFORE_COMMIT,
    Arrow.SETTLE_COMMITTED,
)
# A run that failed waits for more than time.
CURES = [
    *((place, cure) for cure in ("version", "saved", "retry") for place in (*IN_A_TICK, *IN_AN_ATTEMPT)),
    *((place, "time") for place in IN_A_TICK),
]


@pytest.fixture
def program(sqlite_url: str, tmp_path: Path) -> Bench:
    program = Bench(sqlite_url, tmp_path)
    program.receive(school(), code())
    for name in ("bad", "good"):
        for kind, schedule in SCHEDULES.items():
            folder = {"type": "directory", "path": f"{name}-{kind}"}
            program.command(save(definition(f"{name}-{kind}", schedule=schedule, destination=folder)))
    program.receive(tardy("a"))
    return program


def due(program: Bench) -> None:
    """The schedule's time comes, and what lingers has lingered."""
    program.pass_time(minutes=31)


def sent(program: Bench, export_id: str) -> list[str]:
    """The rows that have left, over all files."""
    return sorted(line for lines in program.files(export_id).values() for line in lines)


def bad_of(place: Place) -> str:
    """Of the exports that are to break, the one that comes to this place."""
    return "bad-live" if place is Arrow.CONTINUOUS_COMMITTED else "bad-timed"


@pytest.mark.parametrize("place", (*IN_A_TICK, *IN_AN_ATTEMPT))
def test_a_fault_at_any_step_of_one_export_holds_no_other_up_before_and_after_a_restart(
    program: Bench, place: Place
) -> None:
    due(program)
    with broken(fails(place, bad_of(place))):
        program.flush_all()
        assert [sent(program, name) for name in GOOD] == [["a,1,"]] * 2
        program = program.restarted()
        program.receive(tardy("b"))
        program.pass_time(days=1)
        program.flush_all()
        assert [sent(program, name) for name in GOOD] == [["a,1,", "b,1,"]] * 2


@pytest.mark.parametrize(("place", "cure"), CURES)
def test_what_stood_aside_delivers_too_once_the_fault_is_gone(
    program: Bench, place: Place, cure: str
) -> None:
    due(program)
    bad = bad_of(place)
    with broken(fails(place, bad)):
        program.flush_all()
        program.pass_time(seconds=40)
        program.flush_all()
        program.pass_time(seconds=10)
    program = cured(program, bad, cure)
    program.flush_all()
    assert sent(program, bad) == ["a,1,"]
    program.pass_time(minutes=20)  # nobody of another version tries again: its row says nothing any more
    assert program.aside() == []


def cured(program: Bench, export_id: str, cure: str) -> Bench:
    """What may make an end of it happens."""
    if cure == "version":
        return program.restarted("next")
    if cure == "saved":
        kind = export_id.partition("-")[2]
        folder = {"type": "directory", "path": export_id}
        changed = definition(export_id, schedule=SCHEDULES[kind], destination=folder, name="Saved anew")
        program.command(save(changed))
    elif cure == "retry":
        program.command(command("export.retry", {"export_id": export_id}))
    else:
        program.pass_time(minutes=2)
    return program


def test_what_goes_on_failing_is_tried_ever_more_seldom(program: Bench) -> None:
    due(program)
    with broken(fails(Arrow.JUDGE_BEFORE_COMMIT, "bad-timed")):
        pauses = []
        for _ in range(12):
            program.flush_all()
            [aside] = program.aside()
            pauses.append(aside.again_at - program.now)
            program.pass_time(seconds=pauses[-1].total_seconds())
    assert (pauses[0].total_seconds(), pauses[1].total_seconds()) == (60, 120)
    assert pauses[-1] == LONGEST
    assert aside.times == 12
    assert "Ada" not in str(aside)


@pytest.mark.parametrize("place", [Step.ENTRY_READ, Step.ENTRY_JUDGED])
def test_a_defect_over_one_entry_holds_it_alone_and_it_goes_once_the_defect_is_gone(
    program: Bench, place: Place
) -> None:
    program.receive(tardy("b"))
    due(program)
    with broken(fails(place, "b")):
        program.flush_all()
        assert sent(program, "good-timed") == ["a,1,"]
        [held] = [entry for entry in program.entries("good-timed") if entry["state"] == "held"]
    assert (held["tardy_id"], held["reason_code"]) == ("b", "defect")
    assert "Ada" not in held["reason"] and "reference" in held["reason"]
    assert program.aside() == []
    program.pass_time(days=1)
    program.flush_all()
    assert sent(program, "good-timed") == ["a,1,", "b,1,"]


def test_a_row_that_cannot_be_rendered_is_held_and_the_others_of_its_run_go(program: Bench) -> None:
    program.receive(tardy("b"), tardy("c"), tardy("d"))
    due(program)

    def hook(place: Place, thing: str | None) -> None:
        if place is Step.ROW_RENDERED and thing is not None and ('"b"' in thing or '"d"' in thing):
            raise ValueError("Ada Byron")

    with broken(hook):
        program.flush_all()
        assert sent(program, "good-timed") == ["a,1,", "c,1,"]
        [run] = program.runs("good-timed")
        assert (run["state"], run["rows"], run["held_rows"]) == ("delivered", 2, 2)
        assert program.states("good-timed") == {"delivered": 2, "held": 2}
    program.pass_time(days=1)
    program.flush_all()
    assert sent(program, "good-timed") == ["a,1,", "b,1,", "c,1,", "d,1,"]


def test_rows_that_cannot_be_rendered_once_something_may_have_left_fail_the_run_and_touch_no_entry(
    program: Bench,
) -> None:
    due(program)
    with broken(fails(Arrow.DEPART_COMMITTED, "good-timed")):
        program.flush_all()
    program.command(command("export.retry", {"export_id": "good-timed"}))
    with broken(fails(Step.ROW_RENDERED)):
        program.flush_all()
    [run] = program.runs("good-timed")
    assert run["state"] == "failed"
    assert program.states("good-timed") == {"sealed": 1}
    program = program.restarted("next")
    program.flush_all()
    assert sent(program, "good-timed") == ["a,1,"]


def test_two_versions_do_not_take_turns_at_failing_a_run(program: Bench) -> None:
    due(program)
    versions = [program, program.restarted("next")]
    with broken(fails(Arrow.UPLOAD_BEFORE, "bad-timed")):
        for _ in range(3):
            for each in versions:
                each.flush_all()
        [run] = program.runs("bad-timed")
        assert (run["state"], run["attempts"]) == ("failed", 2)


def test_an_attempt_that_kills_its_process_time_and_again_backs_off(program: Bench) -> None:
    due(program)
    program.tick()

    def is_claimed() -> bool:
        with program.database.write() as connection:
            return claims.claim_next(connection, "tests", export_id="bad-timed") is not None

    waited = []
    for _ in range(6):
        waited.append(0)
        while not is_claimed():
            program.pass_time(seconds=31)
            waited[-1] += 31
    assert waited == [0, 31, 31, 93, 155, 279]
