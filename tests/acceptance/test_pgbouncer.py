"""The whole program behind PgBouncer in transaction mode, with fewer connections than it has threads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas.topology import QUEUE_NAMES
from tests.acceptance.faults import Stubborn, end, start
from tests.acceptance.load import Load, continuous_exports, wait_for_files
from tests.acceptance.sis import Collector
from tests.builders import command, definition, save, tardy
from tests.hostile import make_hostile
from tests.processes import processes, wait_for
from tests.servers import PostgreSQL, ServerError
from tests.servers.janitor import Janitor
from tests.servers.pgbouncer import PgBouncer, start_pgbouncer

EXPORTS = 8
CONNECTIONS = 3
AHEAD = 400


@pytest.fixture
def pgbouncer(janitor: Janitor, postgres: PostgreSQL) -> Iterator[PgBouncer]:
    try:
        server = start_pgbouncer(janitor, postgres.url("postgres"), CONNECTIONS)
    except ServerError as error:
        pytest.fail(str(error), pytrace=False)
    yield server
    server.engine.kill()


@pytest.mark.bare
def test_every_tardy_goes_once_behind_pgbouncer_and_among_hostile_defaults(
    pgbouncer: PgBouncer, janitor: Janitor, postgres_url: str, amqp_url: str, home: Path, tmp_path: Path
) -> None:
    """From the first migration on; a PgBouncer that is started anew in the middle is no more than a connection lost."""
    make_hostile(postgres_url)
    environment = {
        "BROKER_URL": amqp_url,
        "DATABASE_URL": pgbouncer.url(postgres_url),
        "WRITEBACK_HOME": str(home),
    }
    publisher = Stubborn(amqp_url)
    with (
        processes(janitor, tmp_path, environment) as writeback,
        Collector(home / "outbox", tmp_path / "sis") as sis,
    ):
        upgraded = writeback.run("db", "upgrade")
        assert upgraded.returncode == 0, upgraded.stderr
        workers = start(writeback, 2)
        publisher.publish(continuous_exports(EXPORTS), "writeback.commands")
        with Load(publisher.publish, sis, exports=EXPORTS, burst=100, ahead=AHEAD) as load:
            wait_for_files(sis, 10)
            pgbouncer.engine.kill()
            pgbouncer.start()
            wait_for_files(sis, 10)
        publisher.publish([save(definition("by-hand", fields=[{"field": "tardy_id"}]))], "writeback.commands")
        publisher.publish([tardy("by-hand")])
        publisher.publish([command("export.run_now", {"export_id": "by-hand"})], "writeback.commands")
        wait_for(load.all_collected, "the SIS to have every tardy", 120)
        wait_for(lambda: sis.rows["by-hand"], "the SIS to have what was asked for by hand", 120)
        for line in (["status"], ["audit"], ["check"], ["trace", "by-hand"], ["runs", "list"]):
            asked = writeback.run(*line)
            assert asked.returncode == 0, (line, asked.stderr)
        assert publisher.depths() == dict.fromkeys(QUEUE_NAMES, 0)
        for worker in workers:  # nothing that others call is heard here
            assert worker.log.read_text().count("a pooler stands before the database") == 1
        end(workers, sis, home / "outbox")
    publisher.close()
    assert sis.rows == Counter([*load.published, "by-hand"])
