"""The servers go away while tardies flow: the workers wait without dying or spinning, and nothing is lost."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from sqlalchemy import text

from schemas.topology import QUEUE_NAMES
from tests.acceptance.faults import Stubborn, measured
from tests.acceptance.load import Load, continuous_exports, wait_for_files
from tests.acceptance.sis import Collector
from tests.processes import Processes, Worker, wait_for
from tests.servers import PostgreSQL, RabbitMQ
from worker.store.database.engine import Database

EXPORTS = 48
_CUT = text(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


def test_every_tardy_is_collected_once_though_both_servers_fail_and_connections_are_cut(
    writeback: Processes,
    database: Database,
    rabbitmq: RabbitMQ,
    postgres: PostgreSQL,
    amqp_url: str,
    home: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The same two processes live through it all, and use little of the processor while they wait."""
    workers = [writeback.start_ready(), writeback.start_ready()]
    publisher = Stubborn(amqp_url)
    publisher.publish(continuous_exports(EXPORTS), "writeback.commands")
    report: list[str] = []
    with Collector(home / "outbox", tmp_path / "sis") as sis:
        with Load(publisher.publish, sis, exports=EXPORTS) as load:
            wait_for_files(sis, 10)
            with database.write() as connection:
                connection.execute(_CUT)
            rabbitmq.ctl("close_all_connections", "--vhost", urlsplit(amqp_url).path[1:], "a test")
            wait_for_files(sis, 10)
            with measured(workers, "PostgreSQL away", report):
                while_away(
                    postgres, workers, "not consuming; trying again", "the database is waited for", tries=3
                )
            wait_for_files(sis, 10)
            with measured(workers, "RabbitMQ away", report):
                while_away(rabbitmq, workers, "not consuming; trying again", tries=1)
            wait_for_files(sis, 10)
        wait_for(load.all_collected, "the SIS to have every tardy")
        assert all(worker.alive for worker in workers)
        assert [worker.stop() for worker in workers] == [0, 0]
        wait_for(lambda: not list((home / "outbox").glob("[!.]*")), "the SIS to collect what is left")
    with capsys.disabled():
        print(f"\n{len(load.published)} tardies in {sis.files} files; " + "; ".join(report))
    assert sis.rows == Counter(load.published)
    assert publisher.depths() == dict.fromkeys(QUEUE_NAMES, 0)
    publisher.close()


def while_away(server: PostgreSQL | RabbitMQ, workers: list[Worker], *events: str, tries: int) -> None:
    """Stops the server, and starts it again once every worker has tried again so often, as its log says."""
    wanted = {(worker, event): worker.logged(event) + tries for worker in workers for event in events}
    server.stop()
    wait_for(
        lambda: all(worker.logged(event) >= count for (worker, event), count in wanted.items()),
        f"{tries} tries of each worker",
    )
    server.start()
