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
from worker.broker.ports import Delivery


class Acknowledged(list[str]):
    """A consumer that writes down what it is told."""

    def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        self.extend(delivery.tag for delivery in deliveries)


@pytest.fixture
def program(database_url: str, tmp_path: Path) -> Iterator[SteppedProgram]:
    program = SteppedProgram(database_url, tmp_path / "home")
    yield program
    program.database.close()


def handle(program: SteppedProgram, message: dict[str, Any], **properties: str) -> None:
    intake = program.parts.intake()
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
    program: SteppedProgram, properties: dict[str, str]
) -> None:
    handle(program, save(definition()), **properties)
    assert [told["export_ids"] for told in program.outcomes("command.accepted")] == [["daily"]]


def test_the_log_says_which_command_was_refused_and_why(program: SteppedProgram) -> None:
    refused = command("export.retry", {"export_id": "nowhere"})
    unreadable = command("export.pause", {"export_id": "NOWHERE"})
    with structlog.testing.capture_logs() as logged:
        handle(program, refused)
        handle(program, unreadable)
    told = [line for line in logged if line["event"] == "command"]
    assert [line["id"] for line in told] == [refused["id"], unreadable["id"]]
    assert "no export 'nowhere'" in told[0]["reason"] and "export_id" in told[1]["reason"]


@pytest.mark.parametrize(
    ("kind", "told"), [("export.nudge", "export.nudge"), ("export.Ada Byron\x1b[31m", "unknown")]
)
def test_an_outcome_repeats_a_type_only_where_it_has_the_form_of_one(
    program: SteppedProgram, kind: str, told: str
) -> None:
    handle(program, {**command("export.retry", {}), "type": kind})
    assert [outcome["command_type"] for outcome in program.outcomes("command.refused")] == [told]
