"""Nodes of a RabbitMQ cluster are killed while tardies flow: the workers go to another node, and nothing is lost."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas.topology import EVENTS_QUEUE, QUEUE_NAMES, REJECTED_QUEUE
from tests.acceptance.amqp import Client
from tests.acceptance.faults import Stubborn, measured
from tests.acceptance.load import Load, continuous_exports, wait_for_files
from tests.acceptance.sis import Collector
from tests.acceptance.test_killed import seen_before
from tests.processes import Processes, Worker, processes, wait_for
from tests.servers import ServerError
from tests.servers.cluster import Cluster, start_cluster
from tests.servers.janitor import Janitor
from worker.store.database.engine import Database

EXPORTS = 12
BURST = 100
AHEAD = 1200
UNDER_LOAD = 0.95  # processor seconds a worker may use in a second: one that spins takes a whole processor


@pytest.fixture
def cluster(janitor: Janitor) -> Iterator[Cluster]:
    """Three nodes, for this test alone: a cluster that has lost nodes is thrown away whole."""
    try:
        cluster = start_cluster(janitor)
    except ServerError as error:
        pytest.fail(str(error), pytrace=False)
    yield cluster
    cluster.close()


@pytest.fixture
def program(
    janitor: Janitor, tmp_path: Path, home: Path, postgres_url: str, database: Database
) -> Iterator[Processes]:
    """The program on the test's own database; each worker is yet to be told which node to try first."""
    environment = {
        "DATABASE_URL": postgres_url,
        "WRITEBACK_HOME": str(home),
        "WRITEBACK_LINGER_MS": "250",  # so that a worker has something in hand at any moment
    }
    with processes(janitor, tmp_path, environment) as started:
        yield started


def test_every_tardy_is_collected_once_though_two_nodes_of_the_cluster_are_killed_in_turn(
    cluster: Cluster, program: Processes, home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """First the node that leads the events queue, then the one that the worker cut off there has turned to."""
    first, second, _ = cluster.names
    workers = [program.start_ready(BROKER_URL=cluster.url(node)) for node in (first, second)]
    publisher = Stubborn(cluster.url(first))
    publisher.publish(continuous_exports(EXPORTS), "writeback.commands")
    report: list[str] = []
    with Collector(home / "outbox", tmp_path / "sis") as sis:
        with Load(publisher.publish, sis, exports=EXPORTS, burst=BURST, ahead=AHEAD) as load:
            wait_for_files(sis, 10)
            leader = cluster.leader(EVENTS_QUEUE)
            lose(leader, cluster, workers, load, sis, report)
            wait_for_files(sis, 10)
            began = time.monotonic()
            cluster.start_node(leader)
            report.append(f"node back with every queue in {time.monotonic() - began:.1f} s")
            wait_for_files(sis, 10)
            again = redeliveries(cluster)
            lose(second if leader == first else first, cluster, workers, load, sis, report)
            wait_for_files(sis, 10)
        wait_for(load.all_collected, "the SIS to have every tardy")
        duplicates = sum(map(seen_before, workers))
        assert [worker.stop() for worker in workers] == [0, 0]
        wait_for(lambda: not list((home / "outbox").glob("[!.]*")), "the SIS to collect what is left")
    again += redeliveries(cluster)
    with capsys.disabled():
        print(
            f"\n{len(load.published)} tardies in {sis.files} files; {again} messages delivered again,"
            f" {duplicates:.0f} of them buffered before; " + "; ".join(report)
        )
    assert sis.rows == Counter(load.published)
    assert publisher.depths() == dict.fromkeys(QUEUE_NAMES, 0)
    publisher.close()
    client = Client(cluster.url(leader))
    # A depth may be told as 0 by a queue whose leader is slow; an empty get is true.
    assert [client.take(queue) for queue in (EVENTS_QUEUE, REJECTED_QUEUE)] == [[], []]
    client.close()
    audit = program.run("audit")
    assert audit.returncode == 0, audit.stdout + audit.stderr
    assert workers[0].logged("not consuming; trying again"), "a node with a worker was killed"
    assert again + duplicates > 0


def lose(
    node: str, cluster: Cluster, workers: list[Worker], load: Load, sis: Collector, report: list[str]
) -> None:
    """Kills the node; returns once the SIS has a tardy that was published after that."""
    queues = [queue for queue in QUEUE_NAMES if cluster.leader(queue) == node]
    before = [worker.logged("not consuming; trying again") for worker in workers]
    cluster.kill(node)
    began = time.monotonic()
    fresh = f"t-{len(load.published) + BURST}"
    what = "a node killed, until a tardy published after that was collected"
    with measured(workers, what, report, UNDER_LOAD):
        wait_for_files(sis, 1)
        until_file = time.monotonic() - began
        wait_for(lambda: fresh in sis.rows, "a tardy that was published after the node was killed")
    after = [worker.logged("not consuming; trying again") for worker in workers]
    cut_off = sum(more > less for more, less in zip(after, before, strict=True))
    led = ", ".join(queues) or "nothing"
    report.append(f"that node led {led} and had {cut_off} workers; the next file came in {until_file:.1f} s")


def redeliveries(cluster: Cluster) -> int:
    """How many events the nodes that run have handed out once more; a node's count dies with it, and lags by
    5 s."""
    told = cluster.api("GET", f"queues/%2F/{EVENTS_QUEUE}")
    return int(told.get("message_stats", {}).get("redeliver", 0))
