"""Reference data as an administrator sees it on the command line, and the administrator's own word on codes."""

from __future__ import annotations

from tests.builders import bell_schedule, code, definition, school_day, tardy
from tests.unit.cli.workplace import Workplace

FIELDS = [{"field": "tardy_id"}, {"field": "behavior.external_reference_code", "required": True}]
WHY = ("--reason", "the SIS has its own")


def send(place: Workplace) -> None:
    place.ok("exports", "run-now", "daily")
    place.work()


def waits(place: Workplace) -> None:
    """One tardy that goes and two that wait, for their code PE is not known."""
    place.apply(definition(fields=FIELDS))
    place.receive(tardy("a"), tardy("b", behavior_code="PE"), tardy("c", behavior_code="PE"))


def test_a_code_that_entries_wait_for_is_listed_mapped_and_its_entries_go_with_the_next_run(
    place: Workplace,
) -> None:
    waits(place)
    listed = place.ok("codes", "list")
    assert [line.split()[:4] for line in listed.out.splitlines()[1:]] == [
        ["PE", "0012", "-", "2"],
        ["TARDY", "every", "T", "published,"],
    ]
    assert "not published; named by 2 tardies" in listed.out
    assert listed.errors == [
        "1 code without an External Reference Code, 2 entries waiting: set it in the behavior system, or say it"
        " here: `writeback codes map CODE SIS_CODE --reason WHY`"
    ]
    told = place.ok("codes", "map", "PE", "T9", *WHY)
    assert told.out == (
        "behavior code PE of every school is T9 in the SIS; 2 entries judged again, to go with the next run\n"
    )
    send(place)
    assert (place.outbox / "daily_0001.csv").read_text() == "a,T\nb,T9\nc,T9\n"
    assert place.ok("codes", "list", "--missing").out == "no behavior code lacks an External Reference Code\n"


def test_a_code_that_is_never_sent_takes_its_entries_out_until_it_is_unmapped(place: Workplace) -> None:
    waits(place)
    told = place.ok("codes", "map", "PE", "--never-send", "--school", "0012", *WHY).out
    assert told == "behavior code PE of school 0012 is never sent from now on; 2 entries judged again\n"
    send(place)
    assert place.ok("held", "list").out == "nothing is held\n"
    assert (place.outbox / "daily_0001.csv").read_text() == "a,T\n"
    assert place.ok("status", "--json").json["not_required"] == 2
    [daily] = place.ok("trace", "b", "--json").json["exports"]
    assert daily["entries"][0]["state"] == "not_required"
    assert daily["summary"].startswith("not required: behavior code PE is never sent for school 0012")
    [account] = place.ok("report", "--date", "2026-10-06", "--json").json
    assert (account["states"]["not_required"], account["adds_up"]) == (2, True)
    place.ok("audit")
    told = place.ok("codes", "unmap", "PE", "--school", "0012", *WHY).out
    assert told == (
        "behavior code PE of school 0012 is what the behavior system says again; 2 entries judged again\n"
    )
    send(place)
    assert [one["reason_code"] for one in place.ok("held", "list", "--json").json] == ["code-unknown"] * 2


def test_the_json_of_a_code_tells_whose_word_counts_and_what_each_has_said(place: Workplace) -> None:
    waits(place)
    said = place.ok("codes", "map", "TARDY", "X", *WHY, "--json").json
    assert said == {
        "district_id": "default",
        "code": "TARDY",
        "school_id": None,
        "external_reference_code": "X",
        "never_send": False,
        "mapped": True,
        "changed": True,
        "judged_again": 1,
        "exports": ["daily"],
    }
    pe, late = place.ok("codes", "list", "--json").json
    assert (pe["source"], pe["school_id"], pe["waiting"]) == ("nobody", "0012", 2)
    assert (pe["published"], pe["mapping"]) == (None, None)
    assert (late["source"], late["external_reference_code"]) == ("administrator", "X")
    assert late["published"].items() >= {"external_reference_code": "T", "version": 1}.items()
    assert late["mapping"]["reason"] == "the SIS has its own" and "@" in late["mapping"]["mapped_by"]
    assert late["mapping"]["mapped_at"].endswith("Z")
    assert place.ok("codes", "map", "TARDY", "X", *WHY, "--json").json["changed"] is False


def test_the_history_of_a_code_keeps_every_word_with_its_reason(place: Workplace) -> None:
    for reference in ("T", "U"):
        place.ok("codes", "map", "TARDY", reference, "--reason", f"because {reference}")
    place.ok("codes", "unmap", "TARDY", "--reason", "no longer")
    history = place.ok("codes", "list", "--history", "--json").json
    assert [(one["external_reference_code"], one["reason"], one["end_reason"]) for one in history] == [
        ("T", "because T", "because U"),
        ("U", "because U", "no longer"),
    ]
    assert "because U" in place.ok("codes", "list", "--history").out
    assert place.ok("codes", "list", "--json").json == []


