"""WRITEBACK_SENDERS: what is read, what is refused, and who may then send what."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.errors import ConfigurationError
from worker.senders import Senders, read_senders
from worker.settings import read_settings

FILE = {
    "hero-lincoln": {"districts": ["lincoln"], "commands": True},
    "hero-listener": {"districts": ["lincoln", "adams"]},
    "district-office": {"districts": "all", "commands": True},
    "writeback": {"replays": True},
}


@pytest.fixture
def senders(tmp_path: Path) -> Senders:
    read = read_senders(written(tmp_path, json.dumps(FILE).encode()))
    assert read is not None
    return read


def written(folder: Path, content: bytes) -> str:
    file = folder / "senders.json"
    file.write_bytes(content)
    return str(file)


@pytest.mark.parametrize(
    ("user", "district", "may"),
    [
        ("hero-lincoln", "lincoln", True),
        ("hero-lincoln", "adams", False),
        ("hero-lincoln", "default", False),
        ("hero-listener", "adams", True),
        ("district-office", "anything", True),
        ("writeback", "lincoln", False),
        ("HERO-LINCOLN", "lincoln", False),
        ("stranger", "lincoln", False),
        ("", "lincoln", False),
        (None, "lincoln", False),
    ],
)
def test_a_user_may_speak_of_its_own_districts(
    senders: Senders, user: str | None, district: str, may: bool
) -> None:
    assert (senders.objection_to_event(user, district) is None) == may


def test_only_those_who_may_send_commands_and_only_those_who_may_replay(senders: Senders) -> None:
    commanders = [user for user in FILE if senders.objection_to_commands(user) is None]
    assert commanders == ["hero-lincoln", "district-office"]
    assert senders.replayers == {"writeback"}


def test_an_objection_repeats_neither_user_nor_district(senders: Senders) -> None:
    told = f"{senders.objection('Ada')} {senders.objection_to_event('hero-lincoln', 'Byron')}"
    assert "Ada" not in told and "Byron" not in told


def test_an_empty_file_names_nobody_and_a_byte_order_mark_does_no_harm(tmp_path: Path) -> None:
    none = read_senders(written(tmp_path, b"\xef\xbb\xbf{}"))
    assert none is not None and none.objection("anybody") is not None


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "is no JSON"),
        (b"\xff", "is no JSON"),
        (b"[]", "is no object"),
        (b'{"a": {}, "a": {}}', "names 'a' twice"),
        (b'{"a": []}', "'a' has no object of rights"),
        (b'{"a": {"district": ["x"]}}', "'a' has the unknown right 'district'; known: districts, commands"),
        (b'{"a": {"districts": "lincoln"}}', 'districts must be "all" or a list'),
        (b'{"a": {"districts": [""]}}', "districts must be"),
        (b'{"a": {"districts": null}}', "districts must be"),
        (b'{"a": {"commands": "yes"}}', "commands must be true or false"),
        (b'{"a": {"replays": 1}}', "replays must be true or false"),
        (b" " * 1_100_000, "larger than 1 MiB"),
        (b"[" * 200_000, "is no JSON"),
    ],
)
def test_a_wrong_file_is_told_in_one_line_that_names_the_variable(
    tmp_path: Path, content: bytes, told: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read_settings({"WRITEBACK_SENDERS": written(tmp_path, content)})
    text = str(caught.value)
    assert text.startswith("WRITEBACK_SENDERS: ") and told in text and "\n" not in text


def test_a_file_that_is_not_there_is_a_wrong_value(tmp_path: Path) -> None:
    for path in (tmp_path / "none.json", tmp_path):
        with pytest.raises(ConfigurationError, match=r"WRITEBACK_SENDERS: .* cannot be read"):
            read_senders(str(path))


def test_without_the_variable_nobody_is_named(tmp_path: Path) -> None:
    assert read_settings({}).senders is None
    assert read_settings({"WRITEBACK_SENDERS": " "}).senders is None


names = st.sampled_from(["districts", "commands", "replays", "u"])
json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["all", "districts", "x"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
)


@given(json_values)
def test_any_json_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, value: Any) -> None:
    path = written(tmp_path_factory.getbasetemp(), json.dumps(value).encode())
    try:
        assert read_senders(path) is not None
    except ConfigurationError as error:
        assert "\n" not in str(error)
