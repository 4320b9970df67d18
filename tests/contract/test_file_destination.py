"""The suites of the files' port, over every kind that serves it; each has a far side in `sites`."""

from __future__ import annotations

from importlib.metadata import entry_points
from pathlib import Path

import pytest

from tests.contract.sites import BLIND, NUMBERED, RENAMING, RESENDING, Sites
from worker.destinations.kinds import DESTINATIONS
from worker.destinations.plug_ins import GROUP
from worker.destinations.record_port import RecordKind
from worker.testing.file_suite import FileDestinationSuite, NumberedSuite, RenamingSuite, ResendingSuite, Site


def _at_each(sites: Sites) -> pytest.MarkDecorator:
    """Each test, at each site of each kind."""
    every = [
        pytest.param(make, id=f"{kind}-{make.__name__}") for kind, makes in sites.items() for make in makes
    ]
    return pytest.mark.parametrize("site", every, indirect=True)


@pytest.fixture
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Site:
    made: Site = request.param(tmp_path)
    return made


@_at_each(BLIND)
class TestBlind(FileDestinationSuite):
    """Kinds that do not see what lies there."""


@_at_each(RENAMING)
class TestRenaming(RenamingSuite):
    """Kinds that write under a temporary name."""


@_at_each(RESENDING)
class TestResending(ResendingSuite):
    """Kinds that cannot rename, or are told not to."""


@_at_each(NUMBERED)
class TestNumbered(NumberedSuite):
    """Kinds that keep numbers."""


def test_every_kind_that_takes_files_has_a_site() -> None:
    """But those of plug-ins that are installed here, which other packages try."""
    ours = DESTINATIONS.keys() - {point.name for point in entry_points(group=GROUP)}
    take_files = {name for name in ours if not isinstance(DESTINATIONS[name], RecordKind)}
    assert take_files == BLIND.keys() | RENAMING.keys() | RESENDING.keys(), (
        "each kind has its far side in tests/contract/sites.py"
    )
