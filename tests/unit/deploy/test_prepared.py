"""The passwords and keys that `deploy/compose/prepare.py` makes: whole, each where it is needed, and no place else."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.granted import DEPLOY
from worker.env_file import read_env_file
from worker.senders import read_senders

PREPARE = DEPLOY / "compose" / "prepare.py"


def prepare(folder: Path) -> str:
    return subprocess.run(
        [sys.executable, str(PREPARE), str(folder)], text=True, capture_output=True, check=True
    ).stdout


def variables_of(folder: Path) -> dict[str, str]:
    return read_env_file((folder / "environment").read_text()).values


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("prepared")
    prepare(folder)
    return folder


def everything(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_worker_is_told_where_its_servers_are_and_who_may_send(made: Path) -> None:
    variables = variables_of(made / "worker")

    assert urlsplit(variables["BROKER_URL"]).username == "writeback-worker"
    assert urlsplit(variables["DATABASE_URL"]).username == "writeback_worker"
    senders = read_senders(str(made / "worker" / "senders.json"))
    assert senders is not None and "writeback-worker" in senders.replayers


def test_the_passwords_of_both_sides_are_the_same(made: Path) -> None:
    for who, role in (("worker", "worker"), ("operator", "worker"), ("migrate", "migrate")):
        url = variables_of(made / who)["DATABASE_URL"]
        assert urlsplit(url).password == (made / "database" / role).read_text()
    assert {
        user["name"] for user in json.loads((made / "broker" / "definitions.json").read_text())["users"]
    } == {
        "writeback-worker",
        "writeback-operator",
        "writeback-scaler",
    }


def test_who_migrates_has_no_login_of_the_broker_and_rabbitmq_has_no_password(made: Path) -> None:
    assert set(variables_of(made / "migrate")) == {"DATABASE_URL"}
    assert sorted(path.name for path in (made / "broker").iterdir()) == ["definitions.json", "senders.json"]


def test_nothing_is_readable_by_others_but_the_key_that_sshd_reads_as_the_user(made: Path) -> None:
    readable = {
        str(path.relative_to(made))
        for path in made.rglob("*")
        if path.is_file() and stat.S_IMODE(path.stat().st_mode) & 0o077
    }
    assert readable == {"sis/authorized_keys"}


def test_a_second_start_changes_nothing(made: Path) -> None:
    before = everything(made)

    assert prepare(made) == "prepared before; nothing is changed\n"

    assert everything(made) == before
