"""What a release is made of: a wheel that anybody can build again to the byte, and a scan that never guesses."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.granted import DEPLOY

ROOT = DEPLOY.parent
NOT_SCANNED = 3


def build(folder: Path, umask: int, **environment: str) -> Path:
    """One person's build, with what differs between machines."""
    done = subprocess.run(
        [sys.executable, str(ROOT / ".ci" / "wheel.py"), str(folder)],
        env={**os.environ, **environment},
        umask=umask,
        cwd=folder,
        text=True,
        capture_output=True,
        check=True,
    )
    return Path(done.stdout.splitlines()[0])


def test_two_builds_of_a_commit_are_the_same_bytes(tmp_path: Path) -> None:
    folders = [tmp_path / "one", tmp_path / "another"]
    for folder in folders:
        folder.mkdir()
    one = build(folders[0], 0o022, TZ="UTC", LC_ALL="C")
    another = build(folders[1], 0o077, TZ="Asia/Tokyo", LC_ALL="C.UTF-8", PYTHONHASHSEED="7")

    assert one.name == another.name
    assert one.read_bytes() == another.read_bytes()
    with zipfile.ZipFile(one) as wheel:
        names = wheel.namelist()
    assert any(name.startswith("worker/store/database/migrations/versions/") for name in names)
    assert any(name.startswith("schemas/published/") for name in names)
    assert not any(name.startswith("tests/") for name in names)


@pytest.fixture
def advisories(tmp_path: Path) -> Path:
    """A pip-audit that answers as the test wants: `answer.json` of the folder, or nothing."""
    (tmp_path / "pip_audit.py").write_text(
        "import pathlib, sys\n"
        "here = pathlib.Path(__file__).parent\n"
        "file = here / ('known.json' if 'known-bad' in sys.argv[-1] else 'answer.json')\n"
        "print(file.read_text())\n"
    )
    return tmp_path


def scan(advisories: Path, known: str, answer: str) -> subprocess.CompletedProcess[str]:
    (advisories / "known.json").write_text(known)
    (advisories / "answer.json").write_text(answer)
    return subprocess.run(
        [sys.executable, str(ROOT / ".ci" / "scan.py"), "requirements.lock"],
        env={**os.environ, "PYTHONPATH": str(advisories)},
        text=True,
        capture_output=True,
        check=False,
    )


def answer_about(name: str, version: str, **more: Any) -> str:
    return json.dumps({"dependencies": [{"name": name, "version": version, **more}]})


FOUND = answer_about("jinja2", "2.10", vulns=[{"id": "PYSEC-2019-217", "fix_versions": ["2.10.1"]}])
UNKNOWN = answer_about("jinja2", "2.10", skip_reason="Dependency not found on PyPI")
CLEAN = answer_about("pika", "1.4.4", vulns=[])
SKIPPED = answer_about("pika", "1.4.4", skip_reason="Dependency not found on PyPI")


@pytest.mark.parametrize(
    ("known", "answer", "status", "said"),
    [
        pytest.param(FOUND, CLEAN, 0, "1 libraries, no known vulnerability", id="nothing is known"),
        pytest.param(
            FOUND, FOUND, 1, "jinja2 2.10: PYSEC-2019-217, mended in 2.10.1", id="something is known"
        ),
        pytest.param(UNKNOWN, CLEAN, NOT_SCANNED, "NOT SCANNED", id="nobody can be asked"),
        pytest.param("a traceback", CLEAN, NOT_SCANNED, "NOT SCANNED", id="it breaks off"),
        pytest.param(FOUND, SKIPPED, NOT_SCANNED, "NOT SCANNED: pika", id="a library is skipped"),
    ],
)
def test_a_scan_is_green_only_if_somebody_was_asked(
    advisories: Path, known: str, answer: str, status: int, said: str
) -> None:
    done = scan(advisories, known, answer)

    assert done.returncode == status
    assert said in done.stdout + done.stderr
