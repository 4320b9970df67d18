"""A short soak: every part of `make soak`, on servers of its own, from a seed that stays the same."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 300.0
_OPTIONS = {"--minutes": "0.4", "--seed": "1848", "--workers": "3", "--rate": "120"}


def test_a_short_soak_loses_nothing_and_sends_nothing_twice(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What it found is in its output, and the folder that it names there."""
    report = tmp_path / "report.json"
    options = [word for pair in _OPTIONS.items() for word in pair]
    done = subprocess.run(
        [sys.executable, "-m", "tests.soak", *options, "--json", str(report)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    account = json.loads(report.read_text())
    with capsys.disabled():
        print(f"\n{sum(account['faults'].values())} faults: {account['figures']}")
    assert (account["lost"], account["twice"], account["violations"]) == (0, 0, [])
    assert account["figures"]["redeliveries seen"] > 0, (
        "nothing was delivered to us twice: this tested nothing"
    )
