"""The JSON of each thing keeps its names and their order, whichever command prints it."""

from __future__ import annotations

from typing import Any

from tests.builders import definition, tardy, void
from tests.unit.cli.workplace import Workplace

FIELDS = [{"field": "tardy_id"}, {"field": "comment"}, {"field": "action"}]
WHY = ("--reason", "asked for", "--json")
RUN = (
    "run_id export_id state trigger command_id resend_of sequence rows refused_rows held_rows"
    " file(name sha256 bytes) attempts next_attempt_at error due_at started_at finished_at"
)


def outline(value: Any) -> str:
    """The names in a JSON value, in their order: `name(inner)` of an object, `name[inner]` of the first of a list."""
    if isinstance(value, dict):
        return " ".join(f"{name}{_inner(one)}" for name, one in value.items())
    return outline(value[0]) if isinstance(value, list) and value else ""


def _inner(value: Any) -> str:
    names = outline(value)
    if not names:
        return ""
    return f"[{names}]" if isinstance(value, list) else f"({names})"


def send(place: Workplace) -> str:
    """The run that sends what waits."""
    place.ok("exports", "run-now", "daily")
    place.work()
    return str(place.ok("runs", "list", "--json").json[0]["run_id"])


def corrected(place: Workplace) -> str:
    """A delivered run's id; of its tardies t-1 has been changed since and t-2 voided."""
    place.apply(definition(fields=FIELDS))
    place.receive(tardy(), tardy("t-2"))
    run_id = send(place)
    place.receive(tardy(version=2, comment="changed"), void("t-2"))
    return run_id


def test_of_runs(place: Workplace) -> None:
    run_id = corrected(place)
    assert outline(place.ok("runs", "list", "--json").json) == RUN
    place.sent()[0].unlink()
    resent = place.ok("runs", "resend", run_id, *WHY).json
    assert outline(resent) == "run_id resend_of export_id file_name"
    assert outline(place.ok("runs", "show", run_id, "--json").json) == (
        f"{RUN} revision approved_revision may_have_left entries(delivered) outcomes resent_by"
        " attempt_log[number worker revision phase started_at finished_at outcome error]"
        " actions[at who action reason]"
    )


def test_of_what_a_person_decides_about_a_run(place: Workplace) -> None:
    place.apply(definition(guard={"max_rows": 1}))
    place.receive(tardy(), tardy("t-2"))
    run_id = send(place)
    assert place.ok("runs", "approve", run_id, *WHY).json == {
        "run_id": run_id,
        "export_id": "daily",
        "rows": 2,
    }
    assert outline(place.ok("runs", "abandon", run_id, *WHY).json) == "run_id export_id buffered"


def test_of_held_entries(place: Workplace) -> None:
    corrected(place)
    assert outline(place.ok("held", "list", "--json").json) == (
        "id tardy_id district_id version export_id school_id behavior_code state action reason_code reason"
        " since releasable"
    )
    assert outline(place.ok("held", "release", "daily/t-1", *WHY).json) == (
        "decision entries[id export_id district_id tardy_id version action was]"
    )


def test_of_a_tardy(place: Workplace) -> None:
    corrected(place)
    place.ok("held", "dismiss", "daily/t-1", *WHY)
    traced = (
        "tardy_id district_id school_id behavior_code occurred_at version voided"
        " versions[version type received_at message_id source taken_back] overtaken"
        " exports[export_id state excluded_by summary collapsed_behind next_run_at"
        " entries[version ordinal state reason_code reason action released run_id run_state line file sha256"
        " resent_by buffered_at settled_at delivered_at receipts]"
        " decisions[version ordinal decision who at reason was]]"
    )
    assert outline(place.ok("trace", "t-1", "--json").json) == traced
    assert outline(place.ok("trace", "--student", "L-t-1", "--json").json) == traced


def test_of_a_version_taken_back(place: Workplace) -> None:
    place.apply(definition())
    place.receive(tardy(), tardy(version=9))
    told = place.ok("tardies", "take-back", "t-1", "--version", "9", *WHY).json
    assert outline(told) == "district_id tardy_id version in_force exports"
    newest = place.ok("trace", "t-1", "--json").json["versions"][1]
    assert outline(newest) == "version type received_at message_id source taken_back(at who reason)"


def test_of_all_that_is_held_about_a_student(place: Workplace) -> None:
    corrected(place)
    place.ok("held", "dismiss", "daily/t-1", *WHY)
    told = place.ok("student", "export", "s-t-1").json
    assert outline(told) == (
        "student_id district_id"
        " tardies[tardy_id versions[version type received_at message_id source document"
        "(behavior_code district_id occurred_at school_id student(first_name id last_name local_id) tardy_id version)"
        " taken_back]"
        " entries[export_id version state reason action run_id line file sha256 delivered_at row[column value]"
        " receipts]"
        " decisions[at who decision reason export_id version]]"
        " parked"
    )
    erased = place.ok("student", "erase", "s-t-1", *WHY).json
    assert outline(erased) == "tardies versions rows cancelled parked left queued out_of_reach"
