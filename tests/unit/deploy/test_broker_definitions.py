"""What `deploy/rabbitmq` makes: the contract's topology, users with secrets of their own, and nothing by default."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest

from schemas.topology import COMMANDS, EVENTS, EXCHANGES, QUEUES
from tests.granted import DEPLOY, make_definitions
from worker.senders import read_senders

DISTRICTS = ("--publisher=hero-lincoln=lincoln", "--commander=hero-adams=adams,adams-east")


def made(folder: Path, *options: str) -> dict[str, Any]:
    make_definitions(folder, *(options or DISTRICTS))
    found: dict[str, Any] = json.loads((folder / "definitions.json").read_text())
    return found


def test_they_declare_what_the_program_declares() -> None:
    topology = json.loads((DEPLOY / "rabbitmq" / "topology.json").read_text())
    made_by_itself = {"durable": True, "auto_delete": False}
    assert topology == {
        "exchanges": [
            {"name": one.name, "type": one.type, **made_by_itself, "internal": False, "arguments": {}}
            for one in EXCHANGES
        ],
        "queues": [{"name": one.name, **made_by_itself, "arguments": dict(one.arguments)} for one in QUEUES],
        "bindings": [
            {
                "source": queue.exchange,
                "destination": queue.name,
                "destination_type": "queue",
                "routing_key": pattern,
                "arguments": {},
            }
            for queue in QUEUES
            for pattern in queue.patterns
        ],
    }


def test_routing_keys_that_a_publisher_may_use_are_those_of_every_message_type(tmp_path: Path) -> None:
    permitted = {
        (one["user"], one["exchange"]): re.compile(one["write"])
        for one in made(tmp_path)["topic_permissions"]
    }
    assert all(permitted["hero-lincoln", "behavior"].match(event.name) for event in EVENTS)
    assert all(permitted["hero-adams", "writeback.commands"].match(command.name) for command in COMMANDS)
    assert ("hero-lincoln", "writeback.commands") not in permitted


def test_every_password_is_random_hashed_as_rabbitmq_does_and_readable_by_its_owner_alone(
    tmp_path: Path,
) -> None:
    users = {user["name"]: user for user in made(tmp_path)["users"]}
    passwords = {file.name: file.read_text().strip() for file in (tmp_path / "passwords").iterdir()}
    assert users.keys() == passwords.keys()
    assert len(set(passwords.values())) == len(passwords)
    for name, password in passwords.items():
        stored = base64.b64decode(users[name]["password_hash"])
        assert stored[4:] == hashlib.sha256(stored[:4] + password.encode()).digest()
        assert len(password) >= 43
        assert password not in json.dumps(users)
        assert stat.S_IMODE((tmp_path / "passwords" / name).stat().st_mode) == 0o600
    assert not any(user["tags"] for name, user in users.items() if name != "writeback-operator")


def test_a_publisher_that_is_added_leaves_every_password_as_it_was(tmp_path: Path) -> None:
    made(tmp_path, *DISTRICTS[:1])
    before = {file.name: file.read_text() for file in (tmp_path / "passwords").iterdir()}

    made(tmp_path)

    after = {file.name: file.read_text() for file in (tmp_path / "passwords").iterdir()}
    assert after.items() > before.items()


def test_the_senders_file_gives_each_publisher_its_districts_and_is_read_by_the_program(
    tmp_path: Path,
) -> None:
    made(tmp_path)

    senders = read_senders(str(tmp_path / "senders.json"))

    assert senders is not None
    assert senders.objection_to_event("hero-lincoln", "lincoln") is None
    assert senders.objection_to_event("hero-lincoln", "adams") is not None
    assert senders.objection_to_commands("hero-lincoln") is not None
    assert senders.objection_to_commands("hero-adams") is None
    assert senders.replayers == {"writeback-worker", "writeback-operator"}


@pytest.mark.parametrize(
    "publisher", ["hero", "Hero=lincoln", "hero=", "hero=a,,b", "writeback-worker=lincoln"]
)
def test_a_publisher_that_cannot_be_one_is_refused_in_words(tmp_path: Path, publisher: str) -> None:
    with pytest.raises(subprocess.CalledProcessError) as refused:
        make_definitions(tmp_path, f"--publisher={publisher}")
    assert "is not accepted; USER=DISTRICT" in refused.value.stderr
    assert not (tmp_path / "definitions.json").exists()
