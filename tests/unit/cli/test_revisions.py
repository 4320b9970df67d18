"""Definitions over time: what a change would do before it is saved, what was before, and the way back."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from tests.builders import definition, tardy
from tests.unit.cli.workplace import Workplace
from worker.views.exports.changes import Difference, differences

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=8,
)
DOCUMENTS = st.dictionaries(st.text(max_size=2), JSON, max_size=4)
COLUMNS = [{"field": "tardy_id", "header": "Id"}, {"field": "version"}, {"field": "comment"}]


def test_a_dry_run_tells_which_options_and_how_many_waiting_rows_change_and_changes_nothing(
    place: Workplace,
) -> None:
    """Two codes narrowed to one: one row that waits is cancelled; a first day further back adds one."""
    place.apply(definition(backfill_from="2026-10-01"))
    place.receive(
        tardy("t-1"),
        tardy("t-2", behavior_code="OTHER"),
        tardy("t-0", occurred_at="2026-09-15T09:00:00-05:00"),
    )
    before = place.rows()
    narrowed = place.file(
        "daily.json", json.dumps(definition(codes=["TARDY"], backfill_from="2026-09-01", fields=COLUMNS))
    )
    [told] = place.ok("exports", "apply", narrowed, "--dry-run", "--json").json
    assert (told["export_id"], told["result"], told["revision"]) == ("daily", "replaced", 2)
    assert (told["cancels"], told["adds"], told["goes"], told["held"]) == (1, 1, 2, 0)
    assert {one["path"] for one in told["changes"]} == {"codes", "backfill_from", "fields[0] Id.header"}
    text = place.ok("exports", "apply", narrowed, "--dry-run").out
    assert "of what waits, 1 row would be cancelled and 1 added; then 2 rows would go and 0 are held" in text
    assert 'codes: "all" → ["TARDY"]' in text
    assert place.rows() == before
    place.ok("exports", "apply", narrowed)
    assert place.ok("exports", "preview", "daily").out.count("\n") == 2


def test_a_dry_run_where_nothing_is_yet_creates_nothing(place: Workplace) -> None:
    file = place.file("daily.json", json.dumps(definition()))
    [told] = place.ok("exports", "apply", file, "--dry-run", "--json").json
    assert (told["result"], told["adds"]) == ("created", 0)
    assert not place.home.exists()


def test_every_revision_is_kept_with_when_who_why_and_what_it_changed_and_can_be_restored(
    place: Workplace,
) -> None:
    place.apply(definition())
    again = json.dumps(definition(name="Another"))
    place.ok("exports", "apply", "-", "--reason", "the school asked", stdin=again)
    newest, first = place.ok("exports", "history", "daily", "--json").json
    assert [newest["revision"], first["revision"]] == [2, 1]
    assert newest["reason"] == "the school asked"
    assert newest["changes"] == [
        {"path": "name", "change": "changed", "before": "A daily file", "after": "Another"}
    ]
    assert (first["reason"], first["changes"]) == (None, [])
    [differs] = place.ok("exports", "diff", "daily", "--revision", "1", "--json").json
    assert (differs["before"], differs["after"]) == ("A daily file", "Another")
    restored = place.ok("exports", "restore", "daily", "1", "--reason", "a slip", "--json").json
    assert restored == [{"export_id": "daily", "result": "replaced", "revision": 3, "warnings": []}]
    assert place.ok("exports", "show", "daily", "--json").json["definition"]["name"] == "A daily file"
    assert (
        place.ok("exports", "history", "daily", "--json").json[0]["reason"] == "revision 1 restored: a slip"
    )
    assert "revision 2" in place.ok("exports", "history", "daily").out


def test_a_file_is_compared_with_what_is_saved(place: Workplace) -> None:
    place.apply(definition())
    other = place.file("other.json", json.dumps(definition(schools=["0012", "0034"])))
    assert place.ok("exports", "diff", "daily", other).out == 'schools: ["0012"] → ["0012", "0034"]\n'
    same = place.file("same.json", json.dumps(definition()))
    assert place.ok("exports", "diff", "daily", same).out == "no difference\n"


def test_a_copy_is_a_file_to_change_and_apply_and_begins_with_its_own_first_day(place: Workplace) -> None:
    place.apply(definition())
    copied = place.ok("exports", "copy", "daily", "second").out
    assert "backfill_from" not in copied
    assert place.ok("exports", "list", "--json").json[0]["export_id"] == "daily"
    place.ok("exports", "apply", place.file("second.yaml", copied))
    assert [one["export_id"] for one in place.ok("exports", "list", "--json").json] == ["daily", "second"]


def test_what_is_not_there_is_told_in_a_line(place: Workplace) -> None:
    place.apply(definition())
    for typed, said in (
        ("exports diff nobody --revision 1", "no export 'nobody'"),
        ("exports diff daily --revision 9", "has no revision 9"),
        ("exports diff daily nowhere.json", "1 problem"),
        ("exports history nobody", "no export 'nobody'"),
        ("exports restore daily 9", "has no revision 9"),
        ("exports copy daily daily", "there is an export daily already"),
        ("exports copy daily No_Id", "the definition is not valid"),
    ):
        ended = place.run(*typed.split())
        assert (ended.status, said in ended.err) == (1, True), (typed, ended)
    assert place.run("exports", "diff", "daily").status == 2


@given(DOCUMENTS)
def test_a_document_does_not_differ_from_itself(document: dict[str, object]) -> None:
    assert list(differences(document, json.loads(json.dumps(document)))) == []


@given(DOCUMENTS, DOCUMENTS)
def test_documents_that_differ_have_a_difference_that_says_where(
    before: dict[str, object], after: dict[str, object]
) -> None:
    found = list(differences(before, after))
    assert bool(found) == (json.dumps(before, sort_keys=True) != json.dumps(after, sort_keys=True))
    assert all(one.change != "changed" or json.dumps(one.before) != json.dumps(one.after) for one in found)


def test_a_column_that_is_put_in_between_is_one_difference() -> None:
    wider = [COLUMNS[0], {"field": "student.grade"}, *COLUMNS[1:]]
    assert list(differences({"fields": COLUMNS}, {"fields": wider})) == [
        Difference("fields[1] student.grade", "added", after={"field": "student.grade"})
    ]
