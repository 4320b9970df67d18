"""A plug-in that goes astray harms its own exports alone: the sound one beside them is delivered, whatever it does."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.builders import command, definition, save, school, tardy
from tests.integration import astray
from tests.integration.setting_aside import Bench
from tests.processes import wait_for
from worker.cli.operations.checking import findings
from worker.delivery.flusher import Flusher
from worker.store.definitions import definitions
from worker.views.exports.known_layouts import known_layouts
from worker.views.reference.known_kinds import known_kinds

SOUND = "sound"


@pytest.fixture
def program(sqlite_url: str, tmp_path: Path) -> Iterator[Bench]:
    with astray.stray_kinds(), capture_logs():
        program = Bench(sqlite_url, tmp_path)
        program.receive(school())
        program.command(save(definition(SOUND)))
        yield program


def files(at: str, how: str) -> dict[str, Any]:
    name = f"{at}-{how}".replace("_", "-")
    return definition(name, destination={"type": "stray_files", "path": name, "at": at, "how": how})


def records(at: str, how: str) -> dict[str, Any]:
    document = definition(f"{at}-{how}", destination={"type": "stray_records", "at": at, "how": how})
    del document["file"], document["fields"]
    return document


def saved(program: Bench, document: Mapping[str, Any]) -> str | None:
    """Why it was refused; None: it is saved."""
    answer = program.command(save(document))
    assert answer is not None
    return answer.refused


def run_all(program: Bench, exports: list[str]) -> None:
    program.receive(tardy("a"))
    for export in [*exports, SOUND]:
        program.command(command("export.run_now", {"export_id": export}))
    program.flush_all()
    assert program.states(SOUND) == {"delivered": 1}


RAISED = {
    "raise": "raised KeyError",
    "exit": "raised SystemExit",
    "panic": "raised Panic",
    "configuration": "raised ConfigurationError",
}
FAILED = {
    **{("open", how): f"{said} in `open`" for how, said in RAISED.items()},
    **{("upload", how): f"{said} in `upload`" for how, said in RAISED.items()},
    ("open", "none"): "opened a NoneType, which lacks `require_free`",
    ("require_free", "panic"): "raised Panic in `require_free`",
    ("upload", "none"): "returned a NoneType from `upload`",
    ("upload", "sizeless"): "returned a str from `upload, as the bytes,`",
    ("publish", "exit"): "raised SystemExit in `publish`",
}
WAITING = {
    "stopped": "begin again at once",
    "mute": "(it does not say why)",
    "lines": "two lines\\x00 and a NUL",
}


def test_a_run_of_a_stray_that_takes_files_fails_by_itself_and_says_whose_fault_it_was(
    program: Bench,
) -> None:
    strays = [files(at, how) for at, how in FAILED]
    assert [saved(program, one) for one in strays] == [None] * len(strays)
    run_all(program, [one["export_id"] for one in strays])
    for one, said in zip(strays, FAILED.values(), strict=True):
        [run] = program.runs(one["export_id"])
        assert run["state"] == "failed", one
        assert f"destination plug-in 'stray_files' of astray 1.0 {said}; update" in run["error"]
        assert "Ada" not in run["error"] and program.states(one["export_id"]) == {"sealed": 1}


def test_a_stray_that_raises_what_the_port_has_is_waited_for_whatever_it_says(program: Bench) -> None:
    strays = [files("upload", how) for how in WAITING] + [records("send", how) for how in WAITING]
    assert [saved(program, one) for one in strays] == [None] * len(strays)
    run_all(program, [one["export_id"] for one in strays])
    for one, said in zip(strays, [*WAITING.values()] * 2, strict=True):
        [run] = program.runs(one["export_id"])
        assert (run["state"], run["error"]) == ("waiting", said), one
        assert run["next_attempt_at"] > program.now


def test_what_may_not_raise_spoils_no_delivery(program: Bench) -> None:
    strays = [files(at, how) for at in ("close", "discard") for how in ("raise", "exit", "none")]
    assert [saved(program, one) for one in strays] == [None] * len(strays)
    run_all(program, [one["export_id"] for one in strays])
    program.sweep_closed()
    for one in strays:
        assert program.states(one["export_id"]) == {"delivered": 1}, one


@pytest.mark.parametrize("how", ["raise", "none", "text"])
def test_a_fence_that_says_nothing_is_not_taken_for_a_delivery(program: Bench, how: str) -> None:
    """What is not there under its temporary name counts as gone, and what has gone as delivered."""
    stray = files("nowhere", "raise")
    assert saved(program, stray) is None
    astray.turned["publish"] = "exit"
    run_all(program, [stray["export_id"]])
    del astray.turned["publish"]
    astray.turned["fence"] = how
    program.command(command("export.retry", {"export_id": stray["export_id"]}))
    program.flush_all()
    [run] = program.runs(stray["export_id"])
    assert run["state"] == "failed" and "in `fence`" in run["error"].replace("from", "in")
    assert program.files(stray["destination"]["path"]) == {}


UNKNOWN = {
    **{("send", how): f"{said} in `send`" for how, said in RAISED.items()},
    ("open", "panic"): "raised Panic in `open`",
    ("open", "text"): "opened a str, which lacks `send`",
    ("send", "none"): "returned a NoneType from `send`",
    ("send", "text"): "returned a str from `send`",
    ("send", "many"): "told of 2 rows from `send`, and 1 were sent",
    ("send", "foreign"): "returned a str from `send, for a row,`",
    ("send", "number"): "returned a int from `send, as an id or version,`",
    ("send", "unstorable"): "returned from `send` an id or version that cannot be stored",
}


def test_a_run_of_a_stray_that_takes_records_fails_by_itself_and_no_row_counts_as_sent(
    program: Bench,
) -> None:
    strays = [records(at, how) for at, how in UNKNOWN]
    assert [saved(program, one) for one in strays] == [None] * len(strays)
    run_all(program, [one["export_id"] for one in strays])
    for one, said in zip(strays, UNKNOWN.values(), strict=True):
        [run] = program.runs(one["export_id"])
        assert run["state"] == "failed" and program.states(one["export_id"]) == {"sealed": 1}
        assert f"destination plug-in 'stray_records' of astray 1.0 {said}; update" in run["error"]


def test_a_refusal_without_words_is_one_all_the_same(program: Bench) -> None:
    stray = records("send", "speechless")
    assert saved(program, stray) is None
    run_all(program, [stray["export_id"]])
    assert program.states(stray["export_id"]) == {"refused": 1}


@pytest.mark.parametrize("how", ["raise", "exit", "none", "text", "hang"])
def test_a_form_that_goes_astray_refuses_its_definition_and_sets_a_saved_one_aside(
    program: Bench, how: str
) -> None:
    stray = records("nowhere", "raise")
    assert saved(program, stray) is None
    refused = saved(program, records("form", how))
    assert refused is not None and "destination plug-in 'stray_records' of astray 1.0" in refused
    astray.turned["form"] = how
    astray.load_strays()
    run_all(program, [stray["export_id"]])
    [aside] = program.aside()
    assert (aside.thing, aside.step) == (stray["export_id"], "read")
    assert "destination plug-in 'stray_records' of astray 1.0" in aside.error and astray.sent == []


def test_a_row_that_a_stray_cannot_judge_is_held(program: Bench) -> None:
    codes = {"raise": "defect", "exit": "defect", "many": "defect", "text": "not-writable"}
    strays = [records("problem", how) for how in codes]
    assert [saved(program, one) for one in strays] == [None] * len(strays)
    run_all(program, [one["export_id"] for one in strays])
    for one, code in zip(strays, codes.values(), strict=True):
        [entry] = program.entries(one["export_id"])
        assert (entry["state"], entry["reason_code"]) == ("held", code), one


def test_what_goes_astray_as_a_definition_is_saved_refuses_it(program: Bench) -> None:
    raising = [(at, how) for at in ("place", "schema") for how in ("raise", "exit", "configuration")]
    for at, how in (*raising, ("place", "hang")):
        refused = saved(program, files(at, how))
        assert refused is not None, (at, how)
        assert "destination plug-in 'stray_files' of astray 1.0" in refused and f"`{at}`" in refused
    assert saved(program, definition("another")) is None


def test_a_check_of_a_stray_says_so_and_tries_the_others(program: Bench) -> None:
    strays = [files(at, how) for at in ("open", "check") for how in ("raise", "exit")]
    assert [saved(program, one) for one in strays] == [None] * len(strays)
    told = {one.name: one for one in findings(program.parts)}
    assert told[SOUND].ok
    for one in strays:
        assert "destination plug-in 'stray_files' of astray 1.0 raised" in told[one["export_id"]].detail


def test_a_check_of_one_that_hangs_ends(program: Bench) -> None:
    strays = [files("open", "hang"), files("check", "hang")]
    assert [saved(program, one) for one in strays] == [None, None]
    told = {one.name: one for one in findings(program.parts, longest=0.5)}
    assert all("not done within 0.5 s" in told[one["export_id"]].detail for one in strays)


@pytest.mark.parametrize("stray", [files("open", "hang"), files("publish", "hang"), records("send", "hang")])
def test_one_that_hangs_costs_a_place_and_no_other_export_waits(
    program: Bench, stray: dict[str, Any]
) -> None:
    assert saved(program, stray) is None
    program.receive(tardy("a"))
    for export in (stray["export_id"], SOUND):
        program.command(command("export.run_now", {"export_id": export}))
    program.forget_barriers()
    stop = threading.Event()
    flusher = Flusher(program.means, program.scheduler, program.flush, worker="tests")
    thread = threading.Thread(target=flusher.run, args=(stop,))
    thread.start()
    try:
        wait_for(lambda: program.states(SOUND) == {"delivered": 1}, "the sound export to be delivered")
        [run] = program.runs(stray["export_id"])
        assert run["state"] == "delivering" and program.states(stray["export_id"]) == {"sealed": 1}
    finally:
        astray.released.set()
        stop.set()
        thread.join(30)
    assert not thread.is_alive()


def test_what_a_stray_does_to_its_options_changes_no_definition(program: Bench) -> None:
    strays = [files("nowhere", "raise"), records("never", "raise")]
    assert [saved(program, one) for one in strays] == [None, None]
    run_all(program, [one["export_id"] for one in strays])
    with program.database.read() as connection:
        stored = {row["export_id"]: row["document"]["destination"] for row in definitions.every(connection)}
    assert all(stored[one["export_id"]] == one["destination"] for one in strays)
    assert all(program.states(one["export_id"]) == {"delivered": 1} for one in strays)
    assert astray.sent == ["a"]


def test_a_lost_row_that_a_stray_cannot_look_for_is_never_sent_twice(program: Bench) -> None:
    """It says that records can be looked for, and looking fails."""
    stray = records("look", "raise")
    assert saved(program, stray) is None
    astray.turned["send"] = "lost"
    run_all(program, [stray["export_id"]])
    del astray.turned["send"]
    program.pass_time(minutes=10)
    program.flush_all()
    [run] = program.runs(stray["export_id"])
    assert run["state"] == "failed" and "raised KeyError in `look`" in run["error"]
    assert astray.sent == [] and program.states(stray["export_id"]) == {"sealed": 1}


@pytest.mark.parametrize("how", ["raise", "exit", "text", "hang"])
def test_the_kinds_and_layouts_are_listed_without_what_a_stray_does_not_say(how: str) -> None:
    with astray.stray_kinds():
        assert "stray_records" in {one.kind for one in known_layouts()}
        astray.turned["form"] = how
        astray.load_strays()
        listed = {one.name: one.takes for one in known_kinds()}
        assert (listed["directory"], listed["stray_records"]) == (["files"], [])
        kinds = {one.kind for one in known_layouts()}
        assert "stray_records" not in kinds and "powerschool" in kinds
