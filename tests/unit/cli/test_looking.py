"""Where a tardy is and what is held: told without a word about the student."""

from __future__ import annotations

from typing import Any

import pytest

from tests.builders import code, definition, tardy, void
from tests.unit.cli.workplace import Workplace

REQUIRED = [{"field": "tardy_id"}, {"field": "behavior.external_reference_code", "required": True}]


def where(place: Workplace, tardy_id: str = "t-1") -> dict[str, Any]:
    """{export: its trace}."""
    traced = place.ok("trace", tardy_id, "--json").json
    return {one["export_id"]: one for one in traced["exports"]}


def test_a_delivered_tardy_is_traced_from_its_message_to_its_line_in_the_file(place: Workplace) -> None:
    place.apply(definition(), definition("other", schools=["77"]), definition("coded", codes=["LATE"]))
    place.receive(tardy("t-0", occurred_at="2026-10-06T08:00:00-05:00"), tardy())
    place.ok("exports", "run-now", "daily")
    place.work()
    traced = place.ok("trace", "t-1", "--json").json
    assert traced.keys() == {
        "tardy_id",
        "district_id",
        "school_id",
        "behavior_code",
        "occurred_at",
        "version",
        "voided",
        "versions",
        "overtaken",
        "exports",
    }
    assert [one["type"] for one in traced["versions"]] == ["tardy.recorded"]
    exports = {one["export_id"]: one for one in traced["exports"]}
    [entry] = exports["daily"]["entries"]
    assert (entry["state"], entry["line"], entry["file"]) == ("delivered", 2, "daily_0001.csv")
    assert entry["delivered_at"] == entry["settled_at"] is not None
    assert exports["daily"]["summary"].endswith("in daily_0001.csv, row 2")
    assert (exports["other"]["excluded_by"], exports["coded"]["excluded_by"]) == ("schools", "codes")
    assert entry["sha256"] in place.ok("trace", "t-1").out
    text = " ".join(place.ok("trace", "t-1").out.split())
    assert "its school is not one of the definition's schools" in text
    assert "Ada" not in text + str(traced)
    assert "Byron" not in text + str(traced)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "no run is planned; `writeback exports run-now daily` sends it"),
        (
            {"schedule": {"frequency": "daily", "at": ["10:30"], "time_zone": "America/Chicago"}},
            "it goes with the next run, 20",
        ),
        (
            {"schedule": {"frequency": "continuous", "time_zone": "America/Chicago", "linger_seconds": 3600}},
            "it goes within about 3600 s",
        ),
        ({"fields": REQUIRED}, "held: behavior code TARDY has no External Reference Code"),
        ({"backfill_from": "2026-10-07"}, "it happened before the definition's first day, 2026-10-07"),
    ],
)
def test_what_waits_says_for_what(place: Workplace, changes: dict[str, Any], said: str) -> None:
    place.apply(definition(**changes))
    place.receive(code(None, version=2), tardy())
    assert said in where(place)["daily"]["summary"]


def test_a_paused_export_a_run_asked_for_and_a_failed_run_are_told_as_what_is_waited_for(
    place: Workplace,
) -> None:
    place.apply(definition(destination={"type": "directory", "path": str(place.folder / "mount")}))
    place.receive(tardy())
    place.ok("exports", "pause", "daily", "--reason", "holidays")
    assert ": holidays" in where(place)["daily"]["summary"]
    place.ok("exports", "resume", "daily")
    place.ok("exports", "run-now", "daily")
    assert "a run is asked for" in where(place)["daily"]["summary"]
    place.work()
    assert "which is failed: folder" in where(place)["daily"]["summary"]
    place.receive(tardy("t-2"))
    assert "it waits behind run" in where(place, "t-2")["daily"]["summary"]


def test_corrections_and_voids_are_told_version_by_version(place: Workplace) -> None:
    place.apply(definition())
    place.receive(tardy())
    place.ok("exports", "run-now", "daily")
    place.work()
    place.receive(tardy(version=2, comment="changed"))
    first, second = where(place)["daily"]["entries"]
    assert (first["state"], second["state"], second["reason_code"]) == ("delivered", "held", "correction")
    assert "goes by itself" not in where(place)["daily"]["summary"]
    place.receive(void("t-9", version=1))
    assert where(place, "t-9")["daily"]["excluded_by"] == "voided"


def test_a_collapsed_tardy_names_the_one_it_stands_behind_until_that_one_is_gone(place: Workplace) -> None:
    place.apply(definition(collapse="per_day"))
    same: dict[str, Any] = {"student": {"id": "s-1"}}
    place.receive(tardy("t-0", **same), tardy(occurred_at="2026-10-06T10:07:00-05:00", **same))
    daily = where(place)["daily"]
    assert (daily["entries"][0]["state"], daily["collapsed_behind"]) == ("collapsed", "t-0")
    assert daily["summary"].startswith("collapsed: only the earliest goes out, and that is tardy t-0; ")
    place.receive(void("t-0"))
    daily = where(place)["daily"]
    assert (daily["entries"][0]["state"], daily["collapsed_behind"]) == ("buffered", None)


