"""`writeback demo`, started in a folder of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest

from tests.mounts import mount, own_mounts
from tests.servers.openssh import openssh
from worker.broker.embedded.inbox_broker import EmbeddedBroker
from worker.demo.checks import problems
from worker.demo.demo_exports import all_exports
from worker.demo.demo_run import everything
from worker.demo.demo_tardies import DemoTardy, Version, generate
from worker.demo.expected import expect
from worker.demo.summary import DemoHeld, DemoParked, ExportCounts, Messages, Run, Summary
from worker.destinations.files.marks import MARK
from worker.destinations.files.numbers import PREFIX

ROOT = Path(__file__).parents[2]
CSV = Path("var/demo/outbox/central/central_20261006_0001.csv")
TAB_SEPARATED = Path("var/demo/outbox/district/genesis_20261006_1035.txt")
BY_SFTP = Path("var/demo/sftp/roosevelt_20261006_001.csv")
RECORDS = Path("var/demo/api/records.jsonl")
EXPORTS = all_exports({}, {})
REFERENCES = {"TARDY": "T", "TARDY-EX": "TE", "BUS": "TB"}


def started(*arguments: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """`python -m worker demo` in the folder, its output piped."""
    kept = {
        name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "TZ", "TMPDIR")
    }
    return subprocess.run(
        [sys.executable, "-m", "worker", "demo", *arguments],
        cwd=folder,
        env={**kept, "PYTHONPATH": str(ROOT), **variables},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the demo has run once, on a machine on which sshd can be started."""
    openssh()
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="module")
def report(folder: Path) -> str:
    """What the demo printed there."""
    done = started(folder=folder)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The object that `--json` prints."""
    openssh()
    done = started("--json", folder=tmp_path_factory.mktemp("json"))
    assert (done.returncode, done.stderr) == (0, "")
    summary: dict[str, Any] = json.loads(done.stdout)
    return summary


def newest(tardy: DemoTardy, until: str) -> Version | None:
    """The version of the tardy that ought to be in force at that local time."""
    edge = datetime.fromisoformat(f"2026-10-06T{until}:00-05:00")
    sent = [version for version in tardy.versions if version.sent_at <= edge]
    return max(sent, key=lambda version: version.number, default=None)


def to_send(until: str) -> Iterator[tuple[DemoTardy, str]]:
    """What can go out at that time, with its code: neither voided nor unmapped."""
    for tardy in generate():
        version = newest(tardy, until)
        if version is None or version.code is None:
            continue
        if (tardy.school.name, version.code) != ("Roosevelt Middle", "BUS"):
            yield tardy, version.code


def test_the_scheduled_csv_holds_exactly_the_rows_that_were_to_go(folder: Path, report: str) -> None:
    expected = [
        f"{tardy.school.sis_id},{tardy.student.local_id},10/06/2026,{tardy.bell.reference},"
        f"{tardy.occurred_at:%H:%M},{REFERENCES[code]},AUTO"
        for tardy, code in to_send("10:30")
        if tardy.school.name != "Panhandle High" and tardy.bell is not None
    ]
    header, *rows = (folder / CSV).read_bytes().decode().split("\r\n")
    assert header == "School,Student_Number,Att_Date,Period,Time_In,Att_Code,Source"
    assert rows == [*expected, ""]
    assert len(expected) > 200


def test_the_tab_separated_file_holds_every_school_in_its_own_time(folder: Path, report: str) -> None:
    expected = [
        f"{tardy.school.sis_id}\t{tardy.student.local_id}\t{REFERENCES[code]}\t{tardy.occurred_at:%I:%M%p}"
        f"\t10/6/2026\t{tardy.reason or ''}"
        for tardy, code in to_send("10:35")
    ]
    header, *rows = (folder / TAB_SEPARATED).read_bytes().decode().split("\r\n")
    assert header == "School #\tStudent #\tAttendance Status\tTime In\tDate\tReason Code"
    assert rows == [*expected, ""]
    assert any(row.startswith("56\t") and "\t07:" in row for row in rows)


def test_the_file_that_went_by_sftp_and_the_records_are_those_that_were_to_go(
    folder: Path, report: str
) -> None:
    due = [
        (tardy, code)
        for tardy, code in to_send("10:30")
        if tardy.school.name in ("Roosevelt Middle", "Panhandle High")
    ]
    by_sftp = [
        f"{tardy.student.local_id},{tardy.occurred_at.isoformat()},{REFERENCES[code]}"
        for tardy, code in due
        if tardy.school.name == "Roosevelt Middle"
    ]
    assert (folder / BY_SFTP).read_text().splitlines() == ["student_id,late_at,code", *by_sftp]
    records = [json.loads(line) for line in (folder / RECORDS).read_text().splitlines()]
    assert {(one["tardy_id"], one["student"]["local_id"], one["time"]) for one in records} == {
        (tardy.tardy_id, tardy.student.local_id, f"{tardy.occurred_at:%H:%M}")
        for tardy, _ in due
        if tardy.school.name == "Panhandle High"
    }
    assert len(records) == 60


def serving_in(folder: Path) -> list[str]:
    """The processes whose command names that folder, as those of the demo's sshd do."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if str(folder).encode() in (process / "cmdline").read_bytes():
                found.append(process.name)
    return found


