"""`writeback check` as a person uses it, at real servers: each destination step by step, and never long."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from tests.builders import definition
from tests.contract.sis_sites import WONDE_SESSION, SisSite, told
from tests.servers.openssh import SECRET, openssh
from tests.unit.cli.workplace import Workplace
from worker.bootstrap import Program
from worker.cli.operations.checking import findings
from worker.settings import read_settings

FILES = ["resolve", "connect", "host key", "log in", "folder", "write", "rename", "remove"]
RECORDS = ["resolve", "connect", "look up"]


def variable(secret: str) -> str:
    return f"WRITEBACK_SECRET_{secret.upper().replace('-', '_')}"


@pytest.fixture
def place(tmp_path: Path) -> Workplace:
    return Workplace(tmp_path)


@pytest.fixture
def sis(tmp_path: Path) -> Iterator[SisSite]:
    with closing(SisSite(WONDE_SESSION, tmp_path)) as site:
        yield site


@pytest.fixture
def silent() -> Iterator[int]:
    """The port of a server that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        yield server.getsockname()[1]


def records(destination: dict[str, Any]) -> dict[str, Any]:
    document = definition("records", destination=destination, collapse="per_session")
    del document["file"], document["fields"]
    return document


def environment() -> dict[str, str]:
    return {
        variable(SECRET): openssh().private_key,
        "WRITEBACK_ALLOWED_HOSTS": "127.0.0.0/8",
        **{variable(name): value for name, value in told().items()},
    }


def test_each_destination_is_told_step_by_step_with_its_times_and_nothing_is_left(
    place: Workplace, sis: SisSite
) -> None:
    inbox = place.folder / "inbox"
    inbox.mkdir()
    place.apply(definition("files", destination=openssh().options(inbox)), records(sis.options))
    found = place.ok("check", "--json", **environment()).json
    steps = {one["name"]: one["steps"] for one in found if one["what"] == "destination"}
    assert {name: [one["step"] for one in steps[name]] for name in steps} == {
        "files": FILES,
        "records": RECORDS,
    }
    every = [one for some in steps.values() for one in some]
    assert all(one["ok"] and one["problem"] is None and 0 <= one["seconds"] < 30 for one in every)
    assert (list(inbox.iterdir()), sis.tardies()) == ([], 0)
    shown = place.ok("check", **environment()).out.splitlines()
    [line] = [line for line in shown if line.split()[:3] == ["files", "log", "in"]]
    assert line.split()[-2:] == ["ms", "ok"]


def test_the_step_that_fails_says_what_to_do_and_those_behind_it_are_not_tried(place: Workplace) -> None:
    inbox = place.folder / "inbox"
    inbox.mkdir()
    leads = openssh().options(inbox, known_host_key="SHA256:" + "A" * 43)
    place.apply(definition("files", destination=leads))
    ended = place.run("check", **environment())
    assert (ended.status, ended.errors) == (1, ["writeback: 1 thing wrong of 5: destination files"])
    [wrong] = [line.split() for line in ended.out.splitlines() if "host key " in line and " ms " in line]
    assert wrong[-1] == "wrong"
    assert "ask those who run it, by another way, whether this is theirs" in ended.out
    assert not [line for line in ended.out.splitlines() if line.split()[:3] == ["files", "log", "in"]]


def test_a_code_that_the_dictionary_of_an_sis_has_no_more_is_a_warning(
    place: Workplace, sis: SisSite
) -> None:
    place.apply(records({**sis.options, "codes": {"T": "code-99"}}))
    *_, found = place.ok("check", "records", "--json", **environment()).json
    assert found["ok"] and "but its dictionary has no attendance code 'code-99'" in found["detail"]


def test_only_the_exports_that_are_named_are_tried(place: Workplace) -> None:
    place.apply(definition("one"), definition("other"))
    found = place.ok("check", "other", "--json").json
    assert [one["name"] for one in found if one["what"] == "destination"] == ["other"]
    ended = place.run("check", "third")
    assert (ended.status, ended.out) == (1, "")
    assert ended.errors[0].startswith("writeback: no export 'third'; `writeback exports list`")


def test_silent_servers_take_no_time_from_the_others_and_all_end_in_time(
    place: Workplace, silent: int
) -> None:
    """Many exports at one server that is silent, and one behind them at a server that answers."""
    (place.folder / "inbox").mkdir()
    dead = openssh().options("/inbox", port=silent)
    place.apply(
        *(definition(f"dead-{number}", destination=dead) for number in range(9)),
        definition("well", destination=openssh().options(place.folder / "inbox", host="localhost")),
    )
    settings = {
        "WRITEBACK_HOME": str(place.home),
        "WRITEBACK_DESTINATION_ROOTS": place.roots,
        **environment(),
    }
    with ExitStack() as stack:
        program = stack.enter_context(closing(Program(read_settings(settings))))
        program.prepare_database()
        begun = monotonic()
        found = {one.name: one for one in findings(program, longest=5) if one.what == "destination"}
        took = monotonic() - begun
    assert took < 10
    assert found["well"].ok, found["well"].detail
    first, last = found["dead-0"], found["dead-8"]
    assert not first.ok and first.steps[-1].problem == "not done when 5 s were over"
    assert "not done within 5 s at the step 'connect'" in first.detail
    assert last.detail.startswith("not tried: the others at its server took all of 5 s")
    assert "`writeback check dead-8` tries it alone" in last.detail
