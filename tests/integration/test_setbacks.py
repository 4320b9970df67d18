"""What a consumer does with what it cannot store: whose fault it is decides, and nobody else pays for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from sqlalchemy import select, text

from schemas.topology import COMMANDS_QUEUE, EVENTS_QUEUE
from tests.builders import bell_schedule, command, definition, outgoing, save, tardy
from tests.program import SteppedProgram
from tests.recorder import Recorder
from worker import failpoints
from worker.broker.ports import Delivery
from worker.errors import UnavailableError
from worker.failpoints import Arrow
from worker.ops.logs import configure_logs
from worker.store.database.tables import tardies

# What PostgreSQL does to the row of the tardy `poison`, as a server that fails in some way would.
_TRIGGER = """
CREATE OR REPLACE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF {condition} THEN RAISE EXCEPTION 'as the test wants it' USING ERRCODE = '{state}'; END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER fail BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION fail();
"""


class Consumer:
    """A consumer of a database, stepped by hand."""

    def __init__(self, program: SteppedProgram) -> None:
        self.program, self.heard = program, Recorder()
        self.intake = program.parts.intake()

    def events(self, *messages: dict[str, Any], handed_out: int = 0) -> None:
        deliveries = [
            Delivery(EVENTS_QUEUE, outgoing(message).body, tag_of(message), delivery_count=handed_out)
            for message in messages
        ]
        self.intake.handle_events(deliveries, self.heard, self.heard)  # type: ignore[arg-type]  # all it asks of them

    def command(self, message: dict[str, Any], handed_out: int = 0) -> None:
        delivery = Delivery(COMMANDS_QUEUE, outgoing(message).body, "command", delivery_count=handed_out)
        self.intake.handle_command(delivery, self.heard, self.heard)  # type: ignore[arg-type]  # all it asks of them

    def stored(self) -> set[str]:
        with self.program.database.read() as connection:
            return set(connection.execute(select(tardies.c.tardy_id)).scalars())

    def fails(
        self, state: str, table: str = "tardy_versions", condition: str = "NEW.tardy_id = 'poison'"
    ) -> None:
        """From now on PostgreSQL raises this SQLSTATE for such a row."""
        with self.program.database.write() as connection:
            connection.execute(text(_TRIGGER.format(state=state, table=table, condition=condition)))

    def is_well(self, table: str = "tardy_versions") -> None:
        with self.program.database.write() as connection:
            connection.execute(text(f"DROP TRIGGER fail ON {table}"))


def tag_of(message: dict[str, Any]) -> str:
    return str(message["data"].get("tardy_id", message["id"]))


@pytest.fixture(autouse=True)
def plain_log() -> Iterator[None]:
    """The log as in production: unconfigured, structlog draws each traceback with all that was known then."""
    before = structlog.get_config()
    configure_logs("json", "error")
    yield
    structlog.configure(**before)


@pytest.fixture
def consumer(postgres_url: str, tmp_path: Path) -> Consumer:
    return Consumer(SteppedProgram(postgres_url, tmp_path))


@pytest.fixture
def disarmed() -> Iterator[None]:
    yield
    failpoints.arm(None)


GOOD = [f"t{number}" for number in range(20)]


def with_poison() -> list[dict[str, Any]]:
    messages = [tardy(name) for name in GOOD]
    messages.insert(7, tardy("poison"))
    return messages


@pytest.mark.parametrize("state", ["22003", "22P05", "23514"])
def test_what_the_database_cannot_store_of_one_message_parks_that_message_alone(
    consumer: Consumer, state: str
) -> None:
    consumer.fails(state)
    consumer.events(*with_poison())
    assert consumer.heard.parked == {"poison": "invalid"}
    assert consumer.stored() == set(GOOD)
    assert consumer.heard.acknowledged == {*GOOD, "poison"}


@pytest.mark.parametrize("state", ["XX000", "P0001", "54000", "23502", "23505"])
def test_a_message_that_meets_a_defect_stays_in_hand_while_the_others_go_on(
    consumer: Consumer, state: str
) -> None:
    """In the same session: no innocent is handed out once more for its sake."""
    consumer.fails(state)
    for handed_out in range(4):
        consumer.events(*with_poison(), handed_out=handed_out)
        assert consumer.heard.parked == {}
        assert consumer.stored() == set(GOOD)
        assert consumer.heard.acknowledged == set(GOOD)


def test_a_data_error_over_rows_that_are_stored_is_no_messages_fault(consumer: Consumer) -> None:
    """As where a school's new bell schedule has something judged anew that cannot be."""
    consumer.program.command(save(definition()))
    consumer.fails("22012", "entry_rows", "NEW.tardy = (SELECT tardy FROM tardies WHERE tardy_id = 'poison')")
    consumer.events(*with_poison(), bell_schedule())
    assert consumer.heard.parked == {}
    assert consumer.stored() == set(GOOD)


