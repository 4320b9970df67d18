"""Asking for things: previews, runs, pauses, with the trail that they leave."""

from __future__ import annotations

import json
import shutil
from datetime import timedelta
from typing import Any

from schemas.definition.export_fields import EXPORT_FIELDS
from schemas.fields.zones import source
from tests.builders import bell_schedule, code, definition, school, tardy, void
from tests.unit.cli.workplace import Ended, Workplace
from worker.clock import system_clock
from worker.store.database.tables import quiet_days
from worker.store.runs.missed_collections import note_missed
from worker.views.words import when

FIELDS = [
    {"field": "row_number", "header": "No"},
    {"field": "tardy_id", "header": "Id"},
    {"field": "date", "header": "Day", "format": "%m/%d/%Y"},
    {"field": "student.last_name", "header": "Name"},
    {"field": "behavior.external_reference_code", "header": "Code", "required": True},
]
CSV = {"format": "csv", "name": "{export}_{date:%Y%m%d}_{sequence:04d}.csv", "encoding": "utf-8-sig"}


def full(**changes: Any) -> dict[str, Any]:
    return definition(**{"fields": FIELDS, "file": CSV} | changes)


def preview(place: Workplace, *options: str) -> tuple[bytes, list[str]]:
    """The bytes, with what is said about them."""
    ended = place.ok("exports", "preview", "daily", *options)
    return ended.out_bytes, ended.errors


def sent(place: Workplace, folder: str = "outbox") -> dict[str, bytes]:
    return {
        path.name: path.read_bytes()
        for path in sorted((place.home / folder).iterdir())
        if path.name[0] != "."
    }


def test_a_preview_is_byte_for_byte_the_file_that_a_run_then_sends_and_changes_nothing(
    place: Workplace,
) -> None:
    place.apply(full())
    unmapped = tardy("t-3", behavior_code="OTHER")
    students = [{"id": f"s{n}", "last_name": name} for n, name in enumerate(('Ö, "Brien"', "Lee\nLine"))]
    place.receive(*(tardy(f"t-{n}", student=student) for n, student in enumerate(students)), unmapped)
    before = place.rows()
    shown, said = preview(place)
    assert place.rows() == before
    place.ok("exports", "run-now", "daily")
    place.work()
    [(name, bytes_sent)] = sent(place).items()
    assert bytes_sent == shown
    assert shown.startswith(b"\xef\xbb\xbfNo,Id,Day,Name,Code\r\n1,t-0,10/06/2026,")
    assert said[0].startswith("2 rows; would go as daily_")
    assert said[0].endswith("_0001.csv")
    assert name.endswith("_0001.csv")
    assert said[1:] == [
        "against what was delivered: 2 new, 0 changed, 0 void",
        "1 held: behavior code OTHER is not known for school 0012",
    ]


def test_a_preview_may_be_cut_after_some_rows_and_says_so(place: Workplace) -> None:
    place.apply(full())
    place.receive(*(tardy(f"t-{n}") for n in range(5)))
    shown, said = preview(place, "--rows", "2")
    assert len(shown.splitlines()) == 3
    assert said[0].startswith("5 rows, the first 2 shown; would go as ")


def test_a_preview_of_nothing_is_no_bytes_unless_an_empty_file_would_go(place: Workplace) -> None:
    place.apply(full())
    shown, said = preview(place)
    assert (shown, said[0]) == (b"", "0 rows; no file would go")
    place.apply(full(file={**CSV, "when_empty": "send"}))
    shown, said = preview(place)
    assert shown == b"\xef\xbb\xbfNo,Id,Day,Name,Code\r\n"
    assert said[0].startswith("0 rows; would go as daily_")


def test_a_preview_of_an_empty_buffer_shows_the_header_and_a_marked_sample_row(place: Workplace) -> None:
    """Every exportable field has a made-up value; nothing of it stands where the file's bytes do."""
    fields = [{"field": name, "header": name} for name in EXPORT_FIELDS]
    file = {"format": "csv", "name": "{export}_{sequence:04d}.csv", "header": True}
    place.apply(definition(fields=[*fields, {"field": "attributes.Bus", "header": "Bus"}], file=file))
    shown, said = preview(place)
    assert shown == b""
    at = said.index("a SAMPLE of what a file looks like; its student is made up, and it is not sent:")
    header, row = said[at + 1 : at + 3]
    assert header.strip().split(",") == [*EXPORT_FIELDS, "Bus"]
    assert all(value for value in row.strip().split(","))
    told = place.ok("exports", "preview", "daily", "--json").json
    assert (told["rows"], told["content"], told["file"]) == (0, "", None)
    assert told["sample"].splitlines() == [header.strip(), row.strip()]


