"""Two machines whose folders have the same path: one export's files go into one of them."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from tests.acceptance.amqp import Client
from tests.builders import definition, rows_in, save, tardy
from tests.processes import Processes, wait_for

FILES = 12
CONTINUOUS = {
    "frequency": "continuous",
    "linger_seconds": 0,
    "max_rows": 50,
    "time_zone": "America/Chicago",
}


def test_workers_with_a_home_each_send_every_file_into_the_folder_that_was_first_written_to(
    writeback: Processes, client: Client, home: Path, tmp_path: Path
) -> None:
    """Either would take every other run. The one that does not see the folder leaves them to the other."""
    homes = [home, tmp_path / "other"]
    for one in homes:
        (one / "outbox").mkdir(parents=True)
    workers = [writeback.start_ready(WRITEBACK_HOME=str(one)) for one in homes]
    client.command(save(definition(schedule=CONTINUOUS, fields=[{"field": "tardy_id"}])))

    def sent() -> list[int]:
        return [len(rows_in(one / "outbox")) for one in homes]

    def arrived(number: int) -> bool:
        return sum(sent()) == number

    for number in range(1, FILES + 1):
        client.publish([tardy(f"t-{number}")])
        wait_for(partial(arrived, number), f"file {number} in one of the folders")
    assert sorted(sent()) == [0, FILES]
    assert sum(worker.logged("the run is left to another worker") for worker in workers) >= 1
    assert [worker.stop() for worker in workers] == [0, 0]
    audit = writeback.run("audit")
    assert audit.returncode == 0, audit.stdout + audit.stderr
