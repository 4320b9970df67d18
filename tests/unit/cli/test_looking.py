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
        "exports",
    }
    assert [one["type"] for one in traced["versions"]] == ["tardy.recorded"]
    exports = {one["export_id"]: one for one in traced["exports"]}
    [entry] = exports["daily"]["entries"]
    assert (entry["state"], entry["line"], entry["file"]) == ("delivered", 2, "daily_0001.csv")
    assert entry["delivered_at"] == entry["settled_at"] is not None
    assert exports["daily"]["summary"].endswith("in daily_0001.csv, row 2")
    assert (exports["other"]["excluded_by"], exports["coded"]["excluded_by"]) == ("schools", "codes")
    text = place.ok("trace", "t-1").out
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
        "tardy_id",
        "district_id",
        "version",
        "export_id",
        "school_id",
        "behavior_code",
        "since",
        "reason_code",
        "reason",
    }
    assert len(place.ok("held", "list", "--export", "other", "--json").json) == 5
    groups = [line.split()[:2] for line in place.ok("held", "list").out.splitlines()[1:]]
    assert groups == [["daily", "3"], ["daily", "2"], ["other", "3"], ["other", "2"]]
    one_by_one = place.ok("held", "list", "--entries", "--export", "daily").out.splitlines()
    assert [line.split()[0] for line in one_by_one] == ["TARDY", "t-0", "t-1", "t-2", "t-3", "t-4"]


def test_nothing_held_is_said_so(place: Workplace) -> None:
    assert place.ok("held", "list").out == "nothing is held\n"
