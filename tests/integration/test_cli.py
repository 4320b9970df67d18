"""The command line as processes of its own: pipes, terminals, signals, and real servers behind it."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.builders import code, definition, rows_in, school, tardy
from tests.conftest import SERVERS
from tests.processes import Processes, command_line, processes, wait_for
from worker.store.database.engine import Database
from worker.store.database.tables import run_requests

HEAVY = ("sqlalchemy", "kombu", "pika", "alembic", "marshmallow", "rich", "yaml", "structlog")
ESCAPE = "\x1b["


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


@pytest.fixture
def writeback(request: pytest.FixtureRequest, tmp_path: Path, home: Path) -> Iterator[Processes]:
    """The program on its embedded default."""
    with processes(request.config.stash[SERVERS].janitor, tmp_path, {"WRITEBACK_HOME": str(home)}) as started:
        yield started


@pytest.fixture
def on_servers(
    request: pytest.FixtureRequest, tmp_path: Path, home: Path, amqp_url: str, postgres_url: str
) -> Iterator[Processes]:
    """The program on a virtual host and a database that nobody has prepared."""
    environment = {"WRITEBACK_HOME": str(home), "BROKER_URL": amqp_url, "DATABASE_URL": postgres_url}
    with processes(request.config.stash[SERVERS].janitor, tmp_path, environment) as started:
        yield started


def environment(home: Path, **more: str) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return {**kept, "WRITEBACK_HOME": str(home), "TERM": "xterm-256color", **more}


def ok(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 0, done.stderr
    return done.stdout


def apply(writeback: Processes, folder: Path, *documents: object) -> None:
    file = folder / "definitions.json"
    file.write_text(json.dumps(documents))
    ok(writeback.run("exports", "apply", str(file)))


def publish(writeback: Processes, folder: Path, *messages: object) -> None:
    file = folder / "messages.jsonl"
    file.write_text("\n".join(json.dumps(message) for message in messages))
    assert ok(writeback.run("publish", str(file))) == f"{len(messages)} messages published\n"


def test_a_morning_from_file_to_file_by_commands_alone(
    writeback: Processes, tmp_path: Path, home: Path
) -> None:
    """Also that waiting for a run covers what was published before it, and that SIGTERM ends with 0."""
    apply(writeback, tmp_path, definition())
    worker = writeback.start_ready()
    publish(writeback, tmp_path, school(), code(), *(tardy(f"t-{n}") for n in range(20)))
    run = json.loads(ok(writeback.run("exports", "run-now", "daily", "--wait", "60", "--json")))
    assert (run["state"], run["rows"]) == ("delivered", 20)
    [rows] = rows_in(home / "outbox").values()
    assert len(rows) == 20
    assert "nothing to send (0 held)" in ok(writeback.run("exports", "run-now", "daily", "--wait"))
    assert "delivered" in ok(writeback.run("trace", "t-7"))
    queues = json.loads(ok(writeback.run("status", "--json")))["queues"]
    assert [queue["consumers"] for queue in queues] == [1, 1, 0]
    assert worker.stop() == 0


def test_waiting_for_a_run_that_fails_is_a_failure_with_its_error(
    writeback: Processes, tmp_path: Path
) -> None:
    apply(writeback, tmp_path, definition(destination={"type": "directory", "path": str(tmp_path / "mount")}))
    writeback.start_ready()
    publish(writeback, tmp_path, school(), tardy())
    done = writeback.run("exports", "run-now", "daily", "--wait", "60")
    assert done.returncode == 1
    assert re.fullmatch(
        r"writeback: run [0-9a-f]{32} failed: folder .*there is no such folder.*\n", done.stderr
    )


@pytest.mark.bare
def test_the_same_commands_work_on_real_servers(on_servers: Processes, tmp_path: Path, home: Path) -> None:
    behind = on_servers.run("exports", "list")
    assert (behind.returncode, behind.stderr) == (
        1,
        "writeback: the database is empty; run `writeback db upgrade` first\n",
    )
    assert on_servers.run("run").returncode == 1
    ok(on_servers.run("db", "upgrade"))
    apply(on_servers, tmp_path, definition())
    for _ in range(2):  # looking makes nothing, or the second time it would be there
        unprepared = ok(on_servers.run("check", "--json"))
        assert {one["ok"] for one in json.loads(unprepared)} == {True}
        assert "not there yet: exchange writeback.rejected" in unprepared
    on_servers.start_ready()
    prepared = ok(on_servers.run("check", "--json"))
    assert {one["ok"] for one in json.loads(prepared)} == {True} and "not there yet" not in prepared
    publish(on_servers, tmp_path, school(), code(), tardy(), {"type": "tardy.recorded", "data": {}})
    previewed = wait_for(
        lambda: ok(on_servers.run("exports", "preview", "daily")), "the tardy to be buffered"
    )
    assert "delivered 1 row in daily_0001.csv" in ok(
        on_servers.run("exports", "run-now", "daily", "--wait", "60")
    )
    assert (home / "outbox" / "daily_0001.csv").read_text() == previewed
    [parked] = json.loads(ok(on_servers.run("rejected", "list", "--json")))
    assert "x-writeback-reason" in ok(on_servers.run("rejected", "show", parked["parked_id"]))
    assert ok(on_servers.run("rejected", "drop", parked["parked_id"])) == "1 message deleted\n"
    (home / "outbox" / "daily_0001.csv").unlink()
    [run] = json.loads(ok(on_servers.run("runs", "list", "--state", "delivered", "--json")))
    ok(on_servers.run("runs", "resend", run["run_id"][:8], "--reason", "lost"))
    wait_for((home / "outbox" / "daily_0001.csv").exists, "the file to be sent again")
    assert "nothing is held" in ok(on_servers.run("held", "list"))
    assert "t-1" in ok(on_servers.run("trace", "t-1"))
    assert "daily" in ok(on_servers.run("status"))


def test_persons_decide_while_a_worker_runs(on_servers: Processes, tmp_path: Path, home: Path) -> None:
    """A guarded run approved, a correction released, each on its way at once; the trace tells who let it go."""
    ok(on_servers.run("db", "upgrade"))
    fields = [{"field": "tardy_id"}, {"field": "comment"}, {"field": "action"}]
    apply(on_servers, tmp_path, definition(fields=fields, guard={"max_rows": 1}))
    on_servers.start_ready()
    publish(on_servers, tmp_path, school(), code(), tardy("t-1"), tardy("t-2"))
    waiting = on_servers.run("exports", "run-now", "daily", "--wait", "60")
    assert waiting.returncode == 1
    assert "is guarded and waits for a person" in waiting.stderr
    [run] = json.loads(ok(on_servers.run("runs", "list", "--state", "guarded", "--json")))
    ok(on_servers.run("runs", "approve", run["run_id"], "--reason", "the first morning"))
    wait_for((home / "outbox" / "daily_0001.csv").exists, "the approved run to be delivered")
    publish(on_servers, tmp_path, tardy("t-2", version=2, comment="excused"), school(version=2))
    wait_for(lambda: json.loads(ok(on_servers.run("held", "list", "--json"))), "the change to be held")
    ok(on_servers.run("held", "release", "daily/t-2", "--reason", "the office agreed"))
    ok(on_servers.run("exports", "run-now", "daily", "--wait", "60"))
    assert (home / "outbox" / "daily_0002.csv").read_text() == "t-2,excused,change\n"
    assert "the office agreed" in ok(on_servers.run("trace", "--student", "L-t-2"))


@pytest.mark.parametrize("arguments", [["--help"], ["exports", "apply", "--help"], ["run", "nonsense"]])
def test_help_and_wrong_usage_load_nothing_heavy(arguments: list[str]) -> None:
    program = (
        "import sys\nfrom worker.cli import cli\n"
        "try: cli(sys.argv[1:], prog_name='writeback')\n"
        f"except SystemExit: sys.stderr.write(repr([name for name in {HEAVY!r} if name in sys.modules]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=True
    )
    assert done.stderr.splitlines()[-1] == "[]"


def test_a_reader_that_goes_away_is_no_error(home: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        command_line("exports", "fields"),
        stdout=writing,
        stderr=subprocess.PIPE,
        env=environment(home),
        check=False,
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.parametrize("arguments", [["exports", "fields"], ["exports", "fields", "--json"]])
def test_an_output_that_cannot_be_written_is_told(home: Path, arguments: list[str]) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            command_line(*arguments), stdout=full, stderr=subprocess.PIPE, env=environment(home), check=False
        )
    assert done.returncode == 1
    assert done.stderr == b"writeback: the output cannot be written: No space left on device\n"


def test_an_argument_that_is_not_utf_8_is_wrong_usage(home: Path) -> None:
    done = subprocess.run(
        [*command_line("trace"), b"t-\xff"], capture_output=True, env=environment(home), check=False
    )
    assert done.returncode == 2
    assert b"it is not UTF-8" in done.stderr
    assert list(home.iterdir()) == []


def test_a_terminal_of_few_characters_gets_all_the_same(
    writeback: Processes, tmp_path: Path, home: Path
) -> None:
    apply(writeback, tmp_path, definition(name="Café Ω"))
    latin = environment(home, PYTHONIOENCODING="latin-1")
    done = subprocess.run(
        command_line("exports", "show", "daily"), capture_output=True, env=latin, check=True
    )
    assert b"Caf\xe9 \\u03a9" in done.stdout


def test_ctrl_c_ends_quietly_with_130(writeback: Processes, tmp_path: Path, home: Path) -> None:
    apply(writeback, tmp_path, definition())
    process = subprocess.Popen(
        command_line("exports", "run-now", "daily", "--wait", "600"),
        stderr=subprocess.PIPE,
        env=environment(home),
    )
    database = Database(f"sqlite:///{home / 'writeback.sqlite3'}")

    def asked_for() -> bool:
        with database.read() as connection:
            return connection.execute(run_requests.select()).first() is not None

    try:
        wait_for(asked_for, "the run to be asked for")
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=180)
    finally:
        process.kill()
        database.close()
    assert (process.returncode, told.strip()) == (130, b"")


def on_a_terminal(
    arguments: Sequence[str], env: dict[str, str], *, typed: str = "", columns: int = 60
) -> tuple[int, str]:
    """A command's exit status and what a terminal of that width shows of it."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen(command_line(*arguments), stdin=theirs, stdout=theirs, stderr=theirs, env=env)
    os.close(theirs)
    os.write(ours, typed.encode())
    shown = b""
    while select.select([ours], [], [], 60)[0]:
        try:
            chunk = os.read(ours, 4096)
        except OSError:
            break  # how Linux says that the other end is closed
        shown += chunk
    os.close(ours)
    return process.wait(60), shown.decode().replace("\r\n", "\n")