def test_a_preview_as_json_has_the_file_and_what_it_leaves_out(place: Workplace) -> None:
    place.apply(definition(fields=[{"field": "tardy_id"}, {"field": "student.local_id", "required": True}]))
    place.receive(tardy("t-1"), tardy("t-2"), tardy("t-3", student={"id": "s-3"}))
    told = place.ok("exports", "preview", "daily", "--rows", "1", "--json").json
    assert (told["rows"], told["rows_shown"], told["file"], told["sample"]) == (2, 1, "daily_0001.csv", None)
    assert told["content"].startswith("t-1,")
    assert told["held"] == [{"reason": "student.local_id is required and empty", "count": 1}]


def test_a_preview_after_a_failed_run_shows_what_its_next_attempt_sends(place: Workplace) -> None:
    """Nothing of the run has left, so what it holds is judged anew, with what came since."""
    missing = place.folder / "mount"
    place.apply(full(destination={"type": "directory", "path": str(missing)}))
    place.receive(tardy("t-1"), tardy("t-2"))
    place.ok("exports", "run-now", "daily")
    place.work()
    place.receive(tardy("t-3"), void("t-1"))
    before = place.rows()
    shown, said = preview(place)
    assert place.rows() == before
    assert said[0].startswith("2 rows; would go as daily_")
    assert "this is what its next attempt would send" in said[-1]
    missing.mkdir()
    place.ok("exports", "retry", "daily")
    place.work()
    assert [path.read_bytes() for path in missing.iterdir() if path.name[0] != "."] == [shown]


def test_a_preview_of_a_paused_export_says_that_nothing_goes(place: Workplace) -> None:
    place.apply(full())
    place.ok("exports", "pause", "daily", "--reason", "upgrade")
    assert "the export is paused: nothing goes before it is resumed" in preview(place)[1]


def test_what_a_person_asks_for_is_answered_and_audited_like_a_message(place: Workplace) -> None:
    place.apply(definition())
    place.ok("exports", "pause", "daily", "--reason", "The SIS is down")
    refused = place.run("exports", "run-now", "daily")
    assert refused.errors == ["writeback: export daily is paused; resume it first"]
    listed = place.ok("exports", "list", "--json").json
    assert (listed[0]["state"], listed[0]["paused"]) == ("active", True)
    shown = place.ok("exports", "show", "daily", "--json").json
    assert shown["pause"]["reason"] == "The SIS is down"
    assert shown["pause"]["by"].startswith("cli:")
    assert "The SIS is down" in place.ok("exports", "show", "daily").out
    place.ok("exports", "resume", "daily", "--reason", "It is up")
    place.ok("exports", "delete", "daily")
    with place.program() as program:
        kinds = program.outcome_types()
    assert kinds == {"command.accepted": 4, "command.refused": 1}
    gone = place.ok("exports", "show", "daily", "--json").json
    assert gone["state"] == "retired"
    assert [(one["action"], one["reason"]) for one in gone["actions"]] == [
        ("save", "revision 1"),
        ("pause", "The SIS is down"),
        ("resume", "It is up"),
        ("delete", None),
    ]
    assert place.ok("exports", "list", "--json").json == []
    assert [one["state"] for one in place.ok("exports", "list", "--all", "--json").json] == ["retired"]


def test_waiting_for_a_run_that_nobody_begins_ends_with_what_to_look_at(place: Workplace) -> None:
    place.apply(definition())
    ended = place.run("exports", "run-now", "daily", "--wait", "0.1")
    assert ended.status == 1
    assert ended.errors == [
        "writeback: after 0.1 s nobody has begun the run: it waits for a worker (`writeback run`)"
    ]


def test_waiting_for_a_run_of_an_export_whose_run_stands_still_tells_its_error(place: Workplace) -> None:
    place.apply(definition(destination={"type": "directory", "path": str(place.folder / "mount")}))
    place.receive(tardy())
    place.ok("exports", "run-now", "daily")
    place.work()
    ended = place.run("exports", "run-now", "daily", "--wait", "0.1")
    assert ended.status == 1
    assert "there is no such folder" in ended.errors[0]


def test_run_now_tells_the_id_of_its_command(place: Workplace) -> None:
    place.apply(definition())
    told = place.ok("exports", "run-now", "daily", "--json").json
    assert told.keys() == {"export_id", "command_id"}


def test_the_fields_are_those_that_a_definition_can_name(place: Workplace) -> None:
    listed = place.ok("exports", "fields", "--json").json
    assert {"field": "period", "kind": "text", "needs": ["period"]} in listed
    names = [one["field"].replace("NAME", "color") for one in listed]
    everything = definition(fields=[{"field": name} for name in names])
    place.ok("exports", "apply", "--check", "-", stdin=json.dumps(everything))
    assert "the behavior code's External Reference Code" in place.ok("exports", "fields").out


