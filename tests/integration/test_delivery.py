"""Sealed → delivered → settled: the fence, retries, takeovers, on both databases and a real folder."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from tests.builders import command, definition, save, tardy, void
from tests.integration.delivering import ask, crash_at, meets
from tests.integration.setting_aside import broken
from tests.program import SteppedProgram
from worker import failpoints
from worker.errors import DestinationError
from worker.failpoints import Arrow, Place, Step
from worker.store.runs import claims


@pytest.fixture
def program(database_url: str, tmp_path: Path) -> SteppedProgram:
    program = SteppedProgram(database_url, tmp_path)
    program.command(save(definition()))
    return program


@pytest.mark.parametrize(
    "arrow",
    [
        Arrow.UPLOAD_BEFORE,
        Arrow.UPLOAD_HALF,
        Arrow.UPLOAD_DONE,
        Arrow.DEPART_BEFORE_COMMIT,
        Arrow.DEPART_COMMITTED,
        Arrow.RENAME_BEFORE,
        Arrow.RENAME_DONE,
        Arrow.SETTLE_BEFORE_COMMIT,
    ],
)
@pytest.mark.parametrize("collected", [False, True])
def test_a_run_whose_worker_dies_anywhere_is_sent_once(
    program: SteppedProgram, arrow: Arrow, collected: bool
) -> None:
    """The SIS may have collected the file by the time another worker takes over."""
    program.receive(tardy("a"), tardy("b"))
    ask(program)
    crash_at(program, arrow)
    sent = program.files()
    if collected:
        for name in sent:
            (program.home / "outbox" / name).unlink()
    program.work()
    files = [sent, program.files()] if collected else [program.files()]
    assert [rows for found in files for rows in found.values()] == [["a,1,", "b,1,"]]
    assert program.states() == {"delivered": 2}
    assert program.leftovers() == []
    assert [run["state"] for run in program.runs()] == ["delivered"]
    assert program.outcome_types()["run.delivered"] == 1


@pytest.mark.parametrize("second", [Arrow.FENCE_DONE, Arrow.UPLOAD_DONE, Arrow.DEPART_BEFORE_COMMIT])
@pytest.mark.parametrize("first", [Arrow.RENAME_BEFORE, Arrow.RENAME_DONE])
def test_a_takeover_that_dies_as_well_changes_nothing_about_that(
    program: SteppedProgram, first: Arrow, second: Arrow
) -> None:
    program.receive(tardy("a"))
    ask(program)
    crash_at(program, first)
    if first is Arrow.RENAME_BEFORE or second is Arrow.FENCE_DONE:
        crash_at(program, second)
    program.work()
    assert program.files() == {"daily_0001.csv": ["a,1,"]}
    assert program.leftovers() == []
    assert program.states() == {"delivered": 1}


def test_a_sleeper_that_wakes_after_a_takeover_changes_nothing(program: SteppedProgram) -> None:
    """Stopped between upload and rename; another worker sends, the SIS collects at once; then it goes on."""
    program.receive(tardy("a"))
    ask(program)
    program.forget_barriers()
    program.tick()
    sleeper = program.claim()
    assert sleeper is not None

    def sleeps(place: Place, _thing: str | None) -> None:
        if place is Arrow.RENAME_BEFORE:
            failpoints.arm_each(None)
            program.pass_time(seconds=31)
            program.work()
            assert program.files() == {"daily_0001.csv": ["a,1,"]}
            (program.home / "outbox" / "daily_0001.csv").unlink()  # the SIS collects it

    with broken(sleeps):
        program.flush.attempt(sleeper)
    assert program.files() == {}
    assert program.states() == {"delivered": 1}
    assert program.outcome_types() == {"command.accepted": 2, "run.delivered": 1}


def test_a_void_during_an_outage_counts_while_nothing_can_have_left(program: SteppedProgram) -> None:
    program.receive(tardy("a"), tardy("b"))
    (program.home / "outbox").mkdir()
    (program.home / "outbox" / "daily_0001.csv").write_text("not collected")
    ask(program)
    program.work()
    assert program.runs()[0]["state"] == "waiting"
    program.receive(void("a"), tardy("c"))
    (program.home / "outbox" / "daily_0001.csv").unlink()
    program.pass_time(minutes=5)
    program.work()
    assert program.files() == {"daily_0001.csv": ["b,1,", "c,1,"]}
    assert program.states() == {"superseded": 1, "cancelled": 1, "delivered": 2}
    assert [run["attempts"] for run in program.runs()] == [2]


def test_a_void_that_arrives_after_the_file_may_have_left_is_a_correction(program: SteppedProgram) -> None:
    program.receive(tardy("a"))
    ask(program)
    crash_at(program, Arrow.RENAME_DONE)
    program.receive(void("a"))
    program.command(save(definition(name="saved again, so that everything is judged anew")))
    program.tick()
    program.work()
    assert program.states() == {"delivered": 1, "held": 1}
    assert program.entries()[1]["reason_code"] == "correction"


def test_runs_of_one_definition_go_out_one_after_another(program: SteppedProgram) -> None:
    for number in range(3):
        program.receive(tardy(f"t{number}"))
        ask(program)
    program.work()
    assert program.files() == {"daily_0001.csv": ["t0,1,", "t1,1,", "t2,1,"]}
    assert [run["state"] for run in program.runs()] == ["delivered", "empty", "empty"]
    assert [run["sequence"] for run in program.runs()] == [1, None, None]


def test_a_continuous_run_takes_no_more_than_its_limit(program: SteppedProgram) -> None:
    schedule = {
        "frequency": "continuous",
        "time_zone": "America/Chicago",
        "max_rows": 10,
        "linger_seconds": 5,
    }
    program.command(save(definition(schedule=schedule)))
    program.receive(*(tardy(f"t{i:02}") for i in range(25)))
    program.work()
    assert sorted(len(rows) for rows in program.files().values()) == [10, 10]
    program.pass_time(seconds=5)
    program.work()
    assert sorted(len(rows) for rows in program.files().values()) == [5, 10, 10]


def test_when_empty_send_sends_a_file_with_its_header_alone(program: SteppedProgram) -> None:
    file = {"format": "csv", "name": "{sequence}.csv", "when_empty": "send", "line_ending": "lf"}
    program.command(save(definition(file=file)))
    ask(program)
    program.work()
    assert program.files() == {"1.csv": ["tardy_id,version,comment"]}


def test_deleting_an_export_with_a_waiting_run_ends_the_run_and_saving_it_again_goes_on(
    program: SteppedProgram,
) -> None:
    (program.home / "outbox").mkdir()
    (program.home / "outbox" / "daily_0001.csv").write_text("x\n")
    program.receive(tardy("a"))
    ask(program)
    program.work()
    program.command(command("export.delete", {"export_id": "daily"}))
    assert program.states() == {"cancelled": 1}
    assert [run["state"] for run in program.runs()] == ["abandoned"]
    program.command(save(definition()))
    ask(program)
    program.work()
    assert program.files() == {"daily_0001.csv": ["x"], "daily_0002.csv": ["a,1,"]}


def test_deleting_an_export_whose_failed_run_may_have_left_finds_out_whether_it_has(
    program: SteppedProgram,
) -> None:
    """Nobody can ask for another try once it is deleted: its rows would stand as sealed for ever."""
    program.receive(tardy("a"))
    ask(program)
    with broken(meets(Arrow.RENAME_BEFORE, DestinationError("permission denied"))):
        program.work()
    assert [run["state"] for run in program.runs()] == ["failed"] and program.leftovers() != []
    program.command(command("export.delete", {"export_id": "daily"}))
    program.work()
    assert program.files() == {"daily_0001.csv": ["a,1,"]}
    assert (program.states(), program.leftovers()) == ({"delivered": 1}, [])


def test_a_run_whose_sealing_took_minutes_is_not_sealed_once_more_for_that(program: SteppedProgram) -> None:
    sealed = []

    def takes_minutes(place: Place, _thing: str | None) -> None:
        if place is Step.ENTRY_JUDGED:
            program.pass_time(minutes=3)
        if place in (Arrow.SEAL_BEFORE_COMMIT, Arrow.RESEAL_BEFORE_COMMIT):
            sealed.append(place)

    program.receive(tardy("a"))
    ask(program)
    with broken(takes_minutes):
        program.work()
    assert program.states() == {"delivered": 1}
    assert sealed == [Arrow.SEAL_BEFORE_COMMIT]


def test_the_leases_of_other_runs_are_kept_while_one_is_being_sealed_anew(
    postgres_url: str, tmp_path: Path
) -> None:
    """Which holds the run's row for as long as it takes."""
    program = SteppedProgram(postgres_url, tmp_path)
    held = []
    for export_id in ("a", "b"):
        program.command(save(definition(export_id)))
        program.receive(tardy(f"t-{export_id}"))
        ask(program, export_id)
        program.forget_barriers()
        program.tick()
        claim = program.claim()
        assert claim is not None
        held.append(claim)
    with program.database.write() as sealing:
        claims.hold(sealing, held[0])
        program.pass_time(seconds=20)
        with program.database.write() as keeping:
            for claim in held:
                claims.renew(keeping, claim)
    leases = {run["run_id"]: run["lease_until"] for each in ("a", "b") for run in program.runs(each)}
    assert leases[held[1].run_id] - leases[held[0].run_id] == timedelta(seconds=20)
    program.database.close()


def test_what_a_worker_that_died_after_its_receipt_left_behind_is_removed_without_another_run(
    program: SteppedProgram,
) -> None:
    """Two attempts have left something, and nothing more is ever to be sent."""
    program.receive(tardy("a"))
    ask(program)
    crash_at(program, Arrow.RENAME_BEFORE)
    crash_at(program, Arrow.SETTLE_COMMITTED)
    assert program.states() == {"delivered": 1} and program.leftovers() != []
    program.sweep_closed()
    assert program.leftovers() == []
    with program.database.read() as connection:
        assert claims.unswept(connection) == []