def test_a_table_fits_the_terminal_and_hides_nothing(
    writeback: Processes, tmp_path: Path, home: Path
) -> None:
    schedule = {"frequency": "cron", "expression": "30 10 * * MON-FRI", "time_zone": "America/Chicago"}
    apply(
        writeback, tmp_path, definition("a-rather-long-name-for-an-export-in-one-school", schedule=schedule)
    )
    status, shown = on_a_terminal(["exports", "list"], environment(home, NO_COLOR="1"))
    assert status == 0
    assert ESCAPE not in shown
    lines = shown.splitlines()
    assert max(map(len, lines)) <= 60
    assert "…" not in shown
    assert "a-rather-long-name-for-an-export-in-one-school" in lines
    assert any(re.fullmatch(r"  next run +2\d{3}-\d\d-\d\d \d\d:\d\d C[DS]T", line) for line in lines)


def test_at_80_columns_no_id_file_name_time_or_checksum_is_broken_or_cut(
    writeback: Processes, tmp_path: Path, home: Path
) -> None:
    """Times stand in the export's zone, with its name."""
    fields = [{"field": "tardy_id"}, {"field": "student.local_id", "required": True}]
    apply(writeback, tmp_path, definition(fields=fields))
    writeback.start_ready()
    publish(writeback, tmp_path, school(), code(), tardy(), tardy("t-2", student={"id": "s-2"}))
    run = json.loads(ok(writeback.run("exports", "run-now", "daily", "--wait", "60", "--json")))
    day = "2026-10-06"
    whole = {
        ("runs", "list"): [run["run_id"], run["file"]["name"]],
        ("runs", "show", run["run_id"]): [run["run_id"], run["file"]["name"], run["file"]["sha256"]],
        ("trace", "t-1"): [run["run_id"], run["file"]["name"], run["file"]["sha256"]],
        ("report", "--date", day): [run["run_id"], run["file"]["name"], run["file"]["sha256"]],
        ("held", "list", "--entries"): ["daily/t-2"],
        ("status",): ["daily"],
    }
    for command, words in whole.items():
        _, shown = on_a_terminal(list(command), environment(home, NO_COLOR="1"), columns=80)
        text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown)
        for word in words:
            assert word in text, (command, text)
        for line in text.split("\n"):
            kept_whole = ("sha256", "`", str(home))  # a folder is as long as it is
            fits = len(line.rpartition("\r")[2]) <= 80
            assert fits or any(word in line for word in kept_whole), (command, line)
        times = re.findall(r"\d{4}-\d\d-\d\d \d\d:\d\d(?::\d\d)? ?(\S*)", text)
        assert set(times) <= {"CDT", "CST", "CDT;", "CST;", "CDT,", "CST,"}, (command, text)


