"""`writeback layouts` and `writeback exports new`: from a layout to a definition that applies."""

from __future__ import annotations

import json

import pytest

from schemas.layouts.presets import LAYOUTS
from tests.builders import tardy
from tests.unit.cli.workplace import Workplace

FOLDER = '{"type": "directory", "path": "outbox"}'
WHERE = ("--school", "0012", "--code", "TARDY", "--time-zone", "America/Chicago", "--destination", FOLDER)
NEW = ("exports", "new", "--layout")


def test_layouts_are_listed_with_how_sure_each_is(place: Workplace) -> None:
    listed = {one["name"]: one for one in place.ok("layouts", "list", "--json").json}
    assert listed.keys() >= LAYOUTS.keys()
    assert listed["powerschool-autocomm"]["sure"] == "agree"
    for line in place.ok("layouts", "list").out.splitlines()[1:]:
        assert line.split()[0] in listed


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_layout_is_shown_with_its_columns_and_what_is_left_to_do(place: Workplace, name: str) -> None:
    [shape] = place.ok("layouts", "show", name, "--json").json
    shown = place.ok("layouts", "show", name).out
    assert {"schools", "codes", "schedule.time_zone", "destination.host"} & set(shape["blanks"])
    for column in shape["definition"]["fields"]:
        assert column["header"] in shown
    assert f"How sure: {shape['sure']}" in shown


def test_a_layout_that_is_not_there_is_told_with_those_that_are(place: Workplace) -> None:
    for words in (("layouts", "show", "infinite"), (*NEW, "infinite")):
        ended = place.run(*words)
        assert ended.status == 1
        assert ended.errors[-1].startswith(
            "writeback: there is no layout infinite; known: genesis-late-arrival,"
        )


def test_a_new_definition_with_everything_given_applies_as_it_is_and_sends_the_layouts_file(
    place: Workplace,
) -> None:
    begun = place.ok(*NEW, "genesis-late-arrival", "--export-id", "late", *WHERE).out
    place.ok("exports", "apply", place.file("late.yaml", f"{begun}backfill_from: 2026-08-01\n"))
    place.receive(tardy(student={"id": "s-1", "local_id": "120045"}))
    place.ok("exports", "run-now", "late")
    place.work()
    [file] = place.sent()
    assert file.read_bytes() == (
        b"School #\tStudent #\tAttendance Status\tTime In\tDate\tReason Code\r\n"
        b"12\t120045\tT\t08:07AM\t10/6/2026\t\r\n"
    )


@pytest.mark.parametrize("as_json", [(), ("--json",)])
def test_what_is_left_to_fill_in_is_named_and_exports_apply_asks_for_each(
    place: Workplace, as_json: tuple[str, ...]
) -> None:
    begun = place.ok(*NEW, "generic-daily", "--destination", FOLDER, *as_json)
    assert begun.errors[-1] == "writeback: to fill in: schools, codes, schedule.time_zone"
    refused = place.run("exports", "apply", "--check", "-", stdin=begun.out)
    assert [line.split(": ", 1)[1] for line in refused.errors[:-1] if line.startswith("standard input")] == [
        "schools: must not be null",
        "codes: must not be null",
        "schedule.time_zone: must not be null",
    ]


def test_a_blank_place_is_told_option_by_option_in_the_comments(place: Workplace) -> None:
    begun = place.ok(*NEW, "generic-daily").out
    assert "# FILL IN destination.host, destination.username, destination.known_host_key" in begun
    assert "secret: sis-sftp" in begun


def test_a_file_is_written_by_its_ending_and_never_over_another(place: Workplace) -> None:
    written = place.folder / "new.json"
    place.ok(*NEW, "generic-daily", *WHERE, "--output", str(written))
    assert json.loads(written.read_bytes())["schools"] == ["0012"]
    again = place.run(*NEW, "generic-daily", *WHERE, "--output", str(written))
    assert (again.status, again.errors[-1]) == (
        1,
        f"writeback: {written} is there already; name another file",
    )
    nowhere = place.run(*NEW, "generic-daily", *WHERE, "--output", str(place.folder / "none" / "new.yaml"))
    assert nowhere.status == 1
    assert "cannot be written: No such file or directory" in nowhere.errors[-1]


def test_a_whole_definition_that_is_wrong_is_told_and_not_written(place: Workplace) -> None:
    written = place.folder / "new.yaml"
    ended = place.run(
        *NEW, "generic-daily", *WHERE, "--export-id", "A B", "--at", "25:00", "--output", str(written)
    )
    assert ended.status == 1
    assert [line.partition(":")[0] for line in ended.errors[-3:-1]] == ["export_id", "schedule.at[0]"]
    assert ended.errors[-1] == "writeback: 2 problems; nothing was written"
    assert not written.exists()


@pytest.mark.parametrize("text", ["outbox", "[1]", "{", "[" * 100_000])
def test_a_destination_that_is_no_object_is_refused(place: Workplace, text: str) -> None:
    ended = place.run(*NEW, "generic-daily", "--destination", text[:400])
    assert ended.status == 1
    assert ended.errors[-1].startswith("writeback: --destination: must be a JSON object")


def test_beginning_a_definition_needs_no_database_and_makes_none(place: Workplace) -> None:
    place.ok(*NEW, "generic-daily")
    place.ok("layouts", "list")
    assert not place.home.exists()
