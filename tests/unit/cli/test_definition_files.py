"""Definitions in files: what was typed is what is read, and every problem is told with where it stands."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import definition
from tests.unit.cli.workplace import Workplace
from worker.cli.exports.definition_yaml import Unquoted, read_documents, write_document

GOOD = """
export_id: lincoln
name: Lincoln High
schools: ["0012"]
codes: [TARDY, ON, "no"]
backfill_from: 2026-08-01
schedule: {frequency: weekly, on: [mon], at: [08:05, 10:30], time_zone: America/Chicago}
destination: {type: directory, path: outbox}
file: {format: csv, name: "l_{sequence}.csv", header: true}
fields:
  - {field: tardy_id, header: yes}
  - {field: minutes_late, default: 0, max_length: 4}
  - {constant: 1.5, header: N}
"""


def broken(**changes: Any) -> dict[str, Any]:
    return definition("broken", **changes)


WRONG_FILES: list[tuple[str, str | bytes, list[str]]] = [
    ("empty.yaml", "", ["there is no definition in it"]),
    ("blank.yaml", "---\n---\n# nothing\n", ["there is no definition in it"]),
    ("list.json", "[]", ["there is no definition in it"]),
    ("cut.json", '{"export_id": "x"', ["it is not JSON", "line 1"]),
    ("twice.json", '{"export_id": "x", "export_id": "y"}', ["export_id stands twice"]),
    ("nan.json", '{"export_id": NaN}', ["NaN is not a number in JSON"]),
    ("deep.json", "[" * 100_000, ["nested too deeply"]),
    ("text.yaml", "just a sentence", ["a definition must be an object"]),
    ("tab.yaml", "a:\n\tb: 1", ["it is not YAML", "line 2"]),
    ("twice.yaml", "export_id: a\nexport_id: b\n", ["export_id stands twice", "line 2"]),
    ("deep.yaml", "[" * 5000, ["nested too deeply"]),
    ("tag.yaml", "export_id: !!python/object/apply:os.system [ls]", ["it is not YAML"]),
    ("latin.yaml", "name: Caf\xe9".encode("latin-1"), ["it is not UTF-8"]),
    ("control.yaml", b"name: a\x00b", ["a character that YAML does not allow"]),
    ("loop.yaml", "&a\nexport_id: *a\n", ["nested more than 20 deep"]),
    ("zero.yaml", GOOD.replace('"0012"', "0012"), ["schools[0]: 0012 without quotes is a number", '"0012"']),
    ("unknown.json", json.dumps(broken(shools=["1"])), ["shools: unknown option; known: export_id"]),
    ("missing.json", json.dumps({"export_id": "x"}), ["schools: required", "fields: required"]),
    (
        "field.json",
        json.dumps(broken(fields=[{"field": "student.localid"}])),
        ["fields[0].field", "nearest: student.local_id"],
    ),
    ("id.json", json.dumps(definition("No Good")), ["export_id: must be 1 to 63 of a-z, 0-9 and -"]),
    ("number.json", json.dumps(broken(schools=[12])), ["schools[0]: must be text"]),
    (
        "zone.json",
        json.dumps(broken(schedule={"frequency": "manual", "time_zone": "Chicago"})),
        ["schedule.time_zone"],
    ),
    ("type.json", json.dumps(broken(destination={"type": "pigeon"})), ['unknown destination type "pigeon"']),
    (
        "path.json",
        json.dumps(broken(destination={"type": "directory", "path": "../x"})),
        ["destination.path"],
    ),
    ("name.json", json.dumps(broken(file={"format": "csv", "name": "a b.csv"})), ["file.name", "no space"]),
    ("send.json", json.dumps(broken(corrections="send")), ["corrections", "action"]),
    ("later.json", json.dumps(broken(max_age_days=-3)), ["max_age_days: must be a whole number"]),
    ("day.yaml", GOOD.replace("2026-08-01", "2026-02-30"), ["backfill_from: must be a date that exists"]),
]


@pytest.mark.parametrize(("name", "text", "said"), WRONG_FILES, ids=[name for name, _, _ in WRONG_FILES])
def test_a_wrong_file_is_told_with_its_name_and_path_and_a_good_one_beside_it_is_not_saved(
    place: Workplace, name: str, text: str | bytes, said: list[str]
) -> None:
    wrong, good = place.file(name, text), place.file("good.json", json.dumps(definition("good")))
    ended = place.run("exports", "apply", good, wrong)
    assert (ended.status, ended.out) == (1, "")
    problems, last = ended.errors[:-1], ended.errors[-1]
    assert problems
    assert all(problem.startswith(f"{wrong}: ") for problem in problems), problems
    for part in said:
        assert any(part in problem for problem in problems), problems
    assert last.startswith("writeback: ")
    assert last.endswith("nothing was saved")
    assert place.ok("exports", "list", "--json").json == []
    assert place.run("exports", "apply", "--check", good, wrong).errors == ended.errors


def test_a_missing_file_and_a_folder_are_told_like_any_other_problem(place: Workplace) -> None:
    ended = place.run("exports", "apply", "nowhere.yaml", str(place.folder))
    assert ended.status == 1
    assert ended.errors[0] == "nowhere.yaml: it cannot be read: No such file or directory"
    assert ended.errors[1] == f"{place.folder}: it cannot be read: Is a directory"


def test_every_problem_of_every_document_is_told_at_once(place: Workplace) -> None:
    file = place.file(
        "two.yaml",
        GOOD.replace('"0012"', "0012").replace("directory", "pigeon")
        + "---"
        + GOOD.replace("tardy_id", "tardyid"),
    )
    problems = place.run("exports", "apply", file).errors
    assert [problem.split(": ")[1:3] for problem in problems[:-1]] == [
        ["document 1", "schools[0]"],
        ["document 1", "destination.type"],
        ["document 2", "fields[0].field"],
    ]


def test_the_same_export_twice_is_told(place: Workplace) -> None:
    file = place.file("same.json", json.dumps([definition(), definition(name="Other")]))
    [problem, _] = place.run("exports", "apply", file).errors
    assert problem == (
        f"{file}: document 2: export_id: daily also stands in {file}: document 1; keep one of the two"
    )


def test_an_export_of_another_district_is_told_before_anything_is_saved(place: Workplace) -> None:
    place.apply(definition())
    ended = place.run(
        "exports", "apply", "-", stdin=json.dumps([definition("other"), definition(district_id="north")])
    )
    assert ended.status == 1
    assert ended.errors[0].startswith(
        "standard input: document 2: export_id: daily belongs to another district"
    )
    assert [one["export_id"] for one in place.ok("exports", "list", "--json").json] == ["daily"]


def test_ids_dates_times_and_words_of_a_yaml_file_are_the_text_that_was_typed(place: Workplace) -> None:
    place.ok("exports", "apply", place.file("good.yaml", GOOD))
    document = place.ok("exports", "show", "lincoln", "--json").json["definition"]
    assert document["schools"] == ["0012"]
    assert document["codes"] == ["TARDY", "ON", "no"]
    assert document["backfill_from"] == "2026-08-01"
    assert document["schedule"]["on"] == ["mon"]
    assert document["schedule"]["at"] == ["08:05", "10:30"]
    assert document["fields"][0] == {"field": "tardy_id", "header": "yes"}
    assert document["fields"][2]["constant"] == 1.5


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("12", 12),
        ("-3", -3),
        ("0", 0),
        ("1.50", 1.5),
        ("true", True),
        ("no", "no"),
        ("off", "off"),
        ("~", None),
        ("10:30", "10:30"),
        ("8:05", "8:05"),
        ("2026-08-01", "2026-08-01"),
        ("0x1F", "0x1F"),
        ("1_000", "1_000"),
        ("1e5", "1e5"),
        ("'0012'", "0012"),
        ("!!str 0012", "0012"),
        ("0012", Unquoted("0012")),
        ("08", Unquoted("08")),
        ("-01", Unquoted("-01")),
        ("00.5", Unquoted("00.5")),
    ],
)
def test_a_plain_scalar_of_yaml(typed: str, read: object) -> None:
    assert read_documents(f"[{typed}]") == [[read]]


TEXT = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], include_characters="\n\t"), max_size=20
) | st.from_regex(r"[-+]?[0-9_:.eExob]{1,10}|yes|no|on|off|null|~|true|NULL|y|n|=|<<", fullmatch=True)
VALUES = st.recursive(
    TEXT | st.integers(-(10**12), 10**12) | st.booleans() | st.none(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(TEXT, VALUES, min_size=1, max_size=5))
def test_what_is_shown_as_yaml_reads_back_as_it_was(document: dict[str, Any]) -> None:
    assert read_documents(write_document(document)) == [document]


def test_an_export_shown_as_yaml_is_a_file_that_changes_nothing_when_applied(place: Workplace) -> None:
    document = definition(
        schools=["0012", "09", "1e3", "yes"],
        schedule={"frequency": "weekly", "on": ["mon"], "at": ["08:05"], "time_zone": "America/Chicago"},
        name="Caf\xe9: # 1",
    )
    place.apply(document)
    place.ok("exports", "pause", "daily", "--reason", "first line\nsecond: line")
    shown = place.ok("exports", "show", "daily", "--yaml").out
    assert "# paused: since" in shown
    assert place.ok("exports", "apply", place.file("shown.yaml", shown)).out == "daily: unchanged\n"


def test_created_replaced_and_unchanged_are_told_with_the_revision(place: Workplace) -> None:
    def apply(*options: str, **changes: Any) -> str:
        return place.ok("exports", "apply", "-", *options, stdin=json.dumps(definition(**changes))).out

    assert apply() == "daily: created\n"
    assert apply() == "daily: unchanged\n"
    assert apply(name="Another") == "daily: replaced (revision 2)\n"
    assert apply("--check") == "daily: valid (standard input)\n"
    assert json.loads(apply("--json", name="Third")) == [
        {"export_id": "daily", "result": "replaced", "revision": 3, "warnings": []}
    ]
    assert apply("--run-now", name="Third") == "daily: unchanged; a run is asked for\n"
    shown = place.ok("exports", "show", "daily", "--json").json
    assert [one["revision"] for one in shown["revisions"]] == [1, 2, 3]
    assert all(one["saved_by"].startswith("cli:") for one in shown["revisions"])


def test_a_check_says_which_folders_this_installation_refuses(place: Workplace) -> None:
    """The workplace's root is the folder that it is in."""
    elsewhere = {"type": "directory", "path": "/srv/sis/inbox"}
    own = {"type": "directory", "path": "claims"}
    refused = json.dumps(
        [definition(), definition("b", destination=elsewhere), definition("c", destination=own)]
    )
    errors = place.run("exports", "apply", "-", "--check", stdin=refused).errors
    assert [line.partition(" folder ")[0] for line in errors] == [
        "standard input: document 2: destination:",
        "standard input: document 3: destination:",
        "writeback: 2 problems; nothing was saved",
    ]
    assert "WRITEBACK_DESTINATION_ROOTS" in errors[0] and "of its own" in errors[1]


def test_a_check_needs_no_database(place: Workplace) -> None:
    url = "postgresql+psycopg://nobody@127.0.0.1:1/nothing"
    place.ok("exports", "apply", "-", "--check", stdin=json.dumps(definition()), DATABASE_URL=url)
