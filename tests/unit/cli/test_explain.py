"""Would this tardy go? Answered by the definition as it is now, clause by clause, and nothing is changed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.builders import bell_schedule, code, definition, school, tardy, void
from tests.unit.cli.workplace import Workplace
from worker.clock import system_clock

FIELDS = [
    {"field": "student.local_id", "header": "Student", "required": True},
    {"field": "period.external_reference_code", "header": "Period"},
    {"constant": "HERO", "header": "Source"},
]
CHICAGO = ZoneInfo("America/Chicago")


def explained(place: Workplace, event: Mapping[str, Any], export_id: str = "daily") -> dict[str, Any]:
    """The answer in JSON, once it is certain that no table has changed."""
    before = place.rows()
    found: dict[str, Any] = place.ok(
        "exports", "explain", export_id, "-", "--json", stdin=json.dumps(event)
    ).json
    assert place.rows() == before
    return found


def failing(found: Mapping[str, Any]) -> list[str]:
    """The names of the clauses that are not passed."""
    return [one["clause"] for one in found["clauses"] if one["passes"] is False]


def send(place: Workplace) -> None:
    place.ok("exports", "run-now", "daily")
    with place.program() as program:
        program.pass_time(minutes=1)
        program.work()


def test_a_tardy_that_would_go_is_shown_as_its_row(place: Workplace) -> None:
    place.apply(definition(fields=FIELDS))
    place.receive(bell_schedule())
    found = explained(place, tardy("t-9"))
    assert found.keys() == {
        "export_id",
        "revision",
        "district_id",
        "tardy_id",
        "version",
        "goes",
        "state",
        "action",
        "reason_code",
        "reason",
        "leaves",
        "in_sis",
        "next_run_at",
        "clauses",
        "columns",
    }
    assert (found["goes"], found["state"], found["action"]) == (True, "goes", "add")
    assert [(one["header"], one["value"]) for one in found["columns"]] == [
        ("Student", "L-t-9"),
        ("Period", "P1"),
        ("Source", "HERO"),
    ]
    assert failing(found) == []
    assert [one["clause"] for one in found["clauses"]] == [
        "district",
        "schools",
        "codes",
        "backfill_from",
        "version",
        "voided",
        "never_send",
        "collapse",
        "clock",
        "closes_at",
        "max_age_days",
        "columns",
        "corrections",
    ]
    file = place.file("event.json", json.dumps(tardy("t-9"), indent=4))
    text = place.ok("exports", "explain", "daily", file).out
    assert "it would go, as an add\nno run is planned; `writeback exports run-now daily` sends it\n" in text
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize(
    ("changes", "event", "clauses"),
    [
        ({"schools": ["77"]}, tardy("t-9"), ["schools"]),
        ({"codes": ["LATE"], "schools": ["77"]}, tardy("t-9"), ["schools", "codes"]),
        ({"backfill_from": "2026-10-07"}, tardy("t-9"), ["backfill_from"]),
        ({}, tardy("t-9", district_id="north"), ["district"]),
        ({}, void("t-9", version=1), ["voided"]),
    ],
)
def test_what_the_export_does_not_match_names_every_clause_that_keeps_it_out(
    place: Workplace, changes: dict[str, Any], event: Mapping[str, Any], clauses: list[str]
) -> None:
    place.apply(definition(**changes))
    place.receive(tardy("t-0"))
    found = explained(place, event)
    assert (found["state"], found["columns"], failing(found)) == ("unmatched", [], clauses)
    assert found["reason"].startswith(f"{clauses[0]}: ")
    text = place.ok("exports", "explain", "daily", "-", stdin=json.dumps(event)).out
    assert "the export has nothing to do with it" in " ".join(text.split())


def test_a_row_that_cannot_be_written_names_every_column_and_why(place: Workplace) -> None:
    place.apply(definition(fields=FIELDS))
    place.receive(bell_schedule())
    event = tardy("t-9", occurred_at="2026-10-06T12:07:00-05:00", student={"id": "s-9"})
    found = explained(place, event)
    assert (found["state"], found["reason_code"]) == ("held", "required-empty")
    assert failing(found) == ["column Student", "column Period"]
    problems = {one["header"]: one["problem"] for one in found["columns"]}
    assert problems["Student"] == "student.local_id is required and empty"
    assert "has no period at that time" in problems["Period"]
    assert problems["Source"] is None


def test_what_comes_too_late_is_told_clause_by_clause_even_where_more_is_in_the_way(place: Workplace) -> None:
    place.apply(definition(max_age_days=2, closes_at="09:00", fields=FIELDS))
    place.receive(bell_schedule())
    day = (system_clock().astimezone(CHICAGO) - timedelta(days=10)).date()
    event = tardy("t-9", occurred_at=datetime.combine(day, time(), tzinfo=CHICAGO).isoformat())
    found = explained(place, event)
    assert (found["state"], found["reason_code"]) == ("held", "too-old")
    assert failing(found) == ["closes_at", "max_age_days", "column Period"]
    place.apply(definition(max_age_days=10, fields=FIELDS[::2]))
    assert explained(place, event)["goes"]


def test_of_a_students_tardies_the_one_that_goes_before_is_named(place: Workplace) -> None:
    place.apply(definition(collapse="per_day"))
    place.receive(tardy("t-1", student={"id": "s-1"}))
    later = tardy("t-9", occurred_at="2026-10-06T10:07:00-05:00", student={"id": "s-1"})
    found = explained(place, later)
    assert (found["state"], failing(found)) == ("collapsed", ["collapse"])
    assert "tardy t-1" in found["reason"]
    earlier = tardy("t-9", occurred_at="2026-10-06T07:07:00-05:00", student={"id": "s-1"})
    assert explained(place, earlier)["goes"]


def test_of_a_session_s_tardies_one_goes_and_the_afternoon_s_is_another(place: Workplace) -> None:
    place.apply(definition(collapse="per_session", fields=[{"field": "tardy_id"}]))
    place.receive(tardy("t-1", student={"id": "s-1"}))
    noon = tardy("t-9", occurred_at="2026-10-06T11:59:00-05:00", student={"id": "s-1"})
    found = explained(place, noon)
    assert (found["state"], failing(found)) == ("collapsed", ["collapse"])
    assert "of the same student and session" in found["clauses"][7]["detail"]
    assert explained(place, tardy("t-9", occurred_at="2026-10-06T12:00:00-05:00", student={"id": "s-1"}))[
        "goes"
    ]


def test_where_a_tardy_has_no_place_among_the_others_it_is_held_and_says_so(place: Workplace) -> None:
    place.apply(definition(collapse="per_period"))
    place.receive(bell_schedule())
    found = explained(place, tardy("t-9", occurred_at="2026-10-06T12:07:00-05:00"))
    assert (found["state"], found["reason_code"], failing(found)) == ("held", "period-missing", ["collapse"])
    assert "has no period at that time" in found["clauses"][7]["detail"]


def test_a_correction_is_judged_by_what_was_delivered(place: Workplace) -> None:
    place.apply(definition())
    place.receive(tardy())
    send(place)
    found = explained(place, tardy(version=2, comment="changed"))
    assert (found["state"], found["action"], failing(found)) == ("held", "change", ["corrections"])
    same_row = [{"field": "tardy_id"}]
    found = explained(place, void(version=2))
    assert (found["state"], found["action"]) == ("held", "void")
    assert failing(found) == ["corrections", "action"]
    place.apply(definition(corrections="send", fields=[*same_row, {"field": "action"}]))
    with place.program() as program:
        program.tick()
    assert explained(place, tardy(version=2, comment="changed"))["state"] == "ignored"
    found = explained(place, void(version=2))
    assert (found["state"], found["action"], failing(found)) == ("goes", "void", [])
    assert [one["value"] for one in found["columns"]] == ["t-1", "void"]


def test_what_has_come_before_is_told_as_it_stands(place: Workplace) -> None:
    place.apply(definition(fields=[{"field": "tardy_id"}]))
    first = tardy()
    place.receive(first)
    assert explained(place, first)["state"] == "goes"
    send(place)
    assert explained(place, first)["state"] == "delivered"
    found = explained(place, tardy(comment="other content"))
    assert (found["state"], found["goes"]) == ("parked", False)
    place.receive(void(version=2))
    found = explained(place, first)
    assert "version" in failing(found)
    place.ok("held", "dismiss", "t-1", "--reason", "seen to")
    assert explained(place, void(version=2))["state"] == "dismissed"
    place.receive(tardy(version=5))
    assert explained(place, tardy(version=4))["state"] == "superseded"


def test_an_event_behind_an_open_run_says_what_it_waits_for(place: Workplace) -> None:
    place.apply(definition(destination={"type": "directory", "path": str(place.folder / "mount")}))
    first = tardy()
    place.receive(first)
    place.ok("exports", "run-now", "daily")
    place.work()
    assert explained(place, first)["state"] == "sealed"
    assert "which is failed: folder" in explained(place, tardy("t-2"))["leaves"]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("no json", "it would be parked as undecodable: the body is not JSON"),
        (
            json.dumps({"type": "tardy.recorded"}),
            "it would be parked as undecodable: the body is no CloudEvents",
        ),
        (
            json.dumps(tardy("t-9", behavior_code=7)),
            "it would be parked as invalid: behavior_code: must be text",
        ),
        (
            json.dumps({**tardy(), "type": "tardy.lost"}),
            "it would be parked as unknown-type: no event has the type",
        ),
        (json.dumps(code()), "it is a behavior_code.saved; explained are tardy.recorded"),
        (json.dumps(school()), "it is a school.saved; explained are"),
        ("x" * 300_000, "it would be parked as oversize"),
    ],
)
def test_what_is_no_event_of_a_tardy_is_refused_in_one_line(place: Workplace, body: str, said: str) -> None:
    place.apply(definition())
    ended = place.run("exports", "explain", "daily", "-", stdin=body)
    assert (ended.status, ended.out, len(ended.errors)) == (1, "", 1)
    assert f"standard input: {said}" in ended.err


def test_a_time_far_ahead_is_told_as_the_clock_s_and_leaves_the_other_clauses_alone(place: Workplace) -> None:
    place.apply(definition(closes_at="15:30", max_age_days=5))
    place.receive()
    soon = f"{datetime.now(UTC) + timedelta(hours=30):%Y-%m-%dT%H:%M:%SZ}"
    found = explained(place, tardy("t-9", occurred_at=soon))
    assert (found["state"], found["reason_code"]) == ("held", "ahead")
    assert failing(found) == ["clock"]