def test_what_is_no_word_on_a_code_is_refused_and_changes_nothing(place: Workplace) -> None:
    waits(place)
    before = place.rows()
    for arguments, status, said in [
        (("codes", "map", "PE", *WHY), 2, "either the SIS's own code or --never-send"),
        (("codes", "map", "PE", "T", "--never-send", *WHY), 2, "either the SIS's own code or --never-send"),
        (("codes", "map", "PE", "T"), 2, "Missing option '--reason'"),
        (("codes", "map", "P" * 65, "T", *WHY), 1, "code: must be text of 1 to 64 characters"),
        (("codes", "unmap", "PE", *WHY), 1, "behavior code PE of every school is not mapped"),
    ]:
        ended = place.run(*arguments)
        assert (ended.status, len(ended.errors)) == (status, 1) and said in ended.err, ended
    assert place.rows() == before


def test_where_there_are_several_districts_one_is_to_be_named(place: Workplace) -> None:
    waits(place)
    place.ok("codes", "map", "PE", "T", "--district", "lincoln", *WHY)
    ended = place.run("codes", "map", "PE", "T", *WHY)
    assert ended.errors == [
        "writeback: there are several districts (default, lincoln); name one with --district"
    ]
    place.ok("codes", "map", "PE", "T", "--district", "default", *WHY)
    listed = place.ok("codes", "list").out.splitlines()
    assert listed[0].split()[:2] == ["DISTRICT", "CODE"]
    [lincoln] = place.ok("codes", "list", "--district", "lincoln", "--json").json
    assert lincoln["district_id"] == "lincoln"


def test_the_only_district_need_not_be_named(place: Workplace) -> None:
    place.apply(definition(district_id="lincoln"))
    told = place.ok("codes", "map", "PE", "T", *WHY).out
    assert told.startswith("behavior code PE of every school of district lincoln is T in the SIS;")


def test_schools_are_listed_with_those_that_are_only_named(place: Workplace) -> None:
    place.apply(definition(schools=["0012", "0013"]))
    place.receive(tardy("a", school_id="0014"))
    shown = place.ok("schools", "list", "--json").json
    assert [(one["school_id"], one["source"], one["tardies"], one["exports"]) for one in shown] == [
        ("0012", "published", 0, ["daily"]),
        ("0013", "nobody", 0, ["daily"]),
        ("0014", "nobody", 1, []),
    ]
    assert (shown[0]["sis_school_id"], shown[0]["time_zone"]) == ("12", "America/Chicago")
    listed = place.ok("schools", "list")
    assert "named by 1 tardy" in listed.out
    assert listed.errors == ["2 schools not described: the behavior system has to publish school.saved"]


def test_bell_schedules_are_listed_with_days_periods_and_what_lacks_its_reference(place: Workplace) -> None:
    periods = [
        {"name": "1", "external_reference_code": "P1", "start": "08:00", "end": "09:00"},
        {"name": "Home room", "external_reference_code": None, "start": "09:05", "end": "10:00"},
    ]
    place.receive(bell_schedule(weekdays=["mon", "tue"], dates=["2026-12-18"], periods=periods))
    listed = place.ok("bells", "list")
    lines = listed.out.splitlines()
    assert lines[0] == "school 0012, bell schedule regular: Regular"
    assert lines[2].split(maxsplit=1) == ["days", "mon tue; 2026-12-18; the default"]
    assert lines[3:] == ["  1          08:00-09:00  P1", "  Home room  09:05-10:00  -"]
    assert listed.errors == [
        "1 period without an External Reference Code: set it in the behavior system's bell schedule"
    ]
    [shown] = place.ok("bells", "list", "--missing", "--json").json
    assert (shown["bell_schedule_id"], shown["lacks_reference"]) == ("regular", ["Home room"])
    assert [one["external_reference_code"] for one in shown["periods"]] == ["P1", None]


def test_days_are_listed_where_somebody_has_said_something(place: Workplace) -> None:
    place.receive(school_day("2026-11-26", in_session=False), school_day("2026-11-30", in_session=True))
    shown = place.ok("days", "list", "--json").json
    assert [(one["school_id"], one["date"], one["in_session"]) for one in shown] == [
        ("0012", "2026-11-26", False),
        ("0012", "2026-11-30", True),
    ]
    [line] = place.ok("days", "list", "--from", "2026-11-27").out.splitlines()[1:]
    assert line.split()[:3] == ["0012", "2026-11-30", "yes"]


def test_where_nothing_is_known_each_list_says_so(place: Workplace) -> None:
    for group in ("codes", "schools", "bells", "days"):
        assert place.ok(group, "list", "--json").json == []
        assert len(place.ok(group, "list").out.splitlines()) == 1


def test_a_code_that_is_mapped_for_every_school_shows_what_was_published_beside_it(place: Workplace) -> None:
    place.receive(code("S", school_id="0012", version=2))
    place.ok("codes", "map", "TARDY", "X", *WHY)
    every, own = place.ok("codes", "list").out.splitlines()[1:]
    assert every.split()[:3] == ["TARDY", "every", "X"] and "published as T" in every
    assert own.split()[:3] == ["TARDY", "0012", "X"]
    assert "mapped for every school; published as S, version 2" in own