def test_colours_are_for_terminals_alone_and_not_with_no_color(
    writeback: Processes, tmp_path: Path, home: Path
) -> None:
    apply(writeback, tmp_path, definition())
    ok(writeback.run("exports", "pause", "daily", "--reason", "upgrade"))
    yellow = "\x1b[33m"
    assert yellow in on_a_terminal(["exports", "list"], environment(home), columns=120)[1]
    assert yellow not in on_a_terminal(["exports", "list"], environment(home, NO_COLOR="1"), columns=120)[1]
    assert ESCAPE not in ok(writeback.run("exports", "list"))


@pytest.mark.parametrize(
    ("typed", "options", "status", "left"),
    [("n\n", [], 1, 1), ("\n", [], 1, 1), ("y\n", [], 0, 0), ("", ["--yes"], 0, 0)],
)
def test_deleting_is_asked_about_on_a_terminal(
    writeback: Processes, tmp_path: Path, home: Path, typed: str, options: list[str], status: int, left: int
) -> None:
    apply(writeback, tmp_path, definition())
    ended, shown = on_a_terminal(
        ["exports", "delete", "daily", *options], environment(home), typed=typed, columns=100
    )
    assert ended == status
    assert ("Delete the export daily?" in shown) == (not options)
    assert len(json.loads(ok(writeback.run("exports", "list", "--json")))) == left


