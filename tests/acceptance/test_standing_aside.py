"""Real workers that meet an error of the program: they live, everything else is delivered, and status tells."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.builders import definition, outgoing, rows_in, save, tardy
from tests.processes import Processes, wait_for
from worker.broker.by_url import open_broker
from worker.broker.ports import Broker
from worker.failpoints import RAISE_VARIABLE, Arrow, Step

LONG = 120.0  # seconds: a busy machine
LIVE = {"frequency": "continuous", "linger_seconds": 0.2, "time_zone": "UTC"}
IN_A_LOOP = (Step.CONSUMER, Step.TICK, Step.OUTBOX, Step.HOUSEKEEPING, Step.LEASES)
AT_A_STEP = (Arrow.SEAL_BEFORE_COMMIT, Arrow.CLAIM_COMMITTED, Arrow.UPLOAD_DONE)


def publish(broker: Broker, tardy_id: str) -> None:
    broker.operator().publish_all([outgoing(tardy(tardy_id))])


def save_exports(broker: Broker) -> None:
    """Two exports that take the same."""
    broker.prepare()
    for name in ("bad", "good"):
        folder = {"type": "directory", "path": f"sis/{name}"}
        message = save(definition(name, schedule=LIVE, destination=folder))
        broker.operator().publish_all([outgoing(message)])


def wait_until_sent(home: Path, export_id: str, *tardies: str) -> None:
    def sent() -> bool:
        lines = [line for rows in rows_in(home / "sis" / export_id).values() for line in rows]
        return sorted(lines) == [f"{name},1," for name in tardies]

    wait_for(sent, f"{export_id} to have sent {tardies}", LONG)


def aside(processes: Processes) -> set[tuple[str, str]]:
    """What `status` says stands aside."""
    told = json.loads(processes.run("status", "--json").stdout)["aside"]
    return {(one["kind"], one["export_id"]) for one in told}


def one_export_fails(processes: Processes, broker: Broker, home: Path, place: Arrow) -> None:
    """Before and after a restart the other one delivers; without the fault the failed one does so as well."""
    save_exports(broker)
    fault = {RAISE_VARIABLE: f"{place}@bad"}
    for number, name in enumerate("ab", start=1):
        worker = processes.start_ready(**fault)
        publish(broker, name)
        wait_until_sent(home, "good", *"ab"[:number])
        wait_for(lambda: aside(processes), "the bad one to stand aside", LONG)
        assert worker.alive
        assert worker.stop() == 0
    assert aside(processes) <= {("export", "bad"), ("run", "bad")}
    processes.start_ready()
    processes.run("exports", "retry", "bad")
    wait_until_sent(home, "bad", "a", "b")


@pytest.mark.parametrize("place", AT_A_STEP)
def test_one_export_that_meets_an_error_costs_no_other_its_rows(
    writeback: Processes, amqp_url: str, home: Path, place: Arrow
) -> None:
    one_export_fails(writeback, open_broker(amqp_url, home), home, place)


def test_on_the_embedded_default_neither(embedded: Processes, home: Path) -> None:
    one_export_fails(embedded, open_broker(None, home), home, Arrow.SEAL_BEFORE_COMMIT)


@pytest.mark.parametrize("part", IN_A_LOOP)
def test_an_error_in_a_loop_ends_neither_the_thread_nor_the_process(
    embedded: Processes, home: Path, part: Step
) -> None:
    broker = open_broker(None, home)
    save_exports(broker)
    worker = embedded.start_ready(**{RAISE_VARIABLE: f"{part}:1"})
    publish(broker, "a")
    wait_until_sent(home, "good", "a")
    if part is not Step.LEASES:  # no run is under way long enough for one
        wait_for(lambda: worker.logged("an error of the program"), "the error to be logged", LONG)
    assert worker.alive
    assert worker.stop() == 0
