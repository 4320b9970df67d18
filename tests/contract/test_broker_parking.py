"""How every broker parks what could not be understood, and what a person does to it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from schemas.topology import EVENTS_EXCHANGE, EVENTS_QUEUE, REJECTED_QUEUE
from tests.contract.brokers import bodies, command, event, numbered, receive, receive_command
from worker.broker.ports import Broker, Consumer, Outgoing, Publisher, Rejection
from worker.errors import RefusedError

REASON = Rejection("invalid", "minutes_late: a whole number is needed")


def park(broker: Broker, publisher: Publisher, consumer: Consumer, *messages: Outgoing) -> None:
    """Has these messages received, parked and acknowledged."""
    for message in messages:
        assert publisher.publish(message)
    deliveries = receive(consumer, len(messages))
    for delivery in deliveries:
        publisher.park(delivery, REASON)
    consumer.acknowledge(deliveries)


def test_a_parked_message_keeps_body_and_properties_and_tells_why(
    broker: Broker, publisher: Publisher, consume: Callable[..., Consumer]
) -> None:
    sent = Outgoing(
        EVENTS_EXCHANGE,
        "tardy.recorded",
        b"\xff\x00 not JSON",
        content_type="text/plain",
        headers={"traceparent": "00-abc"},
        message_id="m-1",
        mandatory=True,
    )
    park(broker, publisher, consume(), sent)
    [parked] = broker.operator().rejected(10)
    assert (parked.code, parked.reason, parked.queue) == (REASON.code, REASON.reason, EVENTS_QUEUE)
    assert (parked.body, parked.content_type) == (sent.body, "text/plain")
    told = {
        "x-writeback-code": REASON.code,
        "x-writeback-reason": REASON.reason,
        "x-writeback-queue": EVENTS_QUEUE,
        "x-writeback-parked-id": parked.parked_id,
    }
    broker_own = {"x-delivery-count"}
    assert {k: v for k, v in parked.headers.items() if k not in broker_own} == {**told, **sent.headers}


def test_looking_at_parked_messages_thirty_times_loses_none_and_keeps_their_ids(
    broker: Broker, publisher: Publisher, consume: Callable[..., Consumer]
) -> None:
    park(broker, publisher, consume(), *map(event, numbered(5)))
    first = {parked.parked_id: parked.body for parked in broker.operator().rejected(10)}
    assert len(first) == 5
    for _ in range(30):
        listed = broker.operator().rejected(10)
        assert {parked.parked_id: parked.body for parked in listed} == first
        assert {parked.reason for parked in listed} == {REASON.reason}
    assert len(broker.operator().rejected(2)) == 2


def test_a_replayed_message_is_in_its_queue_again_marked_and_without_the_reason(
    broker: Broker, publisher: Publisher, consume: Callable[..., Consumer]
) -> None:
    sent = Outgoing(
        EVENTS_EXCHANGE, "tardy.recorded", b"{}", headers={"traceparent": "00-abc"}, message_id="m"
    )
    consumer = consume()
    park(broker, publisher, consumer, sent, event(b"other"))
    [chosen] = [parked for parked in broker.operator().rejected(10) if parked.body == b"{}"]
    assert broker.operator().replay([chosen.parked_id]) == 1
    [again] = receive(consumer, 1)
    assert (again.queue, again.body, again.message_id) == (EVENTS_QUEUE, b"{}", "m")
    assert dict(again.headers) == {"traceparent": "00-abc", "x-writeback-replayed": 1}
    assert [parked.body for parked in broker.operator().rejected(10)] == [b"other"]


def test_a_command_is_replayed_to_the_commands(
    broker: Broker, publisher: Publisher, consume: Callable[..., Consumer]
) -> None:
    consumer = consume()
    publisher.publish(command(b"broken"))
    got = receive_command(consumer)
    assert got is not None
    publisher.park(got, REASON)
    consumer.acknowledge([got])
    assert broker.operator().replay(None) == 1
    again = receive_command(consumer)
    assert again is not None and again.body == b"broken"


def test_replaying_by_code_leaves_the_others_parked(
    broker: Broker, publisher: Publisher, consume: Callable[..., Consumer]
) -> None:
    consumer = consume()
    park(broker, publisher, consumer, event(b"mine"))
    assert publisher.publish(Outgoing("", REJECTED_QUEUE, b"by hand", mandatory=True))
    assert broker.operator().replay(None, codes=["delivery-limit"]) == 0
    assert broker.operator().replay(None, codes=["invalid"]) == 1
    assert bodies(receive(consumer, 1)) == [b"mine"]
    assert broker.operator().replay(None) == 0, "what came from no queue of ours stays"
    assert [parked.code for parked in broker.operator().rejected(10)] == ["unknown"]


@pytest.mark.parametrize("action", ["replay", "drop"])
def test_an_id_that_is_not_parked_is_refused_and_nothing_changes(
    action: str, broker: Broker, publisher: Publisher, consume: Callable[..., Consumer]
) -> None:
    park(broker, publisher, consume(), event())
    [parked] = broker.operator().rejected(10)
    with pytest.raises(RefusedError, match="nonsense"):
        getattr(broker.operator(), action)([parked.parked_id, "nonsense"])
    assert [one.parked_id for one in broker.operator().rejected(10)] == [parked.parked_id]


def test_dropping_deletes_the_chosen_or_all(
    broker: Broker, publisher: Publisher, consume: Callable[..., Consumer]
) -> None:
    park(broker, publisher, consume(), *map(event, numbered(4)))
    victim = broker.operator().rejected(10)[1]
    assert broker.operator().drop([victim.parked_id]) == 1
    assert victim.body not in {parked.body for parked in broker.operator().rejected(10)}
    assert broker.operator().drop(None) == 3
    assert broker.operator().rejected(10) == []
