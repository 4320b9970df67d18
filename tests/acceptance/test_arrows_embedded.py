"""SIGKILL at the arrows where the embedded default goes ways of its own."""

from __future__ import annotations

import pytest

from tests.acceptance.arrows import Site
from tests.acceptance.deaths import AT_ONCE, LATE, Scenario, live_through
from worker.failpoints import Arrow

# Where the embedded default goes ways of its own: what the dead process had claimed comes back by itself.
EMBEDDED: dict[Arrow, Scenario] = {
    Arrow.BATCH_BEFORE_COMMIT: AT_ONCE,
    Arrow.BATCH_COMMITTED: Scenario(twice="event"),
    Arrow.BATCH_ACKNOWLEDGED: AT_ONCE,
    Arrow.PARK_BEFORE_PUBLISH: LATE,
    Arrow.PARK_PUBLISHED: Scenario(twice="parked"),
    Arrow.COMMAND_BEFORE_COMMIT: Scenario(times=2, at_once=True),
    Arrow.COMMAND_COMMITTED: Scenario(twice="event"),
    Arrow.COMMAND_ACKNOWLEDGED: AT_ONCE,
}


@pytest.mark.parametrize(("arrow", "scenario"), EMBEDDED.items(), ids=list(EMBEDDED))
def test_an_embedded_worker_that_dies_at_an_arrow_changes_nothing(
    embedded_site: Site, arrow: Arrow, scenario: Scenario
) -> None:
    live_through(embedded_site, (arrow,), scenario)
