"""RabbitMQ blocks publishers or loses a queue while tardies flow: the worker goes on by itself, nothing is lost."""

from __future__ import annotations

from collections import Counter
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from sqlalchemy import ColumnElement, func, select

from schemas.topology import COMMANDS_QUEUE, EVENTS_QUEUE, QUEUE_NAMES
from tests.acceptance.faults import UNDER_LOAD, Stubborn, account, end, measured, start, wait_until_back
from tests.acceptance.load import Load, continuous_exports, wait_for_files
from tests.acceptance.sis import Collector
from tests.builders import save, tardy
from tests.processes import Processes, wait_for
from tests.servers import RabbitMQ
from worker.store.database.engine import Database
from worker.store.database.tables import outbox

EXPORTS = 12
BURST = 100
AHEAD = 600
FEW = 5  # tries to consume that a worker may need until a deleted queue is there again


def test_under_a_memory_alarm_files_go_on_and_a_worker_can_be_stopped_and_started(
    writeback: Processes,
    database: Database,
    rabbitmq: RabbitMQ,
    amqp_url: str,
    home: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Whoever publishes is blocked, the worker's own outcomes too: they are told once the alarm is over."""
    [worker] = start(writeback, 1)
    publisher, report = Stubborn(amqp_url), list[str]()
    publisher.publish(continuous_exports(EXPORTS), "writeback.commands")
    with Collector(home / "outbox", tmp_path / "sis") as sis:
        with Load(publisher.publish, sis, exports=EXPORTS, burst=BURST, ahead=AHEAD) as load:
            wait_for_files(sis, 5)
            with rabbitmq.memory_alarm():
                with measured([worker], "memory alarm", report, UNDER_LOAD):
                    wait_for(load.all_collected, "the SIS to have what RabbitMQ took before the alarm")
                    wait_for(partial(in_hand, database), "the worker to try to tell outcomes")
                told = monotonic()
                assert worker.stop() == 0
                report.append(f"stopped meanwhile in {monotonic() - told:.1f} s")
                assert worker.logged("outcomes wait") == 1
                [worker] = start(writeback, 1)
            wait_until_back(sis, report)
        wait_for(load.all_collected, "the SIS to have every tardy")
        wait_for(lambda: not untold(database), "the outcomes to be told")
        end([worker], sis, home / "outbox")
    with capsys.disabled():
        print(account(load.published, sis, report))
    assert sis.rows == Counter(load.published)
    assert publisher.depths() == dict.fromkeys(QUEUE_NAMES, 0)
    publisher.close()


@pytest.mark.parametrize("queue", [EVENTS_QUEUE, COMMANDS_QUEUE])
def test_a_queue_deleted_under_the_workers_is_declared_again_and_consumed(
    queue: str,
    writeback: Processes,
    amqp_url: str,
    home: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What lay in it is gone with it, by the operator's act; what is published from then on is not."""
    workers = start(writeback, 2)
    publisher, operator, report = Stubborn(amqp_url), Stubborn(amqp_url), list[str]()
    publisher.publish(continuous_exports(EXPORTS), "writeback.commands")
    wait_for(
        lambda: sum(worker.logged("command") for worker in workers) == EXPORTS, "the exports to be saved"
    )
    with Collector(home / "outbox", tmp_path / "sis") as sis:
        with Load(publisher.publish, sis, exports=EXPORTS, burst=BURST, ahead=AHEAD) as load:
            wait_for_files(sis, 5)
            with measured(workers, f"{queue} deleted", report, UNDER_LOAD):
                operator.delete(queue)
                since = len(load.published) + BURST  # a burst may have been under way
                wait_until_back(sis, report)
                operator.publish([a_late_export()], "writeback.commands")
                operator.publish([tardy("late", school_id="late")])
                wait_for(lambda: len(load.published) >= since + 3 * BURST, "tardies to flow again")
        safe = {*load.published[since:], "late"}
        wait_for(lambda: all(name in sis.rows for name in safe), "the SIS to have what came afterwards")
        end(workers, sis, home / "outbox")
    gone = Counter(load.published[:since]) - sis.rows
    report.append(f"{gone.total()} gone with the queue")
    with capsys.disabled():
        print(account([name for name in [*load.published, "late"] if name not in gone], sis, report))
    assert sis.rows == Counter([*load.published, "late"]) - gone
    assert all(worker.logged("not consuming; trying again") <= FEW for worker in workers)
    assert publisher.depths() == dict.fromkeys(QUEUE_NAMES, 0)
    publisher.close()
    operator.close()


def a_late_export() -> dict[str, Any]:
    """An `export.save` whose first tardy leaves at once."""
    [message] = continuous_exports(1)
    return save({**message["data"]["definition"], "export_id": "late", "schools": ["late"]})


def untold(database: Database) -> int:
    """How many outcomes wait for the broker."""
    return _outcomes(database, outbox.c.published_at.is_(None))


def in_hand(database: Database) -> int:
    """How many of them a worker is telling now."""
    return _outcomes(database, outbox.c.published_at.is_(None) & outbox.c.claimed_until.is_not(None))


def _outcomes(database: Database, condition: ColumnElement[bool]) -> int:
    with database.read() as connection:
        return int(connection.execute(select(func.count()).select_from(outbox).where(condition)).scalar_one())
