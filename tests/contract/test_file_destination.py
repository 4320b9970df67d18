"""The suite of the files' port, over every kind that serves it; each has a far side in `sites`."""

from __future__ import annotations

from importlib.metadata import entry_points
from pathlib import Path

import pytest

from tests.contract.file_suite import FileDestinationSuite, Site
from tests.contract.sites import SITES
from worker.destinations.file_port import FileKind
from worker.destinations.kinds import DESTINATIONS
from worker.destinations.plug_ins import GROUP

EVERY = [(name, make) for name, makes in SITES.items() for make in makes]


class TestFileDestinations(FileDestinationSuite):
    """Each test, at each site of each kind."""

    @pytest.fixture(
        params=[make for _, make in EVERY], ids=[f"{name}-{make.__name__}" for name, make in EVERY]
    )
    def site(self, request: pytest.FixtureRequest, tmp_path: Path) -> Site:
        site: Site = request.param(tmp_path)
        return site


def test_every_kind_that_takes_files_has_a_site() -> None:
    """But those of plug-ins that are installed here, which other packages try."""
    ours = DESTINATIONS.keys() - {point.name for point in entry_points(group=GROUP)}
    take_files = {name for name in ours if isinstance(DESTINATIONS[name], FileKind)}
    assert take_files == SITES.keys(), "each kind has its far side in SITES of tests/contract/sites.py"
