"""How a worker starts and ends: roles of their own, SIGTERM under load, and what keeps it from starting."""

from __future__ import annotations

import ctypes
import random
import signal
from collections import Counter
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from schemas.topology import EVENTS_QUEUE, QUEUE_NAMES
from tests.acceptance.amqp import Client
from tests.acceptance.load import Load, continuous_exports, wait_for_files
from tests.acceptance.sis import Collector
from tests.builders import command, definition, rows_in, save, tardy
from tests.processes import Processes, Worker, processes, wait_for
from tests.servers.boot import free_ports
from tests.servers.janitor import Janitor

EXPORTS = 24
STOPS = 3
WRONG_CONFIGURATION = 78


def test_sigterm_under_load_ends_a_worker_in_order_and_loses_nothing(
    writeback: Processes, client: Client, amqp_url: str, home: Path, tmp_path: Path
) -> None:
    """Status 0 within 30 s, again and again, and no run waits for a lease to end: what was in hand is finished."""
    rng = random.Random(5)
    worker = writeback.start_ready()
    for message in continuous_exports(EXPORTS):
        client.command(message)
    publisher = Client(amqp_url)
    with Collector(home / "outbox", tmp_path / "sis") as sis:
        with Load(publisher.publish, sis, exports=EXPORTS, ahead=1000) as load:
            for _ in range(STOPS):
                wait_for_files(sis, rng.randint(1, 30))
                assert worker.stop() == 0
                worker = writeback.start_ready()
        wait_for(load.all_collected, "the SIS to have every tardy")
        assert worker.stop() == 0
    publisher.close()
    assert sis.rows == Counter(load.published)
    assert {queue: client.depth(queue) for queue in QUEUE_NAMES} == dict.fromkeys(QUEUE_NAMES, 0)


def test_a_signal_that_the_kernel_gives_to_any_thread_ends_a_worker(embedded: Processes) -> None:
    """It does so where SIGCONT and SIGTERM come in a row; the main thread alone, asleep, would act on it."""
    worker = embedded.start_ready()
    threads = {int(task.name) for task in Path(f"/proc/{worker.pid}/task").iterdir()} - {worker.pid}
    assert ctypes.CDLL(None).tgkill(worker.pid, min(threads), signal.SIGTERM) == 0
    assert worker.wait() == 0


def test_a_process_that_only_consumes_and_one_that_only_flushes_do_the_work_together(
    writeback: Processes, client: Client, home: Path
) -> None:
    """As the Procfile starts them: each does its own part and no other."""
    consumer = writeback.start_ready("consumer")
    client.command(save(definition()))
    client.publish(tardy(f"t-{number}") for number in range(100))
    asked = client.command(command("export.run_now", {"export_id": "daily"}))
    client.replies(asked)
    wait_for(lambda: client.depth(EVENTS_QUEUE) == 0, "the consumer to take the tardies")
    assert rows_in(home / "outbox") == {}

    flusher = writeback.start_ready("flusher")
    client.replies(asked, least=2)
    [lines] = rows_in(home / "outbox").values()
    assert len(lines) == 100
    assert consumer.stop() == 0
    client.publish([tardy("late")])
    assert flusher.stop() == 0
    assert client.depth(EVENTS_QUEUE) == 1


@pytest.mark.bare
def test_a_worker_refuses_a_database_that_is_behind_until_it_is_upgraded(
    janitor: Janitor, tmp_path: Path, amqp_url: str, postgres_url: str
) -> None:
    """Status 1 and the command to type."""
    with processes(janitor, tmp_path, {"BROKER_URL": amqp_url, "DATABASE_URL": postgres_url}) as writeback:
        worker = writeback.start()
        assert worker.wait() == 1
        assert "`writeback db upgrade`" in worker.last_words()
        assert writeback.run("db", "upgrade").returncode == 0
        assert writeback.start_ready().stop() == 0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BROKER_URL", "redis://localhost"),
        ("BROKER_URL", "localhost:5672"),
        ("DATABASE_URL", "mysql://localhost/x"),
        ("WRITEBACK_BATCH_SIZE", "many"),
        ("WRITEBACK_OPS_ADDRESS", "everywhere"),
    ],
)
def test_a_wrong_value_ends_the_start_with_status_78_and_one_line_that_names_it(
    embedded: Processes, name: str, value: str
) -> None:
    """The contract's status for a wrong configuration."""
    worker = embedded.start(**{name: value})
    assert worker.wait() == WRONG_CONFIGURATION
    assert name in worker.last_words()


def test_a_broker_that_refuses_the_login_ends_the_start_with_status_78_and_no_password_in_the_log(
    writeback: Processes, amqp_url: str
) -> None:
    """Waiting would not help; so it is with a virtual host that is not there."""
    host = urlsplit(amqp_url).netloc.rpartition("@")[2]
    for url in (f"amqp://nobody:hush-hush@{host}/", amqp_url + "-which-is-not-there"):
        worker = writeback.start(BROKER_URL=url)
        assert worker.wait() == WRONG_CONFIGURATION
        assert "BROKER_URL" in worker.last_words()
        assert (urlsplit(url).password or "") not in worker.log.read_text()


def test_a_worker_waits_for_servers_that_are_not_there_yet_and_can_be_stopped_meanwhile(
    writeback: Processes,
) -> None:
    """Whoever starts everything at once need not care for the order."""
    [closed] = free_ports(1)
    away = {
        "BROKER_URL": f"amqp://guest:guest@127.0.0.1:{closed}/",
        "DATABASE_URL": f"postgresql+psycopg://guest:guest@127.0.0.1:{closed}/x",
    }
    for name, url in away.items():
        worker = writeback.start(**{name: url})
        wait_for(partial(has_waited, worker), f"it to wait for {name}")
        assert worker.stop() == 0


def test_a_worker_that_waits_for_its_servers_can_be_watched_meanwhile(writeback: Processes) -> None:
    """Health, readiness and metrics are there from the first moment, not only once all is well."""
    [closed] = free_ports(1)
    away = f"127.0.0.1:{closed}"
    worker = writeback.start(
        BROKER_URL=f"amqp://guest:guest@{away}/", DATABASE_URL=f"postgresql+psycopg://guest:guest@{away}/x"
    )
    wait_for(lambda: worker.page("/readyz")[0], "it to answer")
    status, text = worker.page("/readyz")
    assert status == 503 and "broker: " in text and "database: " in text
    assert worker.page("/healthz") == (200, "ok\n")
    assert worker.metric("writeback_broker_up") == worker.metric("writeback_database_up") == 0
    assert worker.stop() == 0


def has_waited(worker: Worker) -> bool:
    """Whether the worker has tried more than once."""
    return worker.logged("waiting") > 1
