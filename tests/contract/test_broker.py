"""What every broker does, whichever it is: the embedded inbox and a real RabbitMQ."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from time import monotonic

import pytest

from schemas.topology import COMMANDS_QUEUE, EVENTS_EXCHANGE, EVENTS_QUEUE, OUTCOMES_EXCHANGE, REJECTED_QUEUE
from tests.contract.brokers import PATIENCE, bodies, command, event, numbered, receive, receive_command
from worker.broker.ports import Broker, Consumer, Outgoing, Publisher
from worker.errors import UnavailableError

_RECEIVE_AND_WAIT = """
import sys
from pathlib import Path
from worker.broker.by_url import open_broker
consumer = open_broker(sys.argv[1] or None, Path(sys.argv[2])).consumer(100)
got = []
while len(got) < int(sys.argv[3]):
    got += consumer.receive(100, 0.05, 5)
print(len(got), flush=True)
sys.stdin.read()
"""


# receiving and acknowledging


def test_an_event_arrives_as_it_was_published(publisher: Publisher, consume: Callable[..., Consumer]) -> None:
    sent = Outgoing(
        EVENTS_EXCHANGE,
        "tardy.recorded",
        b'\x00\xff{"a": "\xc3\xa9"}',
        content_type="application/json",
        content_encoding="utf-8",
        headers={"traceparent": "00-abc", "attempt": 3, "urgent": True},
        reply_to="answers",
        correlation_id="c-1",
        message_id="m-1",
        mandatory=True,
    )
    assert publisher.publish(sent)
    [got] = receive(consume(), 1)
    assert (got.queue, got.body, got.delivery_count) == (EVENTS_QUEUE, sent.body, 0)
    assert (got.content_type, got.content_encoding) == (sent.content_type, sent.content_encoding)
    assert (got.reply_to, got.correlation_id, got.message_id) == ("answers", "c-1", "m-1")
    assert dict(got.headers) == dict(sent.headers)


def test_events_come_in_the_order_of_their_publishing_in_batches_of_the_limit(
    publisher: Publisher, consume: Callable[..., Consumer]
) -> None:
    for body in numbered(25):
        publisher.publish(event(body))
    consumer = consume()
    first = receive(consumer, 10)
    assert bodies(first) == numbered(25)[:10]
    assert bodies(receive(consumer, 15)) == numbered(25)[10:]


def test_receiving_from_an_empty_queue_returns_nothing_when_the_time_is_over(
    consume: Callable[..., Consumer],
) -> None:
    consumer = consume()
    began = monotonic()
    assert list(consumer.receive(10, 0.02, 0.3)) == []
    assert 0.25 < monotonic() - began < PATIENCE / 2


def test_what_was_acknowledged_is_gone_and_what_was_not_comes_back_with_its_count_up(
    publisher: Publisher, consume: Callable[..., Consumer]
) -> None:
    for body in numbered(6):
        publisher.publish(event(body))
    consumer = consume()
    got = receive(consumer, 6)
    consumer.acknowledge([got[0], got[1], got[3]])
    consumer.close()
    again = receive(consume(), 3)
    assert bodies(again) == [got[2].body, got[4].body, got[5].body]
    assert [delivery.delivery_count for delivery in again] == [1, 1, 1]


def test_a_delivery_of_a_closed_consumer_is_void(
    publisher: Publisher, consume: Callable[..., Consumer]
) -> None:
    publisher.publish(event())
    old = consume()
    stale = receive(old, 1)
    old.close()
    new = consume()
    [fresh] = receive(new, 1)
    with pytest.raises(UnavailableError):
        new.acknowledge(stale)
    new.acknowledge([fresh])
    with pytest.raises(UnavailableError):
        new.acknowledge([fresh])


def test_no_more_than_the_prefetch_is_handed_out_unacknowledged(
    publisher: Publisher, consume: Callable[..., Consumer]
) -> None:
    for body in numbered(10):
        publisher.publish(event(body))
    consumer = consume(4)
    held = receive(consumer, 4)
    assert list(consumer.receive(10, 0, 0.3)) == []
    consumer.acknowledge(held)
    assert bodies(receive(consumer, 4)) == numbered(10)[4:8]


def test_two_consumers_share_the_events_and_none_is_given_to_both(
    publisher: Publisher, consume: Callable[..., Consumer]
) -> None:
    one, other = consume(10), consume(10)
    for body in numbered(20):
        publisher.publish(event(body))
    assert sorted(bodies([*receive(one, 10), *receive(other, 10)])) == sorted(numbered(20))


def test_when_nothing_is_ready_behind_all_published_before_has_been_given_out_or_is_in_hand(
    publisher: Publisher, consume: Callable[..., Consumer]
) -> None:
    for _ in range(20):
        for body in numbered(10):
            publisher.publish(event(body))
        consumer = consume(5)
        seen = receive(consumer, 5)
        consumer.acknowledge(seen)
        while consumer.ready_behind() > 0:
            seen += consumer.receive(5, 0, 0.05)
        while (left := consumer.in_hand()) > 0:
            seen += consumer.receive(left, 0, 0)
        assert bodies(seen) == numbered(10)
        consumer.acknowledge(seen[5:])
        consumer.close()


# commands


def test_commands_come_one_at_a_time_in_order_and_never_among_the_events(
    publisher: Publisher, consume: Callable[..., Consumer]
) -> None:
    for body in numbered(5):
        publisher.publish(command(body))
    publisher.publish(event(b"event"))
    consumer = consume()
    assert bodies(receive(consumer, 1)) == [b"event"]
    for body in numbered(5):
        got = receive_command(consumer)
        assert got is not None and (got.queue, got.body) == (COMMANDS_QUEUE, body)
        assert consumer.receive_command() is None, "the one before is not acknowledged yet"
        consumer.acknowledge([got])
    assert consumer.receive_command() is None


def test_only_one_consumer_gets_commands_and_another_takes_over_where_it_ended(
    publisher: Publisher, consume: Callable[..., Consumer]
) -> None:
    active, spare = consume(), consume()
    for body in numbered(3):
        publisher.publish(command(body))
    done = receive_command(active)
    assert done is not None
    active.acknowledge([done])
    unfinished = receive_command(active)
    assert unfinished is not None and unfinished.body == numbered(3)[1]
    assert spare.receive(1, 0, 0.3) == []
    assert spare.receive_command() is None
    active.close()
    taken_over = receive_command(spare)
    assert taken_over is not None and taken_over.body == unfinished.body
    assert taken_over.delivery_count == 1


def test_a_command_cuts_the_waiting_for_events_short_once(
    publisher: Publisher, consume: Callable[..., Consumer]
) -> None:
    consumer = consume()
    publisher.publish(command(b"now"))
    began = monotonic()
    assert consumer.receive(10, 0.02, PATIENCE) == []
    assert monotonic() - began < PATIENCE / 2
    began = monotonic()
    assert consumer.receive(10, 0.02, 0.3) == []
    assert monotonic() - began > 0.25


# publishing


def test_mandatory_tells_that_no_queue_takes_a_message(publisher: Publisher) -> None:
    assert publisher.publish(event(key="school.saved"))
    assert not publisher.publish(event(key="weather.changed"))
    assert not publisher.publish(Outgoing("", "no-such-queue", b"{}", mandatory=True))
    assert publisher.publish(Outgoing(OUTCOMES_EXCHANGE, "run.delivered", b"{}"))


def test_an_exchange_that_is_not_there_is_unavailable_and_the_publisher_goes_on(publisher: Publisher) -> None:
    with pytest.raises(UnavailableError, match="no exchange"):
        publisher.publish(Outgoing("no-such-exchange", "x", b"{}"))
    assert publisher.publish(event())


def test_many_are_published_in_batches_and_those_no_queue_takes_are_counted(
    broker: Broker, consume: Callable[..., Consumer]
) -> None:
    messages = [event(body) for body in numbered(1200)]
    messages[700] = event(b"lost", key="weather.changed")
    told: list[int] = []
    assert broker.operator().publish_all(messages, told.append) == 1
    assert told[-1] == 1200 and told == sorted(told) and len(told) > 1
    expected = numbered(700) + numbered(1200)[701:]
    assert bodies(receive(consume(2000), 1199)) == expected


def test_depths_tell_what_is_ready_and_who_consumes(
    broker: Broker, publisher: Publisher, consume: Callable[..., Consumer]
) -> None:
    for body in numbered(3):
        publisher.publish(event(body))
    publisher.publish(Outgoing("", REJECTED_QUEUE, b"by hand", mandatory=True))
    depths = {depth.queue: depth for depth in broker.operator().depths()}
    assert (depths[EVENTS_QUEUE].ready, depths[EVENTS_QUEUE].consumers) == (3, 0)
    assert (depths[COMMANDS_QUEUE].ready, depths[REJECTED_QUEUE].ready) == (0, 1)
    consumer = consume()
    receive(consumer, 3)
    depths = {depth.queue: depth for depth in broker.operator().depths()}
    assert (depths[EVENTS_QUEUE].ready, depths[EVENTS_QUEUE].consumers) == (0, 1)
    assert depths[EVENTS_QUEUE].unacknowledged in (3, None)


# what a process held that is no more


def test_what_a_killed_process_held_comes_back(
    url: str | None, broker: Broker, publisher: Publisher, consume: Callable[..., Consumer], tmp_path: Path
) -> None:
    for body in numbered(7):
        publisher.publish(event(body))
    with holding_process(url, tmp_path / "home", 7) as process:
        survivor = consume()
        assert survivor.receive(10, 0, 0.3) == []
        process.kill()
        process.wait()
        got = receive(survivor, 7)
    assert bodies(got) == numbered(7)
    assert {delivery.delivery_count for delivery in got} == {1}


def holding_process(url: str | None, home: Path, count: int) -> subprocess.Popen[str]:
    """A process that has received `count` events and holds them."""
    process = subprocess.Popen(
        [sys.executable, "-c", _RECEIVE_AND_WAIT, url or "", str(home), str(count)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline().strip() == str(count)
    return process


# watching the queues


def test_a_watch_tells_the_same_as_the_operator_as_often_as_it_is_asked(
    broker: Broker, publisher: Publisher
) -> None:
    with closing(broker.queue_watch()) as watch:
        for number in range(3):
            assert {depth.queue: depth.ready for depth in watch.depths()}[EVENTS_QUEUE] == number
            assert publisher.publish(event())
        assert watch.depths() == broker.operator().depths()


def test_a_watch_that_was_closed_can_be_asked_again(broker: Broker, publisher: Publisher) -> None:
    watch = broker.queue_watch()
    before = watch.depths()
    watch.close()
    watch.close()
    assert watch.depths() == before
    watch.close()
