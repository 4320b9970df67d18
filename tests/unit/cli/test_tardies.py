"""A version of a tardy taken back on the command line."""

from __future__ import annotations

from tests.builders import definition, tardy
from tests.unit.cli.workplace import Workplace

FAR = 9_000_000
TAKE_BACK = ("tardies", "take-back", "t-1", "--version", str(FAR), "--reason", "a slip")


def one_line(text: str) -> str:
    return " ".join(text.split())


def test_a_version_is_taken_back_and_the_trace_says_by_whom_and_why(place: Workplace) -> None:
    place.apply(definition())
    place.receive(tardy("t-1", FAR))
    place.receive(tardy("t-1", 2))
    told = place.ok(*TAKE_BACK).out
    assert (
        told
        == f"version {FAR} of tardy t-1 is taken back; version 2 counts again, to be judged again in daily\n"
    )
    traced = place.ok("trace", "t-1", "--json").json
    assert (traced["version"], traced["overtaken"]) == (2, [])
    back = {one["version"]: one["taken_back"] for one in traced["versions"]}
    assert back[2] is None
    assert back[FAR]["reason"] == "a slip" and "@" in back[FAR]["who"] and back[FAR]["at"].endswith("Z")
    assert f"version {FAR}: tardy.amended, received" in one_line(place.ok("trace", "t-1").out)
    assert f"by {back[FAR]['who']}: a slip" in one_line(place.ok("trace", "t-1").out)


def test_what_was_done_is_told_as_json(place: Workplace) -> None:
    place.apply(definition())
    place.receive(tardy("t-1", FAR))
    assert place.ok(*TAKE_BACK, "--yes", "--json").json == {
        "district_id": "default",
        "tardy_id": "t-1",
        "version": FAR,
        "in_force": None,
        "exports": ["daily"],
    }
    ended = place.run("trace", "t-1")
    assert (ended.status, ended.out) == (1, "")
    [line] = ended.errors
    assert line.startswith(f"writeback: no version of tardy 't-1' counts: version {FAR}; taken back ")
    assert line.endswith(": a slip; the next that comes is its first")


def test_all_that_is_held_about_a_student_says_which_versions_were_taken_back(place: Workplace) -> None:
    place.apply(definition())
    place.receive(tardy("t-1", FAR), tardy("t-1", 2))
    place.ok(*TAKE_BACK)
    [held] = place.ok("student", "export", "s-t-1").json["tardies"]
    back = {one["version"]: one["taken_back"] for one in held["versions"]}
    assert back[2] is None
    assert back[FAR].keys() == {"at", "who", "reason"}
    assert back[FAR]["reason"] == "a slip" and "@" in back[FAR]["who"] and back[FAR]["at"].endswith("Z")


def test_a_student_s_tardy_of_which_no_version_counts_is_traced_with_what_was_taken_back(
    place: Workplace,
) -> None:
    place.apply(definition())
    place.receive(tardy("t-1", FAR))
    place.ok(*TAKE_BACK)
    [traced] = place.ok("trace", "--student", "L-t-1", "--json").json
    assert (traced["tardy_id"], traced["version"], traced["exports"]) == ("t-1", None, [])
    assert (traced["school_id"], traced["behavior_code"]) == ("0012", "TARDY")
    [version] = traced["versions"]
    assert (version["version"], version["taken_back"]["reason"]) == (FAR, "a slip")
    told = one_line(place.ok("trace", "--student", "L-t-1").out)
    assert "tardy t-1, no version counts" in told
    assert f"version {FAR}: tardy.amended, received" in told and ": a slip" in told
    assert told.endswith("no version of it counts: the next that comes is its first")


def test_a_refusal_is_one_line_and_status_1(place: Workplace) -> None:
    place.apply(definition())
    place.receive(tardy("t-1", FAR))
    place.ok("exports", "run-now", "daily")
    place.work()
    ended = place.run(*TAKE_BACK)
    assert (ended.status, ended.out) == (1, "")
    assert ended.errors == [
        f"writeback: version {FAR} of tardy t-1 cannot be taken back: daily has delivered it; have a corrected version"
        f" published, {FAR + 1} or higher"
    ]
    elsewhere = place.run(*TAKE_BACK, "--district", "other")
    assert (elsewhere.status, len(elsewhere.errors)) == (1, 1)


def test_the_help_lists_it(place: Workplace) -> None:
    assert "tardies" in place.ok("--help").out
    assert "take-back" in place.ok("tardies", "--help").out