def test_no_server_of_the_demo_is_left_running(folder: Path, report: str) -> None:
    assert serving_in(folder) == []


def test_the_servers_of_a_demo_that_is_killed_end_with_it(tmp_path: Path) -> None:
    openssh()
    with subprocess.Popen(
        [sys.executable, "-m", "worker", "demo"],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
    ) as demo:
        until(lambda: bool(serving_in(tmp_path)))
        demo.kill()
    until(lambda: not serving_in(tmp_path))


def until(so: Callable[[], bool]) -> None:
    """Waits for it, a minute at the most."""
    end = monotonic() + 60
    while not so():
        assert monotonic() < end
        sleep(0.02)


def test_where_sshd_cannot_be_started_the_rest_goes_on_without_it_and_says_so(tmp_path: Path) -> None:
    with own_mounts():
        mount("--bind", "/dev/null", openssh().engine.command[0])
        done = started(folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "No file went by SFTP: sshd cannot be started here. The rest went on without." in done.stdout
    assert (tmp_path / CSV).exists() and (tmp_path / RECORDS).exists()
    assert not (tmp_path / BY_SFTP).exists()


def test_the_report_names_the_files_and_why_entries_are_held(report: str) -> None:
    lines = [line.strip() for line in report.splitlines()]
    assert str(CSV) in lines
    assert str(TAB_SEPARATED) in lines
    assert "behavior code BUS has no External Reference Code for school 0034" in report
    assert "undecodable" in report


def test_piped_output_is_plain_text(report: str) -> None:
    assert "\x1b" not in report


def test_neither_report_nor_log_names_a_student_beyond_the_first_rows(folder: Path, report: str) -> None:
    log = (folder / "var/demo/demo.log").read_text()
    shown = {line.split(",")[1] for line in (folder / CSV).read_text().splitlines()[1:5]}
    shown |= {line.split(",")[0] for line in (folder / BY_SFTP).read_text().splitlines()[1:5]}
    records = map(json.loads, (folder / RECORDS).read_text().splitlines()[:4])
    shown |= {record["student"]["local_id"] for record in records}
    shown |= {line.split("\t")[1] for line in (folder / TAB_SEPARATED).read_text().splitlines()[1:5]}
    for tardy in generate():
        assert tardy.student.local_id not in log
        assert tardy.student.local_id in shown or tardy.student.local_id not in report


def test_a_second_demo_begins_anew_and_sends_the_same_bytes(folder: Path, report: str) -> None:
    before = (folder / CSV).read_bytes(), (folder / TAB_SEPARATED).read_bytes()
    (folder / "var/demo/outbox/central/left_behind.csv").write_text("from the first demo")
    done = started(folder=folder)
    assert (done.returncode, done.stdout) == (0, report)
    assert ((folder / CSV).read_bytes(), (folder / TAB_SEPARATED).read_bytes()) == before
    assert [
        path.name for path in (folder / CSV).parent.iterdir() if not path.name.startswith((MARK, PREFIX))
    ] == [CSV.name]


def test_other_servers_and_settings_have_no_say(tmp_path: Path) -> None:
    done = started(
        folder=tmp_path,
        WRITEBACK_HOME="elsewhere",
        BROKER_URL="amqp://nobody:secret@127.0.0.1:1",
        DATABASE_URL="postgresql+psycopg://nobody:secret@127.0.0.1:1/none",
        WRITEBACK_BATCH_SIZE="1",
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "elsewhere/demo/outbox/central/central_20261006_0001.csv" in done.stdout
    assert "env -u BROKER_URL -u DATABASE_URL WRITEBACK_HOME=elsewhere/demo " in done.stdout
    assert "secret" not in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["elsewhere"]


def test_a_folder_that_the_demo_did_not_make_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "var/demo").mkdir(parents=True)
    (tmp_path / "var/demo/thesis.txt").write_text("the only copy")
    done = started(folder=tmp_path)
    assert done.returncode == 78
    assert done.stdout == ""
    assert "WRITEBACK_HOME" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert (tmp_path / "var/demo/thesis.txt").read_text() == "the only copy"


def test_a_folder_in_which_a_worker_is_running_is_left_alone(folder: Path, report: str) -> None:
    before = (folder / CSV).stat().st_ino
    with closing(EmbeddedBroker(folder / "var/demo").consumer(1)):
        done = started(folder=folder)
    assert (done.returncode, done.stdout) == (1, "")
    assert "a worker is running in var/demo" in done.stderr
    assert (folder / CSV).stat().st_ino == before


def test_every_command_it_proposes_works(folder: Path, report: str) -> None:
    proposed = [line.strip() for line in report.partition("What to try next\n")[2].splitlines()]
    assert len(proposed) == 3
    for command in proposed:
        done = subprocess.run(
            ["sh", "-c", command],
            cwd=folder,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        assert done.returncode == 0, (command, done.stderr)
        assert done.stdout.strip(), command


def test_the_json_accounts_for_every_message_and_entry(told: dict[str, Any]) -> None:
    messages = told["messages"]
    parts = ("reference_data", "commands", "tardy_versions", "repeats", "parked")
    assert (
        messages["published"] == sum(messages[part] for part in parts) == len(everything(generate(), EXPORTS))
    )
    for export in told["exports"]:
        assert export["matched"] == sum(export["states"].values())
    assert [run["trigger"] for run in told["runs"]] == [*["schedule"] * 3, "run_now"]
    assert told["replies"] == ["command.accepted", "run.delivered"]
    assert told["problems"] == []


def summary_of(told: Mapping[str, Any]) -> Summary:
    """The summary as the demo itself judges it."""
    plain = {name: told[name] for name in ("day", "time_zone", "home", "replies", "without_sftp")}
    return Summary(
        messages=Messages(**told["messages"]),
        exports=[ExportCounts(**one) for one in told["exports"]],
        runs=[Run(**one) for one in told["runs"]],
        held=[DemoHeld(**one) for one in told["held"]],
        parked=[DemoParked(**one) for one in told["parked"]],
        **plain,
    )


def test_a_lost_row_a_changed_file_and_a_lost_message_do_not_add_up(told: dict[str, Any]) -> None:
    summary = summary_of(told)
    first, *others = summary.runs
    expected = expect(generate(), everything(generate(), EXPORTS), EXPORTS)
    assert problems(summary, expected) == []
    for wrong in (
        replace(summary, runs=[replace(first, lines=first.lines - 1), *others]),
        replace(summary, runs=[replace(first, found_sha256="0" * 64), *others]),
        replace(summary, runs=[replace(first, found_sha256=None), *others]),
        replace(summary, runs=others),
        replace(summary, messages=replace(summary.messages, tardy_versions=1)),
        replace(summary, exports=[replace(summary.exports[0], states={}), *summary.exports[1:]]),
        replace(summary, replies=[]),
        replace(summary, parked=[]),
    ):
        assert problems(wrong, expected)


def test_it_says_so_where_the_folder_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "var").write_text("a file")
    done = started(folder=tmp_path)
    assert done.returncode == 78
    assert "WRITEBACK_HOME" in done.stderr
