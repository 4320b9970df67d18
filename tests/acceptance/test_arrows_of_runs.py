"""SIGKILL at every arrow of a run, from sealing to settling, then a fresh process: the same files and receipts."""

from __future__ import annotations

from tests.acceptance.arrows import Site
from tests.acceptance.deaths import OF_RUNS, Scenario, each_of, live_through
from worker.failpoints import Arrow


@each_of(OF_RUNS)
def test_a_worker_that_dies_over_a_run_changes_nothing(site: Site, arrow: Arrow, scenario: Scenario) -> None:
    live_through(site, (*scenario.after, arrow), scenario)
