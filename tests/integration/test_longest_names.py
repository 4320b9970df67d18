"""Every id as long as it may be, in characters of four bytes: no index of either database is too narrow for it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from schemas.messages.commands import COMMAND_TYPES
from schemas.messages.envelope import MAX_NAME
from schemas.messages.events import EVENT_TYPES
from schemas.topology import COMMANDS_QUEUE, EVENTS_QUEUE
from tests.builders import command, definition, envelope, outgoing, save
from tests.program import SteppedProgram
from tests.recorder import Recorder
from worker.broker.ports import Delivery


def wide(length: int) -> str:
    """So many characters, each of four bytes, that no page compresses."""
    return "".join(chr(0x20000 + (number * 7919) % 40000) for number in range(length))


WIDE = wide(64)
NAMES = {"id": wide(MAX_NAME), "source": wide(MAX_NAME + 1)[1:]}
EXPORT = "e" * 63
PERIOD = {"name": WIDE, "external_reference_code": WIDE, "start": "08:00", "end": "09:00"}
EVENTS: dict[str, dict[str, Any]] = {
    "tardy.recorded": {
        "tardy_id": WIDE,
        "version": 1,
        "district_id": WIDE,
        "school_id": WIDE,
        "occurred_at": "2026-10-06T08:07:00-05:00",
        "behavior_code": WIDE,
        "student": {"id": wide(256), "local_id": wide(256)},
        "period": WIDE,
    },
    "tardy.voided": {"tardy_id": WIDE, "version": 3, "district_id": WIDE, "school_id": WIDE},
    "behavior_code.saved": {
        "code": WIDE,
        "name": wide(200),
        "external_reference_code": WIDE,
        "school_id": WIDE,
        "district_id": WIDE,
        "version": 1,
    },
    "school.saved": {
        "school_id": WIDE,
        "district_id": WIDE,
        "name": wide(200),
        "time_zone": "America/Chicago",
        "sis_school_id": WIDE,
        "version": 1,
    },
    "bell_schedule.saved": {
        "school_id": WIDE,
        "district_id": WIDE,
        "bell_schedule_id": WIDE,
        "name": wide(200),
        "default": True,
        "weekdays": [],
        "dates": [],
        "periods": [PERIOD],
        "version": 1,
    },
    "school_day.saved": {
        "school_id": WIDE,
        "district_id": WIDE,
        "date": "2026-10-06",
        "in_session": True,
        "version": 1,
    },
}
EVENTS["tardy.amended"] = EVENTS["tardy.recorded"] | {"version": 2}
EXPORTED = {"schools": [WIDE], "codes": [WIDE], "district_id": WIDE}
RUN = {"run_id": wide(64), "reason": wide(500)}
ENTRY = {"ids": [f"{EXPORT}/{WIDE}"], "reason": wide(500)}
COMMANDS: dict[str, dict[str, Any]] = {
    "export.save": {"definition": definition(EXPORT, **EXPORTED), "run_now": True},
    "export.run_now": {"school_id": WIDE, "district_id": WIDE},
    "export.pause": {"export_id": EXPORT, "reason": wide(500)},
    "export.resume": {"export_id": EXPORT, "reason": wide(500)},
    "export.retry": {"export_id": EXPORT},
    "run.approve": RUN,
    "run.resend": RUN,
    "run.abandon": RUN,
    "entry.release": ENTRY,
    "entry.dismiss": ENTRY,
    "entry.undo": ENTRY,
    "code.map": {
        "code": WIDE,
        "school_id": WIDE,
        "district_id": WIDE,
        "external_reference_code": WIDE,
        "reason": wide(500),
    },
    "code.unmap": {"code": WIDE, "school_id": WIDE, "district_id": WIDE, "reason": wide(500)},
    "export.delete": {"export_id": EXPORT},
}
REFUSED = (
    "export.retry",
    "run.approve",
    "run.resend",
    "run.abandon",
    "entry.release",
    "entry.dismiss",
    "entry.undo",
)


class Hearing:
    """A program with its consumer, on a database."""

    def __init__(self, url: str, home: Path) -> None:
        self.program, self.heard = SteppedProgram(url, home), Recorder()
        self.intake = self.program.parts.intake()

    def event(self, message: dict[str, Any]) -> None:
        delivery = Delivery(EVENTS_QUEUE, outgoing(message).body, message["type"])
        self.intake.handle_events([delivery], self.heard, self.heard)  # type: ignore[arg-type]  # all it asks of them

    def command(self, message: dict[str, Any], kind: str | None = None) -> str:
        """What became of it."""
        before = self.program.outcome_types()
        delivery = Delivery(COMMANDS_QUEUE, outgoing(message).body, kind or message["type"])
        self.intake.handle_command(delivery, self.heard, self.heard)  # type: ignore[arg-type]  # all it asks of them
        assert delivery.tag in self.heard.acknowledged
        return ", ".join(self.program.outcome_types() - before)


@pytest.fixture
def hearing(database_url: str, tmp_path: Path) -> Hearing:
    return Hearing(database_url, tmp_path)


def test_every_message_and_command_is_taken_with_the_longest_ids(hearing: Hearing) -> None:
    assert EVENTS.keys() == EVENT_TYPES.keys()
    assert COMMANDS.keys() >= COMMAND_TYPES.keys()
    save_it = COMMANDS["export.save"] | {"run_now": False}
    assert hearing.command(save(save_it["definition"])) == "command.accepted"
    for kind, data in EVENTS.items():
        hearing.event(envelope(kind, data, **NAMES))
        hearing.event(envelope(kind, data, **NAMES))
    assert hearing.heard.parked == {}
    assert hearing.heard.acknowledged >= EVENTS.keys()
    for number, kind in enumerate(kind for kind in COMMANDS if kind in COMMAND_TYPES):
        data = COMMANDS[kind]
        names = NAMES | {"id": NAMES["id"][:-1] + chr(0x20000 + number)}
        wanted = "command.refused" if kind in REFUSED else "command.accepted"
        assert hearing.command(envelope(kind, data, **names)) == wanted
        assert hearing.command(envelope(kind, data, **names)) == wanted, "answered again"
        hearing.program.work()
    assert hearing.heard.parked == {}


BROKEN = {
    "an id too long": {"id": "i" * (MAX_NAME + 1)},
    "an id far too long": {"id": wide(20_000)},
    "a source too long": {"source": wide(MAX_NAME + 1)},
    "NUL in an attribute": {"traceparent": "a\0b"},
    "NUL in the subject": {"subject": "a\0b"},
    "a lone surrogate in an attribute": {"traceparent": "\ud800"},
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_command_whose_envelope_can_be_read_is_refused_and_never_parked(
    hearing: Hearing, what: str
) -> None:
    message = command("export.delete", {"export_id": "daily"}, **BROKEN[what])
    assert hearing.command(message) == "command.refused"
    [refused] = hearing.program.outcomes()
    assert refused["command_id"] == message["id"]
    assert what.split()[-1] in refused["reason"] or "at most 512 characters" in refused["reason"]
    assert hearing.command(message) == "command.refused", "it is remembered, and answered again"
    assert hearing.program.outcome_types() == Counter({"command.refused": 2})
    assert hearing.heard.parked == {}


def test_a_command_that_cannot_be_named_is_parked(hearing: Hearing) -> None:
    """Nobody could be told what became of it."""
    hearing.command(command("export.delete", {"export_id": "daily"}, id="a\0b"), "nameless")
    assert hearing.heard.parked == {"nameless": "invalid"}
