"""The suite of the records' port, over every kind that serves it; each has a far side in `record_sites`."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from tests.contract.record_sites import SITES
from worker.destinations.file_port import FileKind
from worker.destinations.kinds import DESTINATIONS
from worker.destinations.plug_ins import GROUP
from worker.testing.record_suite import RecordDestinationSuite, RecordSite

EVERY = [pytest.param(make, id=f"{kind}-{way}") for kind, ways in SITES.items() for way, make in ways.items()]


@pytest.fixture
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RecordSite]:
    made: RecordSite = request.param(tmp_path)
    yield made
    made.close()


@pytest.mark.parametrize("site", EVERY, indirect=True)
class TestRecordDestinations(RecordDestinationSuite):
    """Each test, at each site of each kind."""


def test_every_kind_that_takes_records_has_a_site() -> None:
    """But those of plug-ins that are installed here, which other packages try."""
    ours = DESTINATIONS.keys() - {point.name for point in entry_points(group=GROUP)}
    take_records = {name for name in ours if not isinstance(DESTINATIONS[name], FileKind)}
    assert take_records == SITES.keys(), (
        "each kind has its far side in SITES of tests/contract/record_sites.py"
    )
