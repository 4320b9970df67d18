"""SIGKILL at every arrow before and behind a run, then a fresh process: the same files, receipts, outcomes and parked
messages."""

from __future__ import annotations

import pytest

from tests.acceptance.arrows import Site
from tests.acceptance.deaths import (
    AROUND_RUNS,
    OF_RECORDS,
    OF_RUNS,
    Scenario,
    each_of,
    live_through,
)
from worker.failpoints import Arrow


@pytest.mark.parametrize("arrow", Arrow)
def test_every_arrow_has_a_scenario(arrow: Arrow) -> None:
    every = AROUND_RUNS | OF_RUNS | OF_RECORDS
    assert every.get(arrow), f"nothing kills a worker at {arrow}: add a scenario"


@pytest.mark.parametrize("at_once", [False, True])
def test_a_morning_without_deaths_is_what_the_others_are_measured_by(site: Site, at_once: bool) -> None:
    worker = live_through(site, (), Scenario(at_once=at_once))
    assert worker.stop() == 0


@each_of(AROUND_RUNS)
def test_a_worker_that_dies_at_an_arrow_changes_nothing(site: Site, arrow: Arrow, scenario: Scenario) -> None:
    live_through(site, (*scenario.after, arrow), scenario)
