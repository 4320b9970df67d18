"""Time zones come from the pinned package, whatever the machine has."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path

import pytest

from schemas.fields.zones import (
    UnknownZoneError,
    find_zone,
    known_zones,
    source,
    zone_of,
)
from worker.core.due import local_date

MORNING = datetime(2026, 11, 23, 16, 5, tzinfo=UTC)
OLD_DATA = """
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

ZoneInfo("America/Vancouver")
import {module}

local = datetime(2026, 11, 23, 16, 5, tzinfo=UTC).astimezone(ZoneInfo("America/Vancouver"))
print(f"{{local:%H:%M %z}}")
"""


def test_british_columbia_stays_on_summer_time() -> None:
    assert f"{MORNING.astimezone(zone_of('America/Vancouver')):%H:%M}" == "09:05"


@pytest.mark.parametrize("module", ["worker", "schemas.fields.times", "worker.cli"])
def test_zone_data_of_the_machine_never_counts(module: str, tmp_path: Path) -> None:
    """The machine has a Vancouver of its own, which is Tokyo's, and somebody asked for it before we came."""
    folder = tmp_path / "America"
    folder.mkdir()
    (folder / "Vancouver").write_bytes((files("tzdata") / "zoneinfo" / "Asia" / "Tokyo").read_bytes())
    told = subprocess.run(
        [sys.executable, "-c", OLD_DATA.format(module=module)],
        env={**os.environ, "PYTHONTZPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert told.stdout.strip() == "09:05 -0700"


def test_a_zone_that_the_data_lacks_is_told_with_its_source() -> None:
    assert find_zone("US/Pacific-New") is None
    with pytest.raises(UnknownZoneError, match=r"US/Pacific-New.*tzdata 20"):
        zone_of("US/Pacific-New")
    with pytest.raises(UnknownZoneError):
        local_date(MORNING, "../etc/passwd")


def test_the_source_is_named_with_both_versions() -> None:
    assert source().startswith("tzdata 2026.")
    assert "(IANA 2026" in source()


def test_every_zone_that_is_known_can_be_used() -> None:
    for name in known_zones():
        assert MORNING.astimezone(zone_of(name)).tzinfo is not None
