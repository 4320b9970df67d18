"""Which installation a command speaks of: told, found by the service's file, and never begun by a question."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.builders import definition
from tests.conftest import SERVERS
from tests.processes import run_in

Typed = Callable[..., subprocess.CompletedProcess[str]]

QUESTIONS = [
    "status",
    "exports list",
    "exports list --all --json",
    "runs list",
    "held list",
    "held list --entries",
    "rejected list",
    "report",
    "audit",
    "check",
    "exports fields",
]
ABOUT_ONE = [
    "exports show daily",
    "exports preview daily",
    "runs show 0123",
    "trace t-1",
    "trace --student 7",
    "rejected show 0123",
]
ACTS = [
    "exports run-now daily",
    "exports pause daily",
    "exports delete daily --yes",
    "runs abandon 0123",
    "held dismiss t-1 --reason why",
    "rejected drop 0123 --yes",
    "student erase 7 --reason why --yes",
]


@pytest.fixture
def writeback(request: pytest.FixtureRequest) -> Typed:
    """The command as it is typed in a folder, with nothing of the program in the environment but what is given."""
    janitor = request.config.stash[SERVERS].janitor

    def typed(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        return run_in(janitor, folder, {**kept, **environment}, *arguments)

    return typed


@pytest.mark.parametrize("typed", QUESTIONS)
def test_a_question_where_nothing_is_yet_is_answered_and_creates_nothing(
    writeback: Typed, tmp_path: Path, typed: str
) -> None:
    done = writeback(tmp_path, *typed.split())
    assert done.returncode == 0, done.stderr
    assert typed == "exports fields" or "writeback: embedded, at ./var\n" in done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("typed", ABOUT_ONE + ACTS)
def test_what_names_something_where_nothing_is_yet_fails_in_a_line_and_creates_nothing(
    writeback: Typed, tmp_path: Path, typed: str
) -> None:
    done = writeback(tmp_path, *typed.split())
    assert (done.returncode, done.stdout) == (1, ""), done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_list_of_nothing_is_an_empty_array_for_programs(writeback: Typed, tmp_path: Path) -> None:
    done = writeback(tmp_path, "runs", "list", "--json")
    assert (done.returncode, json.loads(done.stdout)) == (0, [])
    assert "nothing is there yet" in done.stderr


def test_a_question_about_a_sqlite_database_of_ones_own_creates_neither_folder_nor_file(
    writeback: Typed,
    tmp_path: Path,
) -> None:
    done = writeback(tmp_path, "check", DATABASE_URL=f"sqlite:///{tmp_path}/deep/own.sqlite3")
    assert done.returncode == 1
    assert "run `writeback db upgrade` first" in done.stdout
    assert not list(tmp_path.iterdir())


def test_a_command_speaks_of_the_installation_of_the_service_whose_file_it_is_given(
    writeback: Typed, tmp_path: Path
) -> None:
    home, file = tmp_path / "home", tmp_path / "environment"
    file.write_text(f"# as systemd reads it\nWRITEBACK_HOME='{home}'\n")
    (tmp_path / "daily.json").write_text(json.dumps(definition()))
    saved = writeback(tmp_path, "--env-file", str(file), "exports", "apply", "daily.json")
    assert (saved.returncode, saved.stderr) == (0, "")
    listed = writeback(tmp_path, "exports", "list", "--json", WRITEBACK_ENV_FILE=str(file))
    assert [one["export_id"] for one in json.loads(listed.stdout)] == ["daily"]
    assert (home / "writeback.sqlite3").exists()
    assert not (tmp_path / "var").exists()


def test_a_file_that_is_not_there_is_wrong_configuration_that_names_what_named_it(
    writeback: Typed, tmp_path: Path
) -> None:
    done = writeback(tmp_path, "--env-file", "nowhere", "status")
    assert (done.returncode, done.stderr.count("\n")) == (78, 1)
    assert done.stderr.startswith("writeback: --env-file: nowhere: it cannot be read")
    assert "WRITEBACK_ENV_FILE: nowhere" in writeback(tmp_path, "status", WRITEBACK_ENV_FILE="nowhere").stderr


def test_a_variable_with_a_slip_in_its_name_is_told_with_the_one_that_is_meant(
    writeback: Typed, tmp_path: Path
) -> None:
    done = writeback(
        tmp_path,
        "exports",
        "list",
        WRITEBACK_BATCHSIZE="10",
        WRITEBACK_SECRET_X="y",
        WRITEBACK_TEST_KILL_AT="",
        WRITEBACK_HOME=str(tmp_path / "home"),
    )
    assert done.returncode == 0
    warnings = [line for line in done.stderr.splitlines() if "warning" in line]
    assert warnings == [
        "writeback: warning: WRITEBACK_BATCHSIZE is no variable of this program and has no effect;"
        " is WRITEBACK_BATCH_SIZE meant?"
    ]


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("DATABASE_URL", "postgresql+psycopg://me:to@p-secret@127.0.0.1:1/db"),
        ("DATABASE_URL", "postgresql+psycopg://me:to@1/p-secret@127.0.0.1:1/db"),
        ("BROKER_URL", "amqp://me:to/p-secret@127.0.0.1:1"),
        ("BROKER_URL", "amqp://me:12?p-secret@127.0.0.1:1"),
        ("BROKER_URL", "me:p-secret://127.0.0.1"),
    ],
)
def test_no_piece_of_a_password_is_shown_as_a_host_or_a_database(
    writeback: Typed, tmp_path: Path, name: str, url: str
) -> None:
    for command in ("status", "check"):
        done = writeback(tmp_path, command, **{name: url})
        assert done.returncode == 78
        assert "p-secret" not in done.stderr + done.stdout
        assert name in done.stderr
