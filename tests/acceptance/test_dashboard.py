"""What is watched with, tried on a real Prometheus that scrapes real workers: every query of the dashboard finds what
it asks for, every alert rule can be judged, and each role alone tells what is its own."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.amqp import Client
from tests.builders import code, command, definition, save, school, tardy
from tests.processes import Processes, Worker, wait_for
from tests.servers.janitor import Janitor
from tests.servers.prometheus import Prometheus
from tests.unit.ops.scraping import parse
from worker.ops.gauges import GAUGES

ROOT = Path(__file__).parents[2]
BOARD = json.loads((ROOT / "deploy" / "grafana" / "dashboards" / "tardy-writeback.json").read_text())
RULES = ROOT / "deploy" / "prometheus" / "rules.yaml"
COUNTED = {
    "events_total",
    "runs_total",
    "rows_total",
    "delivery_attempts_total",
    "defects_total",
    "run_seconds_bucket",
}
OF_TLS = {"certificate_expires_timestamp_seconds"}
EVERY_DAY = {"frequency": "daily", "at": ["15:10"], "time_zone": "America/Chicago"}


def targets() -> Iterator[tuple[str, str]]:
    """Each panel's title with each of its queries, variables filled in as Grafana does."""
    for panel in BOARD["panels"]:
        for target in panel.get("targets", ()):
            query = target["expr"].replace("$__rate_interval", "1m").replace("$export", ".*")
            yield panel["title"], query


@pytest.fixture
def workers(writeback: Processes) -> dict[str, Worker]:
    """Each role in a process of its own."""
    return {role: writeback.start_ready(role) for role in ("consumer", "flusher")}


@pytest.fixture
def prometheus(janitor: Janitor, workers: dict[str, Worker]) -> Prometheus:
    prometheus = Prometheus(janitor, [worker.ops_address for worker in workers.values()], [RULES])
    wait_for(prometheus.is_ready, "Prometheus to be ready")
    wait_for(lambda: sum(prometheus.query("up").values()) == 2, "both workers to be scraped")
    return prometheus


def a_morning(client: Client, workers: dict[str, Worker], tmp_path: Path) -> None:
    """One export has delivered, one has failed, a code is not mapped, a message is parked."""
    client.publish([school(), code(name="TARDY")])
    away: dict[str, Any] = {"type": "directory", "path": str(tmp_path / "not" / "mounted")}
    for document in (definition("daily", schedule=EVERY_DAY), definition("failing", destination=away)):
        client.command(save(document))
    client.publish([tardy("t-1"), tardy("t-2"), tardy("t-3", period=7)])
    for export_id in ("daily", "failing"):
        client.command(command("export.run_now", {"export_id": export_id}))
    flusher = workers["flusher"]
    wait_for(lambda: flusher.metric("writeback_runs_total", outcome="delivered"), "a delivery")
    wait_for(lambda: flusher.metric("writeback_open_run", state="failed"), "a failure")


def test_every_query_of_the_dashboard_finds_what_it_asks_for_and_every_rule_can_be_judged(
    prometheus: Prometheus, workers: dict[str, Worker], client: Client, tmp_path: Path
) -> None:
    a_morning(client, workers, tmp_path)
    told = {role: {name for name, _ in parse(worker.page("/metrics")[1])} for role, worker in workers.items()}
    assert {"runs_total", "rows_total", "delivery_attempts_total"} & told["consumer"] == set()
    assert {"runs_total", "rows_total", "delivery_attempts_total", "run_seconds_bucket"} <= told["flusher"]
    assert told["flusher"] >= {"workers", "open_run", "buffer_entries", "queue_messages", "stale_leases"}

    for title, query in targets():
        named = {name.removeprefix("writeback_") for name in re.findall(r"writeback_\w+", query)}
        assert named <= GAUGES.keys() | COUNTED | OF_TLS, title
        if not named & OF_TLS:
            assert named <= told["consumer"] | told["flusher"], title
            wait_for(partial(prometheus.query, query), f"{title}: {query}", seconds=60)
        else:
            prometheus.query(query)

    wait_for(lambda: prometheus.rules()["WritebackRunFailed"]["state"] == "firing", "the failure to be told")
    rules = prometheus.rules()
    assert {rule["health"] for rule in rules.values()} == {"ok"}
    assert {name for name, rule in rules.items() if rule["state"] == "firing"} == {"WritebackRunFailed"}
