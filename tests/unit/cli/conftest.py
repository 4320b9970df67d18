"""A folder of its own for each test of the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.cli.workplace import Workplace


@pytest.fixture
def place(tmp_path: Path) -> Workplace:
    return Workplace(tmp_path)