@pytest.mark.parametrize(
    ("typed", "asked"),
    [
        ("exports apply definitions.json", "Save this?"),
        ("exports restore daily 1", "Save this?"),
        ("exports pause daily", "Pause the export daily?"),
        ("exports resume daily", "Resume the export daily?"),
        ("exports retry daily", "Try the run of daily again at once?"),
        ("held dismiss t-1 --reason why", "End, without sending it, t-1?"),
        ("held release t-1 --reason why", "Send t-1?"),
        ("rejected replay --all", "Have every parked message handled again?"),
        ("rejected drop --all", "Delete every parked message for good?"),
    ],
)
def test_an_act_is_asked_about_on_a_terminal_and_a_no_changes_nothing(
    writeback: Processes, tmp_path: Path, home: Path, typed: str, asked: str
) -> None:
    apply(writeback, tmp_path, definition())
    ok(writeback.run("exports", "apply", str(file := tmp_path / "definitions.json")))
    file.write_text(json.dumps([definition(name="Another")]))
    if "restore" in typed:
        ok(writeback.run("exports", "apply", str(file)))
    before = ok(writeback.run("exports", "show", "daily", "--json"))
    words = [str(file) if word == "definitions.json" else word for word in typed.split()]
    status, shown = on_a_terminal(words, environment(home), typed="n\n", columns=100)
    assert (status, asked in shown, "not confirmed; nothing was changed" in shown) == (1, True, True), shown
    if "Save" in asked:
        assert '"A daily file"' in shown and "Another" in shown
        assert "of what waits, 0 rows would be cancelled and 0 added" in shown
    assert ok(writeback.run("exports", "show", "daily", "--json")) == before


def test_a_parked_body_cannot_command_the_terminal(writeback: Processes, tmp_path: Path, home: Path) -> None:
    file = tmp_path / "raw.jsonl"
    file.write_bytes(b"\x1b]0;title\x07\xff")
    ok(writeback.run("publish", "--raw", str(file)))
    writeback.start_ready()
    wait_for(lambda: json.loads(ok(writeback.run("rejected", "list", "--json"))), "the message to be parked")
    [parked] = json.loads(ok(writeback.run("rejected", "list", "--json")))
    _, shown = on_a_terminal(["rejected", "show", parked["parked_id"]], environment(home), columns=100)
    assert "\\x1b]0;title\\x07" in shown
    assert "\x1b]0" not in shown