def test_where_every_message_meets_a_defect_nothing_is_parked_and_consuming_stops(consumer: Consumer) -> None:
    consumer.fails("XX000", condition="true")
    with pytest.raises(UnavailableError) as raised:
        consumer.events(*with_poison())
    assert raised.value.kind == "defect"
    assert consumer.heard.parked == {}
    assert consumer.heard.acknowledged == set()


@pytest.mark.parametrize("state", ["25006", "53100", "53300", "53400", "42501", "42P01", "57014", "55P03"])
def test_what_is_the_databases_trouble_parks_and_refuses_nothing(consumer: Consumer, state: str) -> None:
    consumer.program.command(save(definition()))
    consumer.fails(state, condition="true")
    consumer.fails(state, "commands", condition="true")
    with pytest.raises(UnavailableError):
        consumer.events(*with_poison())
    for data in ({"export_id": "daily"}, {"export_id": 5}):
        with pytest.raises(UnavailableError):
            consumer.command(command("export.delete", data))
    assert consumer.heard.parked == {}
    assert consumer.heard.acknowledged == set()
    assert consumer.program.outcomes("command.refused") == []


def test_a_command_that_meets_a_defect_once_is_carried_out_when_it_is_tried_again(
    consumer: Consumer, disarmed: None
) -> None:
    failpoints.arm(failing_at(Arrow.COMMAND_BEFORE_COMMIT, times=1))
    consumer.command(save(definition()))
    assert consumer.heard.acknowledged == set()
    consumer.command(save(definition()))
    assert consumer.heard.acknowledged == {"command"}
    assert consumer.program.outcome_types() == Counter({"command.accepted": 1})


def test_a_command_that_always_meets_a_defect_is_refused_in_the_end_and_may_be_sent_again(
    consumer: Consumer, disarmed: None
) -> None:
    """With a reference to the log; the commands behind it have waited for a minute, not for ever."""
    message = save(definition())
    failpoints.arm(failing_at(Arrow.COMMAND_BEFORE_COMMIT, times=1000))
    for _ in range(100):
        consumer.command(message)
        if consumer.heard.acknowledged:
            break
    [refused] = consumer.program.outcomes("command.refused")
    assert "reference" in refused["reason"]
    assert "as the test wants it" not in refused["reason"], "a library's text may hold a row"
    assert refused["command_id"] == message["id"]
    assert consumer.heard.parked == {}
    failpoints.arm(None)
    consumer.command(message)
    assert consumer.program.outcome_types() == Counter({"command.refused": 1, "command.accepted": 1})


def test_a_command_that_has_ended_whoever_took_it_is_refused_before_the_broker_parks_it(
    consumer: Consumer,
) -> None:
    consumer.command(save(definition()), handed_out=60)
    assert consumer.heard.acknowledged == {"command"}
    assert consumer.program.outcome_types() == Counter({"command.refused": 1})


def failing_at(wanted: Arrow, times: int) -> Any:
    left = iter(range(times))

    def hook(arrow: Arrow, *_: object) -> None:
        if arrow is wanted and next(left, None) is not None:
            raise RuntimeError("as the test wants it")

    return hook
