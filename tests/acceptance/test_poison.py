"""A message that kills whoever reads it: its neighbours get through, and it ends up alone."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import select

from schemas.topology import REJECTED_QUEUE
from tests.builders import outgoing, tardy
from tests.processes import Processes, wait_for
from worker.broker.by_url import open_broker
from worker.broker.ports import Broker
from worker.failpoints import VARIABLE, Step
from worker.store.database.engine import Database
from worker.store.database.tables import tardies

NEIGHBOURS = 400
MOST_DEATHS = 30  # three together, then about half of what is left each time: far fewer than this

POISON = "poison"
# A native crash cannot be had on order; from outside it looks like this: reading that message kills the process.
DEADLY = {VARIABLE: f"{Step.EVENT_READ}@{POISON}"}


def stored(database: Database) -> set[str]:
    with database.read() as connection:
        return set(connection.execute(select(tardies.c.tardy_id)).scalars())


def get_neighbours_through(program: Processes, broker: Broker, database: Database) -> int:
    """Publishes the poison among its neighbours and restarts whoever it kills; returns how many it killed."""
    broker.prepare()
    messages = [tardy(POISON) | {"id": POISON}, *(tardy(f"t{number}") for number in range(NEIGHBOURS))]
    assert broker.operator().publish_all([outgoing(message) for message in messages]) == 0
    for deaths in range(1, MOST_DEATHS):
        worker = program.start("consumer", **DEADLY)
        assert worker.wait(60) == -9, "the message kills its worker"
        if len(stored(database)) == NEIGHBOURS:
            return deaths
    raise AssertionError(f"after {MOST_DEATHS} deaths {len(stored(database))} of {NEIGHBOURS} are through")


def the_poison_goes_once_it_is_harmless(program: Processes, broker: Broker, database: Database) -> None:
    """The neighbours were not parked with it, and a mended version handles it."""
    depths = {depth.queue: depth.ready for depth in broker.operator().depths()}
    assert depths[REJECTED_QUEUE] == 0
    worker = program.start_ready("consumer")
    wait_for(lambda: POISON in stored(database), "the mended worker to store it")
    assert worker.stop() == 0


def test_on_rabbitmq(writeback: Processes, amqp_url: str, database: Database) -> None:
    broker = open_broker(amqp_url, Path())
    deaths = get_neighbours_through(writeback, broker, database)
    print(f"the poison killed {deaths} workers before its {NEIGHBOURS} neighbours were through")
    the_poison_goes_once_it_is_harmless(writeback, broker, database)


def test_on_the_embedded_default(embedded: Processes, home: Path) -> None:
    assert embedded.run("db", "upgrade").returncode == 0
    database = Database(f"sqlite:///{home / 'writeback.sqlite3'}")
    broker = open_broker(None, home)
    get_neighbours_through(embedded, broker, database)
    the_poison_goes_once_it_is_harmless(embedded, broker, database)
    database.close()
