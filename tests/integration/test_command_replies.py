"""Commands with whatever stands in their message's properties, on both databases."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import structlog

from schemas.topology import COMMANDS_QUEUE
from tests.builders import command, definition, outgoing, save
from tests.program import SteppedProgram
from worker.broker.by_url import open_broker
from worker.broker.ports import Delivery
from worker.intake.consumer import Intake


class Acknowledged(list[str]):
    """A consumer that writes down what it is told."""

    def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        self.extend(delivery.tag for delivery in deliveries)


@pytest.fixture
def program(database_url: str, tmp_path: Path) -> Iterator[SteppedProgram]:
    program = SteppedProgram(database_url, tmp_path / "home")
    yield program
    program.database.close()


def handle(program: SteppedProgram, home: Path, message: dict[str, Any], **properties: str) -> None:
    intake = Intake(
        program.database,
        open_broker(None, home),
        program.clock,
        program.instruments,
        places=program.places,
        worker="w",
        batch_size=500,
        linger=0,
    )
    told = Acknowledged()
    delivery = Delivery(COMMANDS_QUEUE, outgoing(message).body, "tag", **properties)  # type: ignore[arg-type]
    intake.handle_command(delivery, told, told)  # type: ignore[arg-type]  # all that is asked of either
    assert told == ["tag"]


@pytest.mark.parametrize(
    "properties",
    [
        {"correlation_id": "\udcff\udcfe"},
        {"reply_to": "a\x00b"},
        {"correlation_id": "\x00", "reply_to": "\udc80"},
    ],
)
def test_a_command_is_carried_out_whatever_bytes_stand_where_its_answer_is_to_go(
    program: SteppedProgram, tmp_path: Path, properties: dict[str, str]
) -> None:
    handle(program, tmp_path, save(definition()), **properties)
    assert [told["export_ids"] for told in program.outcomes("command.accepted")] == [["daily"]]


def test_the_log_says_which_command_was_refused_and_why(program: SteppedProgram, tmp_path: Path) -> None:
    refused = command("export.retry", {"export_id": "nowhere"})
    unreadable = command("export.pause", {"export_id": "NOWHERE"})
    with structlog.testing.capture_logs() as logged:
        handle(program, tmp_path, refused)
        handle(program, tmp_path, unreadable)
    told = [line for line in logged if line["event"] == "command"]
    assert [line["id"] for line in told] == [refused["id"], unreadable["id"]]
    assert "no export 'nowhere'" in told[0]["reason"] and "export_id" in told[1]["reason"]


@pytest.mark.parametrize(
    ("kind", "told"), [("export.nudge", "export.nudge"), ("export.Ada Byron\x1b[31m", "unknown")]
)
def test_an_outcome_repeats_a_type_only_where_it_has_the_form_of_one(
    program: SteppedProgram, tmp_path: Path, kind: str, told: str
) -> None:
    handle(program, tmp_path, {**command("export.retry", {}), "type": kind})
    assert [outcome["command_type"] for outcome in program.outcomes("command.refused")] == [told]
