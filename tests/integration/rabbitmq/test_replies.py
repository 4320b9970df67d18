"""Reply queues that are full, misspelt, forbidden or gone: the reply is given up, everything else goes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from pika.adapters.blocking_connection import BlockingChannel
from sqlalchemy import select
from structlog.testing import capture_logs

from tests.builders import command
from tests.integration.rabbitmq.helpers import vhost_of
from tests.program import SteppedProgram
from tests.servers import RabbitMQ as Server
from worker.broker.rabbitmq.amqp_broker import RabbitMQ
from worker.errors import UnavailableError
from worker.outbox.answering import MOST_TRIES, Answering
from worker.outbox.telling import Outbox
from worker.store.database.tables import replies

NOBODY = "amqp://127.0.0.1:1"


@pytest.fixture
def program(sqlite_url: str, tmp_path: Path) -> Iterator[SteppedProgram]:
    program = SteppedProgram(sqlite_url, tmp_path / "home")
    yield program
    program.database.close()


def full(witness: BlockingChannel) -> str:
    arguments = {"x-max-length": 1, "x-overflow": "reject-publish"}
    witness.queue_declare("full", arguments=arguments)
    witness.basic_publish("", "full", b"one too many will be refused")
    return "full"


def misspelt(_witness: BlockingChannel) -> str:
    return "amq.rabbitmq.reply-to.xyz"


def endless(_witness: BlockingChannel) -> str:
    return "q" * 300


def ask(program: SteppedProgram, *queues: str) -> None:
    """Commands that are refused, each with a reply queue."""
    for queue in queues:
        program.command(command("export.retry", {"export_id": "none"}), reply_to=queue)


def tell(program: SteppedProgram, broker: RabbitMQ) -> int:
    outbox = Outbox(program.database, broker, program.clock, program.instruments)
    with closing(broker.publisher()) as publisher:
        return outbox.publish_some(publisher)


def answer(program: SteppedProgram, broker: RabbitMQ) -> int:
    answering = Answering(program.database, broker, program.instruments)
    with closing(broker.publisher()) as publisher:
        return answering.send_some(publisher)


def tries(program: SteppedProgram) -> list[int]:
    """How often each reply that still waits has been refused."""
    with program.database.read() as connection:
        return list(connection.execute(select(replies.c.tries).order_by(replies.c.outbox_id)).scalars())


def heard(witness: BlockingChannel, queue: str) -> int:
    count = 0
    while (got := witness.basic_get(queue, auto_ack=True))[0] is not None:
        assert json.loads(got[2])["type"] == "command.refused"
        count += 1
    return count


@pytest.mark.parametrize("bad", [full, misspelt, endless])
def test_a_reply_that_cannot_be_delivered_is_given_up_and_delays_no_outcome_and_no_other_reply(
    broker: RabbitMQ,
    witness: BlockingChannel,
    program: SteppedProgram,
    bad: Callable[[BlockingChannel], str],
) -> None:
    queue = bad(witness)
    for name in ("outcomes", "answers"):
        witness.queue_declare(name)
    witness.queue_bind("outcomes", "writeback.outcomes", "#")
    ask(program, "answers", queue, queue, "answers")
    assert tell(program, broker) == 4
    assert heard(witness, "outcomes") == 4
    with capture_logs() as logged:
        answer(program, broker)
        assert heard(witness, "answers") == 2
        for _ in range(2 * MOST_TRIES):
            program.pass_time(minutes=1)
            answer(program, broker)
    assert tries(program) == []
    given_up = [
        line for line in logged if line["event"] in ("a reply is given up", "the reply queue is gone")
    ]
    assert len(given_up) == 2
    assert heard(witness, "outcomes") == 0


def test_replies_that_our_user_may_not_send_are_given_up_and_the_outcomes_go(
    amqp_url: str, broker: RabbitMQ, witness: BlockingChannel, rabbitmq: Server, program: SteppedProgram
) -> None:
    allowed = {"configure": "^$", "write": r"^writeback\..*$", "read": ".*"}
    restricted = RabbitMQ(rabbitmq.add_user(vhost_of(amqp_url), **allowed))
    witness.queue_declare("outcomes")
    witness.queue_bind("outcomes", "writeback.outcomes", "#")
    witness.queue_declare("answers")
    ask(program, "answers", "answers")
    assert tell(program, restricted) == 2
    for _ in range(2 * MOST_TRIES):
        program.pass_time(minutes=1)
        answer(program, restricted)
    assert tries(program) == []
    assert (heard(witness, "outcomes"), heard(witness, "answers")) == (2, 0)


def test_a_reply_queue_that_is_gone_is_settled_at_once(broker: RabbitMQ, program: SteppedProgram) -> None:
    ask(program, "gone")
    with capture_logs() as logged:
        assert answer(program, broker) == 1
    assert [line["event"] for line in logged] == ["the reply queue is gone"]
    assert tries(program) == []


def test_while_the_broker_is_away_no_try_counts(broker: RabbitMQ, program: SteppedProgram) -> None:
    ask(program, "answers")
    for _ in range(2 * MOST_TRIES):
        with pytest.raises(UnavailableError):
            answer(program, RabbitMQ(NOBODY))
    assert tries(program) == [0]
    assert answer(program, broker) == 1
