"""`writeback report` on both databases: a day's account adds up, and says what is still to be done."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert

from tests.builders import code, command, definition, save, school, tardy, void
from tests.integration.damages import LATE, damage, live, of, run_now
from tests.program import SteppedProgram
from tests.unit.cli.workplace import Ended, Workplace
from worker.store.audit.auditing import audit
from worker.store.audit.findings import Scope
from worker.store.database.tables import quiet_days

DAY = "2026-10-06"
ACTION = [{"field": "tardy_id"}, {"field": "action"}, {"field": "comment"}]


@pytest.fixture
def program(database_url: str, tmp_path: Path) -> Iterator[SteppedProgram]:
    program = SteppedProgram(database_url, tmp_path / "home")
    yield program
    program.database.close()


@pytest.fixture
def writeback(program: SteppedProgram, database_url: str, tmp_path: Path) -> Callable[..., Ended]:
    place = Workplace(tmp_path)
    return lambda *arguments: place.run(*arguments, DATABASE_URL=database_url)


def report(writeback: Callable[..., Ended], *more: str, day: str = DAY) -> dict[str, dict[str, Any]]:
    """{export: its account}."""
    return {one["export_id"]: one for one in writeback("report", "--date", day, "--json", *more).json}


def states(account: Mapping[str, Any]) -> dict[str, int]:
    return {state: count for state, count in account["states"].items() if count}


def lines(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_a_day_with_a_bit_of_everything_adds_up_in_every_export_as_the_audit_counts_it(
    program: SteppedProgram, writeback: Callable[..., Ended]
) -> None:
    live(program)
    found = report(writeback)
    assert set(found) == {"broken", "daily", "deleted", "sending", "west"}
    assert all(one["adds_up"] for one in found.values())
    audited = audit(program.database, Scope(), program.now, lambda _what, _done: None)
    for day in audited.days:
        if day.day == date(2026, 10, 6):
            told = found[day.export_id]
            assert (told["matching"], told["former"], told["others"]) == (
                day.matching,
                day.former,
                day.others,
            )
            assert told["states"] == day.states
    assert found["sending"]["delivered"] == {"add": 4, "change": 1, "void": 1}
    runs = [(one["file"], one["rows"], one["resend_of"] is not None) for one in found["sending"]["runs"]]
    assert runs == [
        ("sending_0001.csv", 4, False),
        ("sending_0002.csv", 2, False),
        ("sending_0001.csv", 4, True),
    ]


def test_a_tardy_is_of_its_schools_local_day(
    program: SteppedProgram, writeback: Callable[..., Ended]
) -> None:
    program.command(save(definition(schools="all")))
    program.receive(school(), school("east", zone="America/New_York"))
    program.receive(tardy("a", occurred_at=LATE), tardy("b", occurred_at=LATE, school_id="east"))
    program.receive(tardy("c", occurred_at=LATE, school_id="unknown"))
    assert report(writeback)["daily"]["matching"] == 2
    assert report(writeback, day="2026-10-07")["daily"]["matching"] == 1
    assert report(writeback, day="2026-10-05")["daily"]["matching"] == 0


def test_what_waits_says_what_to_do_about_it(
    program: SteppedProgram, writeback: Callable[..., Ended]
) -> None:
    fields = [*ACTION, {"field": "behavior.external_reference_code", "required": True}]
    program.command(save(definition(fields=fields)))
    program.receive(school(), code(), tardy("a"), tardy("b"), tardy("c", behavior_code="NEW"))
    run_now(program, "daily")
    program.receive(tardy("a", 2, comment="changed"), tardy("d"))
    program.tick()
    told = report(writeback)["daily"]
    assert states(told) == {"delivered": 2, "held": 2, "buffered": 1}
    assert told["to_come"]["when"].startswith(
        "1 entry buffered: no run is planned; `writeback exports run-now"
    )
    by_code = {one["reason_code"]: one["do"] for one in told["held"]}
    assert "`writeback held release`" in by_code.pop("correction")
    [by_itself] = by_code.values()
    assert by_itself.endswith("it goes by itself")
    text = writeback("report", "--date", DAY).out
    assert "sum                 5 = 5: it adds up" in text
    assert (
        "- 1 held: behavior code NEW is not known for school 0012; put it right in the behavior system"
        in text
    )
    assert "Ada" not in text and "Byron" not in text and "L-a" not in text


def test_a_failed_run_a_guarded_one_and_a_pause_are_for_a_person(
    program: SteppedProgram, writeback: Callable[..., Ended]
) -> None:
    program.command(save(definition("broken", destination={"type": "directory", "path": "/nowhere/x"})))
    program.command(save(definition("guarded", guard={"max_rows": 1})))
    program.command(save(definition("paused")))
    program.receive(school(), code(), tardy("a"), tardy("b"))
    run_now(program, "broken", "guarded")
    program.command(command("export.pause", {"export_id": "paused", "reason": "holidays"}))
    found = report(writeback)
    [failed] = found["broken"]["for_a_person"]
    assert "no such folder" in failed and failed.endswith("`writeback exports retry broken`")
    [guarded] = found["guarded"]["for_a_person"]
    assert "`writeback runs approve" in guarded
    [paused] = found["paused"]["for_a_person"]
    assert "(holidays)" in paused and "`writeback exports resume paused`" in paused
    assert found["guarded"]["to_come"]["in_run"] == 2
    assert found["paused"]["to_come"]["when"].endswith("not before the export is resumed")


def test_when_the_rest_goes_is_told_in_the_exports_zone(
    program: SteppedProgram, writeback: Callable[..., Ended]
) -> None:
    daily = {"frequency": "daily", "at": ["15:10"], "time_zone": "America/Chicago"}
    program.command(save(definition(schedule=daily)))
    soon = {"frequency": "continuous", "time_zone": "America/Chicago", "linger_seconds": 600}
    program.command(save(definition("soon", schedule=soon)))
    program.receive(school(), code(), tardy())
    found = report(writeback)
    assert found["daily"]["to_come"]["when"] == "1 entry buffered: with the next run, 2026-10-06 15:10 CDT"
    assert found["soon"]["to_come"]["when"] == "1 entry buffered: within about 600 s"


def test_a_noted_quiet_day_is_a_question_to_the_school(
    program: SteppedProgram, writeback: Callable[..., Ended]
) -> None:
    program.command(save(definition()))
    with program.database.write() as connection:
        day = {"export_id": "daily", "day": date(2026, 10, 6), "noticed_at": program.now}
        connection.execute(insert(quiet_days).values(**day))
    assert report(writeback)["daily"]["quiet"] is True
    assert report(writeback, day="2026-10-05")["daily"]["quiet"] is False
    assert "ask the school" in writeback("report", "--date", DAY).out


def test_what_does_not_add_up_is_said_loudly_and_still_ends_with_0(
    program: SteppedProgram, writeback: Callable[..., Ended]
) -> None:
    program.command(save(definition()))
    program.receive(tardy("a"), tardy("b"))
    damage(program, f"DELETE FROM entry_rows WHERE {of('a')}")
    ended = writeback("report", "--date", DAY)
    assert ended.status == 0
    assert "2 = 1: IT DOES NOT ADD UP" in ended.out
    assert f"`writeback audit --export daily --from {DAY} --to {DAY}`" in ended.out


def test_the_spreadsheet_has_a_line_for_every_entry(
    program: SteppedProgram, writeback: Callable[..., Ended], tmp_path: Path
) -> None:
    program.command(save(definition("sending", corrections="send", fields=ACTION)))
    program.receive(school(), code(), tardy("a"), tardy("b", occurred_at="2026-10-06T07:07:30-06:00"))
    run_now(program, "sending")
    program.receive(void("a"))
    file = tmp_path / "day.csv"
    out = writeback("report", "--date", DAY, "--csv", str(file)).out
    assert f"3 entries in {file}" in out
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.read_bytes().startswith(b"\xef\xbb\xbfexport,tardy_id,version,student_local_id,")
    found = lines(file.read_text("utf-8-sig"))
    [run] = program.runs("sending")
    assert found[0] == {
        "export": "sending",
        "tardy_id": "b",
        "version": "1",
        "student_local_id": "L-b",
        "school": "0012",
        "time": "2026-10-06 08:07:30",
        "code": "TARDY",
        "action": "add",
        "state": "delivered",
        "reason": "",
        "run": run["run_id"],
        "file": "sending_0001.csv",
        "line": "2",
        "delivered_at": "2026-10-06 12:00:00",
        "outcome": "",
        "sis_id": "",
    }
    rest = [(one["tardy_id"], one["version"], one["student_local_id"]) for one in found[1:]]
    assert rest == [("a", "1", "L-a"), ("a", "2", "L-a")]  # the void names no student
    assert sorted(one.name for one in tmp_path.iterdir() if one.name.startswith(".")) == []


def test_the_spreadsheet_may_go_to_standard_output_and_nothing_else_does(
    program: SteppedProgram, writeback: Callable[..., Ended]
) -> None:
    program.command(save(definition()))
    program.receive(tardy("a"), tardy("b"))
    found = lines(writeback("report", "--date", DAY, "--csv", "-").out)
    assert [one["tardy_id"] for one in found] == ["a", "b"]
    assert writeback("report", "--csv", "-", "--json").status == 2


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        *((value, f"'{value}") for value in ("=1+1", "+1", "-1", "@SUM(A1)", " =1")),
        ("\t=1", "\\t=1"),  # what cannot be seen is written out, and then begins no formula
    ],
)
def test_no_cell_is_taken_for_a_formula(
    program: SteppedProgram, writeback: Callable[..., Ended], value: str, cell: str
) -> None:
    program.command(save(definition()))
    program.receive(tardy(student={"id": "s", "local_id": value}))
    [line] = lines(writeback("report", "--date", DAY, "--csv", "-").out)
    assert line["student_local_id"] == cell


def test_a_purged_day_still_adds_up(program: SteppedProgram, writeback: Callable[..., Ended]) -> None:
    program.command(save(definition()))
    program.receive(tardy("a"))
    run_now(program, "daily")
    damage(program, "UPDATE tardy_versions SET document = NULL", "UPDATE entry_rows SET row_values = NULL")
    told = report(writeback)["daily"]
    assert (told["adds_up"], told["delivered"]["add"]) == (True, 1)
    [line] = lines(writeback("report", "--date", DAY, "--csv", "-").out)
    assert (line["student_local_id"], line["code"], line["time"]) == ("", "TARDY", "2026-10-06 08:07:00")


def test_a_void_that_came_without_a_time_is_of_the_day_of_its_tardy(
    program: SteppedProgram, writeback: Callable[..., Ended]
) -> None:
    program.command(save(definition("sending", corrections="send", fields=ACTION)))
    program.receive(school(), code(), tardy("a"))
    run_now(program, "sending")
    program.receive(void("a"))
    run_now(program, "sending")
    told = report(writeback)["sending"]
    assert (told["matching"], told["former"], told["others"], told["adds_up"]) == (0, 1, 1, True)
    assert told["delivered"] == {"add": 1, "change": 0, "void": 1}


def test_without_a_date_it_is_today_and_a_deleted_export_is_left_out(
    program: SteppedProgram, writeback: Callable[..., Ended]
) -> None:
    program.command(save(definition()))
    program.command(save(definition("gone")))
    program.command(command("export.delete", {"export_id": "gone"}))
    [told] = writeback("report", "--json").json
    assert told["export_id"] == "daily" and told["date"] > DAY
    [asked] = writeback("report", "--export", "gone", "--json").json
    assert asked["state"] == "retired"
    assert writeback("report", "--export", "none").status == 1


def test_a_spreadsheet_that_cannot_be_written_is_one_line(
    program: SteppedProgram, writeback: Callable[..., Ended], tmp_path: Path
) -> None:
    program.command(save(definition()))
    ended = writeback("report", "--csv", str(tmp_path / "none" / "day.csv"))
    [line] = ended.errors
    assert ended.status == 1 and "it cannot be written (No such file or directory)" in line
    assert json.loads(writeback("report", "--json").out)
