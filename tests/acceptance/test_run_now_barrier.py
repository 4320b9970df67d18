"""What was published before a run-now goes with it, whichever consumer has it in hand."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.acceptance.amqp import Client
from tests.builders import command, definition, rows_in, save, tardy
from tests.processes import Processes, wait_for

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
            run = wait_for(
                lambda correlation=correlation: [  # type: ignore[misc]  # mypy: no default in a lambda
                    reply for reply in client.replies(correlation) if reply["type"].startswith("run.")
                ],
                f"run {number}",
            )
            assert run[0]["data"]["rows"] == len(fresh), f"round {number}: {run[0]['data']}"
            sent = {line.split(",")[0] for lines in rows_in(home / "outbox").values() for line in lines}
            assert sent == published, f"round {number} left {len(published - sent)} behind"
    for publisher in publishers:
        publisher.close()
    assert [worker.stop() for worker in workers] == [0, 0]
