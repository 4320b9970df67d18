"""How a consumer groups what it was handed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from structlog.testing import capture_logs

from schemas.topology import COMMANDS_QUEUE, DELIVERY_LIMIT, EVENTS_QUEUE
from tests.builders import bell_schedule, code, definition, outgoing, save, school, tardy
from tests.integration.setting_aside import broken, fails
from tests.program import SteppedProgram
from worker.broker.ports import Delivery, Rejection
from worker.failpoints import Step


class Batches:
    """A consumer and a publisher that write down what they are told, batch by batch."""

    def __init__(self) -> None:
        self.acknowledged: list[list[str]] = []
        self.parked: list[tuple[Any, str]] = []

    def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        self.acknowledged.append([delivery.tag for delivery in deliveries])

    def keep_alive(self) -> None:
        pass

    def park(self, delivery: Delivery, rejection: Rejection) -> None:
        self.parked.append((delivery.tag, rejection.code))


def delivered(name: str, count: int = 0, **about: Any) -> Delivery:
    return Delivery(EVENTS_QUEUE, outgoing(tardy(name)).body, name, delivery_count=count, **about)


def handled(program: SteppedProgram, *deliveries: Delivery) -> Batches:
    recorder = Batches()
    intake = program.parts.intake()
    intake.handle_events(deliveries, recorder, recorder)  # type: ignore[arg-type]  # all that is asked of either
    return recorder


def commanded(program: SteppedProgram, *messages: Mapping[str, Any]) -> Batches:
    recorder = Batches()
    intake = program.parts.intake()
    for number, message in enumerate(messages):
        delivery = Delivery(COMMANDS_QUEUE, outgoing(message).body, str(number))
        intake.handle_command(delivery, recorder, recorder)  # type: ignore[arg-type]  # all that is asked of either
    return recorder


def test_what_was_handed_out_several_times_is_handled_last_and_alone(sqlite_url: str, tmp_path: Path) -> None:
    program = SteppedProgram(sqlite_url, tmp_path)
    found = handled(
        program,
        delivered("a", 3),
        delivered("b"),
        delivered("c", 2),
        delivered("d", 9),
        delivered("e", replayed=True),
    )
    assert found.acknowledged[0] == ["b", "c"]
    assert sorted(found.acknowledged[1:]) == [["a"], ["d"], ["e"]]


def test_what_was_handed_out_too_often_is_parked_unread(sqlite_url: str, tmp_path: Path) -> None:
    """RabbitMQ's queues see to that themselves; the embedded inbox has no limit of its own."""
    program = SteppedProgram(sqlite_url, tmp_path)
    found = handled(program, delivered("a", DELIVERY_LIMIT + 1), delivered("b", DELIVERY_LIMIT))
    assert found.parked == [("a", "delivery-limit")]
    assert sorted(tag for group in found.acknowledged for tag in group) == ["a", "b"]


def test_a_bell_schedule_with_a_period_of_more_than_six_hours_is_taken_and_asked_about(
    sqlite_url: str, tmp_path: Path
) -> None:
    program = SteppedProgram(sqlite_url, tmp_path)
    odd = bell_schedule(periods=[{"name": "1", "start": "08:00", "end": "20:50"}])
    with capture_logs() as logs:
        for name in ("first", "again"):
            handled(program, Delivery(EVENTS_QUEUE, outgoing(odd).body, name))
    assert [entry["odd"] for entry in logs if "odd" in entry] == [
        "period 1 lasts 12 h 50 min, from 08:00 to 20:50; is 08:50 meant?"
    ]


def test_a_bell_schedule_that_is_stored_is_acknowledged_though_nothing_could_be_told_of_it(
    sqlite_url: str, tmp_path: Path
) -> None:
    program = SteppedProgram(sqlite_url, tmp_path)
    with broken(fails(Step.ODDITIES)), capture_logs() as logs:
        found = handled(program, Delivery(EVENTS_QUEUE, outgoing(bell_schedule()).body, "bells"))
    assert found.acknowledged == [["bells"]]
    assert [entry["event"] for entry in logs if entry["log_level"] == "error"] == ["an error of the program"]


def test_what_of_a_definition_saved_by_message_is_most_likely_not_meant_goes_to_the_log_once(
    sqlite_url: str, tmp_path: Path
) -> None:
    """As `exports apply` tells it; neither a duplicate nor a refusal tells anything."""
    program = SteppedProgram(sqlite_url, tmp_path)
    program.receive(school(), code())
    odd = save(definition(codes=["TARDI"], schools=["0012", "0021"]))
    wrong = save(definition("other", codes=["TARDI"], fields=[]))
    with capture_logs() as logs:
        found = commanded(program, odd, odd, wrong)
    assert [(entry["log_level"], entry["export"], entry["odd"]) for entry in logs if "odd" in entry] == [
        ("warning", "daily", "schools: no message has named the school 0021 yet; nearest: 0012"),
        ("warning", "daily", "codes: no message has named the behavior code TARDI yet; nearest: TARDY"),
    ]
    assert [entry["result"] for entry in logs if "result" in entry] == ["accepted", "duplicate", "refused"]
    assert len(found.acknowledged) == 3
    assert program.outcomes("command.accepted")[0].keys() == {"command_id", "command_type", "export_ids"}


def test_a_definition_that_is_saved_is_acknowledged_though_nothing_could_be_told_of_it(
    sqlite_url: str, tmp_path: Path
) -> None:
    program = SteppedProgram(sqlite_url, tmp_path)
    with broken(fails(Step.ODDITIES)), capture_logs() as logs:
        found = commanded(program, save(definition()))
    assert found.acknowledged == [["0"]]
    assert [entry["event"] for entry in logs if entry["log_level"] == "error"] == ["an error of the program"]
