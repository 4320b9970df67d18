"""The embedded default, no server anywhere: the worker is killed under load, and nothing is lost or doubled."""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path

from tests.acceptance.load import Load, Messages, continuous_exports, wait_for_files
from tests.acceptance.sis import Collector
from tests.processes import Processes, wait_for

KILLS = 3
SEED = 1852
EXPORTS = 24


def test_every_tardy_is_collected_once_though_the_only_worker_is_killed_three_times(
    embedded: Processes, home: Path, tmp_path: Path
) -> None:
    """Every tardy comes from another process, `writeback publish`, also while no worker runs."""

    def publish(messages: Messages) -> None:
        file = tmp_path / "burst.jsonl"
        file.write_text("".join(json.dumps(message) + "\n" for message in messages))
        done = embedded.run("publish", str(file))
        assert done.returncode == 0, done.stderr

    rng = random.Random(SEED)
    worker = embedded.start_ready()
    publish(continuous_exports(EXPORTS))
    with Collector(home / "outbox", tmp_path / "sis") as sis:
        with Load(publish, sis, exports=EXPORTS, burst=500, ahead=1000) as load:
            for _ in range(KILLS):
                wait_for_files(sis, rng.randint(1, 30))
                worker.kill()
                worker = embedded.start_ready()
        wait_for(load.all_collected, "the SIS to have every tardy")
        assert worker.stop() == 0
        wait_for(lambda: not list((home / "outbox").glob("[!.]*")), "the SIS to collect what is left")
    assert sis.rows == Counter(load.published)
    status = json.loads(embedded.run("status", "--json").stdout)
    assert {queue["queue"]: queue["ready"] + queue["unacknowledged"] for queue in status["queues"]} == {
        "writeback.events": 0,
        "writeback.commands": 0,
        "writeback.rejected": 0,
    }
