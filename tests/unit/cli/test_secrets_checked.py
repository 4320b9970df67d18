"""`writeback secrets check`: which secrets are named, where they are, how to set what is missing; never one itself."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.builders import definition
from tests.telltale import known, telltale
from tests.unit.cli.workplace import Workplace

VALUE = "hunter2-not-to-be-shown"


@pytest.fixture(autouse=True)
def _telltale() -> Iterator[None]:
    with known():
        yield


def named(export_id: str, secret: str) -> dict[str, object]:
    where = telltale(secret=secret, path=export_id)
    return definition(export_id, destination=where)


def test_each_secret_is_told_with_its_exports_and_where_it_is(place: Workplace) -> None:
    place.apply(named("one", "sis"), named("two", "sis"), named("three", "other"))
    place.file("other", VALUE)
    variables = {"WRITEBACK_SECRET_SIS": VALUE, "WRITEBACK_SECRETS_DIR": str(place.folder)}
    for words in ((), ("--json",)):
        ended = place.ok("secrets", "check", *words, **variables)
        assert VALUE not in ended.out + ended.err
    found = json.loads(ended.out)
    assert [(one["secret"], one["found_in"], one["exports"]) for one in found] == [
        ("other", "folder", ["three"]),
        ("sis", "environment", ["one", "two"]),
    ]
    assert list(found[0]) == ["secret", "ok", "found_in", "variable", "file", "exports", "problem"]


def test_a_secret_of_the_file_of_variables_is_told_so(place: Workplace) -> None:
    place.apply(named("one", "sis"))
    file = place.file("service.env", f"WRITEBACK_SECRET_SIS={VALUE}\n")
    [found] = place.ok("--env-file", file, "secrets", "check", "--json").json
    assert found["found_in"] == "env_file"


def test_what_is_missing_ends_with_status_1_and_says_how_to_set_it(place: Workplace) -> None:
    place.apply(named("one", "sis"), named("two", "empty"))
    place.file("empty", "\n")
    ended = place.run("secrets", "check", "--json", WRITEBACK_SECRETS_DIR=str(place.folder))
    assert (ended.status, ended.errors[-1]) == (1, "writeback: 2 secrets missing of 2: empty, sis")
    empty, sis = json.loads(ended.out)
    assert (sis["ok"], sis["variable"], sis["file"]) == (
        False,
        "WRITEBACK_SECRET_SIS",
        str(place.folder / "sis"),
    )
    assert "set WRITEBACK_SECRET_SIS, or put a file sis in" in sis["problem"]
    assert f"{place.folder / 'empty'} is empty" in empty["problem"]


def test_a_retired_export_asks_for_no_secret_and_nothing_named_is_no_fault(place: Workplace) -> None:
    place.apply(named("one", "sis"))
    place.ok("exports", "delete", "one", "--yes")
    assert place.ok("secrets", "check").out == "no export names a secret\n"


def test_a_pasted_password_is_refused_and_not_repeated(place: Workplace) -> None:
    document = named("one", "sis")
    where = {**telltale(), "password": VALUE}
    ended = place.run("exports", "apply", "-", stdin=json.dumps({**document, "destination": where}))
    assert ended.status == 1
    assert (
        'destination.password: a secret is never written here: give its name as {"secret": "name"}'
        in ended.err
    )
    assert VALUE not in ended.out + ended.err