def test_status_tells_what_waits_what_is_held_and_what_is_wrong(place: Workplace) -> None:
    place.apply(definition(fields=FIELDS), definition("other", codes=["NONE"]))
    place.ok("exports", "pause", "other", "--reason", "holidays")
    place.receive(
        tardy("t-1"), tardy("t-2", behavior_code="OTHER"), bell_schedule(), code(version=2), school(version=2)
    )
    told = place.ok("status", "--json").json
    assert told.keys() == {
        "installation",
        "workers",
        "parked",
        "run_nows",
        "queues",
        "broker_error",
        "database_error",
        "buffered",
        "held",
        "sealed",
        "refused",
        "not_required",
        "oldest_buffered_at",
        "events_in_hand",
        "unpublished_outcomes",
        "aside",
        "quiet_days",
        "codes_gone",
        "missed_collections",
        "exports",
        "senders_named",
    }
    assert [queue["queue"] for queue in told["queues"]] == [
        "writeback.events",
        "writeback.commands",
        "writeback.rejected",
    ]
    assert (told["buffered"], told["held"], told["broker_error"]) == (1, 1, None)
    daily, other = told["exports"]
    assert (daily["state"], daily["buffered"], daily["held"], daily["open_run"]) == ("active", 1, 1, None)
    assert (other["state"], other["pause"]["reason"]) == ("paused", "holidays")
    text = place.ok("status").out
    assert "other is paused since" in text
    assert ": holidays" in text


def test_the_list_says_when_the_sis_collects_and_what_was_missed_lately(place: Workplace) -> None:
    place.apply(definition(collected_at="10:30"))
    assert "manual, collected at 10:30" in place.ok("exports", "list").out
    with place.program() as program, program.database.write() as connection:
        note_missed(connection, "late", "daily", "ab" * 16, "it was not there", program.now)
        at = when(program.now, "America/Chicago", seconds=False)
    assert f"manual, collected at 10:30 (missed {at})" in place.ok("exports", "list").out
    [listed] = place.ok("exports", "list", "--json").json
    assert listed["collected_at"] == ["10:30"]
    assert listed["missed_collection"]["run_id"] == "ab" * 16


def test_status_tells_of_the_quiet_days_of_the_last_week(place: Workplace) -> None:
    place.apply(definition())
    today = system_clock().date()
    with place.program() as program, program.database.write() as connection:
        for days in (2, 20):
            noted = {"day": today - timedelta(days=days), "noticed_at": program.now, "export_id": "daily"}
            connection.execute(quiet_days.insert().values(**noted))
    day = (today - timedelta(days=2)).isoformat()
    assert place.ok("status", "--json").json["quiet_days"] == [{"export_id": "daily", "day": day}]
    lines = place.ok("status").out.splitlines()
    assert [line for line in lines if line.startswith("daily: not one tardy on")] == [
        f"daily: not one tardy on {day}, a day in session: is the behavior system publishing?"
    ]


def test_status_shows_the_database_where_the_broker_is_gone_and_fails(place: Workplace) -> None:
    place.apply(definition())
    ended: Ended = place.run("status", BROKER_URL="amqp://127.0.0.1:1//")
    assert (ended.status, len(ended.errors)) == (1, 1)
    assert "daily" in ended.out


def test_check_tells_each_thing_that_is_wrong_and_what_to_do(place: Workplace) -> None:
    missing = str(place.folder / "mount")
    place.apply(definition(), definition("other", destination={"type": "directory", "path": missing}))
    ended = place.run("check", "--json")
    assert ended.status == 1
    assert ended.errors == ["writeback: 1 thing wrong of 5: destination other"]
    found = json.loads(ended.out)
    assert [(one["what"], one["ok"]) for one in found] == [
        ("time zones", True),
        ("broker", True),
        ("database", True),
        ("destination", True),
        ("destination", False),
    ]
    assert "there is no such folder" in found[-1]["detail"]
    assert "wrong" in place.run("check").out
    (place.folder / "mount").mkdir()
    assert place.ok("check").errors == []
    assert list((place.folder / "mount").iterdir()) == []


def test_check_and_version_name_the_zone_data(place: Workplace) -> None:
    zones = json.loads(place.run("check", "--json").out)[0]
    assert zones["detail"] == f"all come from {source()}"
    assert place.ok("--version").out.strip().endswith(source())


def test_check_tells_of_the_database_where_the_broker_is_gone(place: Workplace) -> None:
    ended = place.run("check", "--json", BROKER_URL="amqp://127.0.0.1:1//")
    assert ended.status == 1
    assert [(one["what"], one["ok"]) for one in json.loads(ended.out)] == [
        ("time zones", True),
        ("broker", False),
        ("database", True),
    ]


def test_a_folder_is_adopted_with_a_reason_and_the_export_goes_on(place: Workplace) -> None:
    place.apply(definition())
    place.receive(tardy("a"))
    place.ok("exports", "run-now", "daily")
    place.work()
    shutil.move(place.outbox, place.folder / "away")
    place.outbox.mkdir()
    place.receive(tardy("b"))
    place.ok("exports", "run-now", "daily")
    place.work()
    assert "not the folder that was written to before" in place.ok("status").out
    assert "--reason" in place.run("exports", "adopt", "daily").errors[0]
    told = place.ok("exports", "adopt", "daily", "--reason", "a new disk", "--yes").out
    assert told == f"daily: {place.outbox} is marked; `writeback exports retry daily` goes on\n"
    place.work()
    assert list(sent(place)) == ["daily_0002.csv"]
