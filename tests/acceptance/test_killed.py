"""Workers are killed under load, again and again: nothing is lost and nothing goes out twice."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from schemas.topology import EVENTS_QUEUE, QUEUE_NAMES
from tests.acceptance.amqp import Client
from tests.acceptance.load import Load, continuous_exports, wait_for_files
from tests.acceptance.sis import Collector
from tests.processes import Processes, Worker, wait_for
from tests.servers import RabbitMQ

KILLS = 6
SEED = 1848
EXPORTS = 48  # so many that some still run while those of killed workers wait for their leases to end


def test_every_tardy_is_collected_once_though_one_of_two_workers_is_killed_six_times(
    writeback: Processes,
    client: Client,
    rabbitmq: RabbitMQ,
    amqp_url: str,
    home: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The SIS takes each file away at once, so nobody can look whether it was there."""
    rng = random.Random(SEED)
    workers = [writeback.start_ready(), writeback.start_ready()]
    for message in continuous_exports(EXPORTS):
        client.command(message)
    duplicates = 0.0
    publisher = Client(amqp_url)
    with Collector(home / "outbox", tmp_path / "sis") as sis:
        with Load(publisher.publish, sis, exports=EXPORTS) as load:
            for _ in range(KILLS):
                wait_for_files(sis, rng.randint(1, 40))
                victim = rng.randrange(2)
                duplicates += seen_before(workers[victim])
                workers[victim].kill()
                workers[victim] = writeback.start_ready()
        wait_for(load.all_collected, "the SIS to have every tardy")
        duplicates += sum(map(seen_before, workers))
        assert [worker.stop() for worker in workers] == [0, 0]
        wait_for(lambda: not list((home / "outbox").glob("[!.]*")), "the SIS to collect what is left")
    publisher.close()
    assert sis.rows == Counter(load.published)
    assert {queue: client.depth(queue) for queue in QUEUE_NAMES} == dict.fromkeys(QUEUE_NAMES, 0)
    audit = writeback.run("audit")
    assert audit.returncode == 0, audit.stdout + audit.stderr
    redelivered = redeliveries(rabbitmq, amqp_url)
    with capsys.disabled():
        print(
            f"\n{len(load.published)} tardies in {sis.files} files; {KILLS} kills:"
            f" {redelivered} messages delivered again, {duplicates:.0f} of them buffered before"
        )
    assert redelivered > 0


def seen_before(worker: Worker) -> float:
    """How many messages came to this worker that had been buffered before."""
    return worker.metric("writeback_events_total", result="duplicate")


def redeliveries(rabbitmq: RabbitMQ, amqp_url: str) -> int:
    """How many events RabbitMQ has handed out once more."""
    path = f"queues/{urlsplit(amqp_url).path[1:]}/{EVENTS_QUEUE}"
    return wait_for(
        lambda: int(rabbitmq.api("GET", path).get("message_stats", {}).get("redeliver", 0)),
        "RabbitMQ to count its redeliveries",
    )
