"""What was published before a run-now goes with it, whichever consumer has it in hand."""

from __future__ import annotations

import os
import random
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

from schemas.topology import EVENTS_QUEUE
from tests.acceptance.amqp import Client
from tests.builders import command, definition, rows_in, save, tardy
from tests.processes import Processes
from tests.servers import RabbitMQ

ROUNDS = 20
MOST = 400
CONNECTIONS = 4


def test_a_run_now_takes_everything_that_was_published_before_it(
    writeback: Processes, client: Client, amqp_url: str, home: Path
) -> None:
    """Two consumers with small batches and the rest of the backlog in hand; a command overtakes none of it."""
    rng = random.Random(7)
    small = {"WRITEBACK_BATCH_SIZE": "25", "WRITEBACK_LINGER_MS": "5"}
    workers = [writeback.start_ready(**small), writeback.start_ready(**small)]
    client.command(save(definition()))
    publishers = [Client(amqp_url) for _ in range(CONNECTIONS)]
    published: set[str] = set()
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        for number in range(ROUNDS):
            fresh = [f"t-{number}-{place}" for place in range(rng.randint(1, MOST))]
            shares = [[tardy(one) for one in fresh[place::CONNECTIONS]] for place in range(CONNECTIONS)]
            list(pool.map(Client.publish, publishers, shares))
            correlation = client.command(command("export.run_now", {"export_id": "daily"}))
            published |= set(fresh)
            run = client.replies(correlation, least=2)[1]
            assert run["type"] == "run.delivered", f"round {number}: {run}"
            assert run["data"]["rows"] == len(fresh), f"round {number}: {run}"
            sent = {line.split(",")[0] for lines in rows_in(home / "outbox").values() for line in lines}
            assert sent == published, f"round {number} left {len(published - sent)} behind"
    for publisher in publishers:
        publisher.close()
    assert [worker.stop() for worker in workers] == [0, 0]


def test_a_run_now_waits_for_a_queue_that_cannot_say_how_full_it_is(
    writeback: Processes, client: Client, rabbitmq: RabbitMQ, amqp_url: str, home: Path
) -> None:
    """RabbitMQ calls a queue empty whose process has not answered it for 250 ms; that is not taken for true."""
    queue = f"'{urlsplit(amqp_url).path[1:]}_{EVENTS_QUEUE}'"
    worker = writeback.start_ready(WRITEBACK_BATCH_SIZE="1")
    client.command(save(definition()))
    os.kill(worker.pid, signal.SIGSTOP)
    client.publish(tardy(f"t-{number}") for number in range(200))
    rabbitmq.ctl("eval", f"sys:suspend({queue}).")
    correlation = client.command(command("export.run_now", {"export_id": "daily"}))
    os.kill(worker.pid, signal.SIGCONT)
    client.replies(correlation)
    rabbitmq.ctl("eval", f"timer:sleep(2000), sys:resume({queue}).")
    run = client.replies(correlation, least=2)[1]
    assert (run["type"], run["data"]["rows"]) == ("run.delivered", 200)
    assert worker.stop() == 0
