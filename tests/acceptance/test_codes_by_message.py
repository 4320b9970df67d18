"""A code's whole life by messages on RabbitMQ and PostgreSQL: waits, is mapped, is never sent, waits again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.acceptance.amqp import Client
from tests.builders import code, command, definition, rows_in, save, school, tardy
from tests.processes import Processes, wait_for

FIELDS = [{"field": "tardy_id"}, {"field": "behavior.external_reference_code", "required": True}]


def test_an_administrators_word_by_message_frees_spares_and_is_taken_back(
    writeback: Processes, client: Client, home: Path
) -> None:
    worker = writeback.start_ready()
    accepted(client, save(definition(fields=FIELDS)))
    client.publish([school(), code("T"), tardy("a", behavior_code="PE"), tardy("b", behavior_code="GYM")])
    wait_for(lambda: waiting(writeback) == {"PE": 1, "GYM": 1}, "both to wait for their codes")
    word = {"code": "PE", "reason": "the SIS has its own"}
    accepted(client, command("code.map", word | {"external_reference_code": "T9"}))
    accepted(client, command("code.map", {"code": "GYM", "never_send": True, "reason": "gym is no lesson"}))
    assert delivered(client, home) == {"daily_0001.csv": ["a,T9"]}
    codes = listed(writeback)
    assert (codes["GYM"]["never_send"], codes["GYM"]["not_required"], codes["GYM"]["waiting"]) == (True, 1, 0)
    buffered = worker.metric("writeback_buffer_entries", export="daily", state="not_required")
    assert buffered == 1
    accepted(client, command("code.unmap", {"code": "GYM", "reason": "it is one after all"}))
    wait_for(lambda: waiting(writeback) == {"GYM": 1}, "it to wait again")
    [refused] = client.replies(client.command(command("code.unmap", {"code": "GYM", "reason": "again"})))
    assert refused["type"] == "command.refused" and "is not mapped" in refused["data"]["reason"]
    client.publish([code("G", name="GYM")])
    wait_for(lambda: waiting(writeback) == {}, "nothing to wait any more")
    assert delivered(client, home)["daily_0002.csv"] == ["b,G"]
    assert worker.stop() == 0


def accepted(client: Client, message: dict[str, Any]) -> None:
    [reply] = client.replies(client.command(message))
    assert (reply["type"], reply["data"]["export_ids"]) == ("command.accepted", ["daily"]), reply


def delivered(client: Client, home: Path) -> dict[str, list[str]]:
    """Every file there is, once a run-now has delivered one more."""
    run = client.replies(client.command(command("export.run_now", {"export_id": "daily"})), least=2)[1]
    assert run["type"] == "run.delivered", run
    return rows_in(home / "outbox")


def listed(writeback: Processes) -> dict[str, dict[str, Any]]:
    ended = writeback.run("codes", "list", "--json")
    assert ended.returncode == 0, ended.stderr
    return {one["code"]: one for one in json.loads(ended.stdout)}


def waiting(writeback: Processes) -> dict[str, int]:
    """How many entries wait for which code, as the command line shows it."""
    return {name: one["waiting"] for name, one in listed(writeback).items() if one["waiting"]}