def test_every_tardy_of_a_student_is_traced_in_turn_and_the_student_is_not_named(place: Workplace) -> None:
    """Also one that a correction has moved to another student, and none of a student with a like number."""
    place.apply(definition())
    ada: dict[str, Any] = {"student": {"id": "s-1", "local_id": 'L"1%', "first_name": "Ada"}}
    later = "2026-10-06T10:07:00-05:00"
    place.receive(tardy("t-9", **ada), tardy("t-3", occurred_at=later, **ada), tardy("t-4"))
    place.receive(tardy("t-5", attributes={"local_id": 'L"1%'}), tardy("t-3", version=2, occurred_at=later))
    traced = place.ok("trace", "--student", 'L"1%', "--json").json
    assert [one["tardy_id"] for one in traced] == ["t-9", "t-3"]
    assert traced[0] == place.ok("trace", "t-9", "--json").json
    text = place.ok("trace", "--student", 'L"1%').out
    assert "--- 2 of 2 tardies ---" in text
    assert "Ada" not in text + str(traced)
    assert place.run("trace", "--student", 'L"1').status == 1


def test_a_trace_reads_in_80_columns_and_breaks_no_command(place: Workplace) -> None:
    place.apply(definition("a-rather-long-name-for-an-export", fields=REQUIRED, closes_at="08:00"))
    place.apply(*(definition(f"another-export-{n}", schools=["77"]) for n in range(9)))
    place.receive(tardy("t-1"))
    text = place.ok("trace", "t-1").out
    assert max(map(len, text.splitlines())) <= 80
    assert "`writeback held release a-rather-long-name-for-an-export/t-1`" in text
    assert text.count("its school is not") == 1


def test_a_deleted_export_says_so_and_what_was_sent_once_more_names_that_run(place: Workplace) -> None:
    place.apply(definition())
    place.receive(tardy())
    place.ok("exports", "run-now", "daily")
    place.work()
    [run] = place.ok("runs", "list", "--json").json
    (place.outbox / "daily_0001.csv").unlink()
    again = place.ok("runs", "resend", run["run_id"], "--reason", "lost", "--json").json["run_id"]
    place.work()
    place.ok("exports", "delete", "daily")
    daily = where(place)["daily"]
    assert (daily["state"], daily["excluded_by"]) == ("retired", "retired")
    assert daily["entries"][0]["resent_by"] == [again]
    assert f"the file was sent once more by run {again}" in place.ok("trace", "t-1").out


def test_one_id_in_two_districts_needs_its_district(place: Workplace) -> None:
    place.apply(definition())
    place.receive(tardy(), tardy(district_id="north"))
    ended = place.run("trace", "t-1")
    assert ended.errors == [
        "writeback: tardy 't-1' is in districts default, north; say which with --district"
    ]
    traced = place.ok("trace", "t-1", "--district", "north", "--json").json
    assert traced["exports"] == []
    assert "no export at all" in place.ok("trace", "t-1", "--district", "north").out


def test_held_entries_are_told_by_reason_or_one_by_one(place: Workplace) -> None:
    place.apply(definition(fields=REQUIRED), definition("other", fields=REQUIRED))
    place.receive(*(tardy(f"t-{n}", behavior_code=f"C{n % 2}") for n in range(5)))
    flat = place.ok("held", "list", "--json").json
    assert len(flat) == 10
    assert flat[0].keys() == {
        "id",
        "tardy_id",
        "district_id",
        "version",
        "export_id",
        "school_id",
        "behavior_code",
        "state",
        "action",
        "since",
        "reason_code",
        "reason",
        "releasable",
    }
    assert len(place.ok("held", "list", "--export", "other", "--json").json) == 5
    groups = [line.split()[:2] for line in place.ok("held", "list").out.splitlines()[1:]]
    assert groups == [["daily", "3"], ["daily", "2"], ["other", "3"], ["other", "2"]]
    one_by_one = place.ok("held", "list", "--entries", "--export", "daily").out.splitlines()
    assert [line.split()[0] for line in one_by_one] == ["ID", *(f"daily/t-{n}" for n in range(5))]


def test_nothing_held_is_said_so(place: Workplace) -> None:
    assert place.ok("held", "list").out == "nothing is held\n"


def test_a_version_far_ahead_is_told_with_those_that_came_later_and_had_no_effect(place: Workplace) -> None:
    place.apply(definition())
    place.receive(tardy("t-1", 9_000_000))
    assert place.ok("trace", "t-1", "--json").json["overtaken"] == []
    place.receive(tardy("t-1", 2))
    assert place.ok("trace", "t-1", "--json").json["overtaken"] == [2]
    assert "only a version above 9000000 will change this tardy" in " ".join(
        place.ok("trace", "t-1").out.split()
    )
