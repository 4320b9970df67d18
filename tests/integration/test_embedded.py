"""The embedded inbox against the machine: stopped and killed processes, many at once, folders and files."""

from __future__ import annotations

import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from time import monotonic, process_time

import pytest

from schemas.topology import (
    COMMANDS_EXCHANGE,
    EVENTS_EXCHANGE,
    EVENTS_QUEUE,
    OUTCOMES_EXCHANGE,
    REJECTED_QUEUE,
)
from worker.broker.embedded.inbox_broker import EmbeddedBroker
from worker.broker.ports import Consumer, Delivery, Outgoing
from worker.errors import ConfigurationError, UnavailableError

PATIENCE = 120.0
_HOLD = """
import sys
from pathlib import Path
from worker.broker.embedded.inbox_broker import EmbeddedBroker
consumer = EmbeddedBroker(Path(sys.argv[1])).consumer(100)
print(len(consumer.receive(int(sys.argv[2]), 1, 5)), consumer.receive_command() is not None, flush=True)
sys.stdin.read()
"""
_PUBLISH = """
import sys
from pathlib import Path
from worker.broker.embedded.inbox_broker import EmbeddedBroker
from schemas.topology import EVENTS_EXCHANGE
from worker.broker.ports import Outgoing
publisher = EmbeddedBroker(Path(sys.argv[1])).publisher()
for number in range(10**9):
    publisher.publish(Outgoing(EVENTS_EXCHANGE, "tardy.recorded", b"%d" % number))
    print(number, flush=True)
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def broker(home: Path) -> EmbeddedBroker:
    return EmbeddedBroker(home)


@pytest.fixture
def consumer(broker: EmbeddedBroker) -> Iterator[Consumer]:
    consumer = broker.consumer(10_000)
    yield consumer
    consumer.close()


def event(body: bytes = b"{}") -> Outgoing:
    return Outgoing(EVENTS_EXCHANGE, "tardy.recorded", body)


def command(body: bytes = b"{}") -> Outgoing:
    return Outgoing(COMMANDS_EXCHANGE, "export.save", body)


def receive(consumer: Consumer, count: int) -> list[Delivery]:
    found: list[Delivery] = []
    deadline = monotonic() + PATIENCE
    while len(found) < count and monotonic() < deadline:
        found += consumer.receive(count - len(found), 0.05, 1)
    return found


def start(script: str, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_a_stopped_process_keeps_what_it_holds_and_a_killed_one_does_not(
    home: Path, broker: EmbeddedBroker
) -> None:
    broker.operator().publish_all([event(), event(), command(b"first"), command(b"second")])
    with start(_HOLD, home, 2) as process:
        assert line(process) == "2 True"
        consumer = broker.consumer(10)
        process.send_signal(signal.SIGSTOP)
        assert consumer.receive(10, 0, 1.5) == []
        assert consumer.receive_command() is None, "the second command may not overtake the first"
        process.kill()
        process.wait()
        assert len(receive(consumer, 2)) == 2
        taken_over = consumer.receive_command()
        assert taken_over is not None and (taken_over.body, taken_over.delivery_count) == (b"first", 1)
        consumer.close()


def test_what_was_published_before_a_kill_is_there(home: Path, broker: EmbeddedBroker) -> None:
    with start(_PUBLISH, home) as process:
        confirmed = [int(line(process)) for _ in range(50)][-1]
        process.kill()
        process.wait()
    consumer = broker.consumer(10_000)
    got = [int(delivery.body) for delivery in receive(consumer, confirmed + 1)]
    assert got[: confirmed + 1] == list(range(confirmed + 1))
    consumer.close()


def test_many_publish_and_consume_at_once_and_every_message_is_handled_once(broker: EmbeddedBroker) -> None:
    failures: list[BaseException] = []
    handled: list[bytes] = []
    lock = threading.Lock()

    def publish(first: int) -> None:
        publisher = broker.publisher()
        for number in range(first, first + 40):
            assert publisher.publish(event(b"%d" % number))
        publisher.close()

    def consume() -> None:
        consumer = broker.consumer(25)
        while len(handled) < 160 and monotonic() < deadline:
            deliveries = consumer.receive(10, 0.01, 0.1)
            consumer.acknowledge(deliveries)
            with lock:
                handled.extend(delivery.body for delivery in deliveries)
        consumer.close()

    def guarded(work: threading.Thread) -> threading.Thread:
        work.start()
        return work

    deadline = monotonic() + PATIENCE
    threading.excepthook, before = (
        lambda told: failures.append(told.exc_value or Exception()),
        threading.excepthook,
    )
    try:
        threads = [guarded(threading.Thread(target=publish, args=(first,))) for first in range(0, 160, 40)]
        threads += [guarded(threading.Thread(target=consume)) for _ in range(3)]
        for thread in threads:
            thread.join()
    finally:
        threading.excepthook = before
    assert failures == []
    assert sorted(handled) == sorted(b"%d" % number for number in range(160))


def test_what_came_back_too_often_is_parked_as_delivery_limit(broker: EmbeddedBroker) -> None:
    broker.operator().publish_all([event(b"deadly")])
    for number in range(101):
        consumer = broker.consumer(10)
        [got] = consumer.receive(10, 0, PATIENCE)
        assert got.delivery_count == number
        consumer.close()
    [parked] = broker.operator().rejected(10)
    assert (parked.code, parked.queue, parked.body) == ("delivery-limit", EVENTS_QUEUE, b"deadly")
    assert broker.operator().replay(None, codes=["delivery-limit"]) == 1
    consumer = broker.consumer(10)
    [again] = receive(consumer, 1)
    assert again.delivery_count == 0
    consumer.close()


def test_waiting_costs_next_to_nothing_and_ends_soon_after_a_publish(
    broker: EmbeddedBroker, consumer: Consumer
) -> None:
    began = process_time()
    assert consumer.receive(10, 0.02, 2) == []
    assert process_time() - began < 0.1
    publisher = broker.publisher()
    later = threading.Timer(0.2, publisher.publish, [event()])
    later.start()
    waited = monotonic()
    assert len(consumer.receive(10, 0, PATIENCE)) == 1
    assert monotonic() - waited < 2
    later.join()
    publisher.close()


def test_a_batch_of_thousands_goes_through_in_a_second_or_so(
    broker: EmbeddedBroker, consumer: Consumer
) -> None:
    began = monotonic()
    assert broker.operator().publish_all([event(b'{"n": 1}' * 75)] * 5_000) == 0
    handled = 0
    while handled < 5_000 and monotonic() - began < PATIENCE:
        deliveries = consumer.receive(500, 0.02, 1)
        consumer.acknowledge(deliveries)
        handled += len(deliveries)
    assert handled == 5_000
    assert 5_000 / (monotonic() - began) > 1_000


def test_files_and_folders_are_their_owners_alone(
    home: Path, broker: EmbeddedBroker, consumer: Consumer
) -> None:
    broker.operator().publish_all([event(), command()])
    receive(consumer, 1)
    consumer.receive_command()
    paths = [home, *home.rglob("*")]
    assert len(paths) >= 5
    for path in paths:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path.name


def test_a_consumer_leaves_no_file_behind(home: Path, broker: EmbeddedBroker) -> None:
    broker.operator().publish_all([event()])
    with start(_HOLD, home, 1) as process:
        assert line(process) == "1 False"
        process.kill()
        process.wait()
    broker.consumer(10).close()
    assert list((home / "claims").iterdir()) == []


def test_replies_reach_a_reply_queue_that_was_declared_and_no_other(broker: EmbeddedBroker) -> None:
    broker.declare_reply_queue("answers-1")
    publisher = broker.publisher()
    answer = Outgoing("", "answers-1", b"accepted", correlation_id="c-1", mandatory=True)
    assert publisher.publish(answer)
    assert not publisher.publish(Outgoing("", "answers-2", b"accepted", mandatory=True))
    assert publisher.publish(Outgoing("", "answers-2", b"accepted"))
    assert publisher.publish(Outgoing(OUTCOMES_EXCHANGE, "run.delivered", b"{}", mandatory=True))
    publisher.close()
    [reply] = broker.take_replies("answers-1")
    assert (reply.body, reply.correlation_id) == (b"accepted", "c-1")
    assert broker.take_replies("answers-1") == []


def test_a_home_that_can_not_be_used_is_a_configuration_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="WRITEBACK_HOME"):
        EmbeddedBroker(tmp_path / "file" / "home").prepare()


def test_a_damaged_inbox_is_unavailable(home: Path, broker: EmbeddedBroker) -> None:
    home.mkdir()
    (home / "inbox.sqlite3").write_bytes(b"no database at all, but long enough to look like one" * 100)
    with pytest.raises(UnavailableError, match=r"inbox\.sqlite3: file is not a database"):
        broker.prepare()


def test_by_hand_parked_messages_have_no_home_to_be_replayed_to(broker: EmbeddedBroker) -> None:
    broker.operator().publish_all([Outgoing("", REJECTED_QUEUE, b"by hand")])
    assert broker.operator().replay(None) == 0
    assert [parked.code for parked in broker.operator().rejected(10)] == ["unknown"]
