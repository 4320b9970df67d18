"""A box does what every destination does that writes under a temporary name and keeps file numbers."""

from __future__ import annotations

from pathlib import Path

import pytest
from acme_sis.box import KIND

from worker.testing.file_suite import NumberedSuite, RenamingSuite, Site
from worker.testing.folder_site import FolderSite


class TestBox(RenamingSuite, NumberedSuite):
    @pytest.fixture
    def site(self, tmp_path: Path) -> Site:
        return FolderSite("boxes/12", tmp_path, KIND, type="acme_box", box="12")
