"""Builds the wheel of a commit: the same bytes whoever builds it, wherever and whenever.

    python .ci/wheel.py FOLDER [COMMIT]

What goes in is what git has of the commit (HEAD), never the work tree. The times of its files are the commit's
(SOURCE_DATE_EPOCH, https://reproducible-builds.org/specs/source-date-epoch/), their modes git's; the tools are the
locked ones of this environment. Prints the file and its SHA-256.
"""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys
import tarfile
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[1]
BUILD = (
    "import sys; from setuptools.build_meta import build_wheel; sys.stderr.write(build_wheel(sys.argv[1]))"
)


def build(folder: Path, commit: str = "HEAD") -> Path:
    """The wheel, in the folder. Raises CalledProcessError."""
    folder.mkdir(parents=True, exist_ok=True)
    os.umask(0o022)
    with TemporaryDirectory() as source:
        with tarfile.open(fileobj=io.BytesIO(_git("archive", "--format=tar", commit))) as files:
            files.extractall(source, filter="data")
        done = subprocess.run(
            [sys.executable, "-c", BUILD, str(folder.absolute())],
            cwd=source,
            env={**os.environ, "SOURCE_DATE_EPOCH": _time_of(commit), "PYTHONHASHSEED": "0"},
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        sys.exit(f"the wheel could not be built:\n{done.stderr}")
    return folder / done.stderr.strip().splitlines()[-1]


def _time_of(commit: str) -> str:
    return _git("log", "-1", "--format=%ct", commit).decode().strip()


def _git(*arguments: str) -> bytes:
    return subprocess.run(["git", "-C", str(ROOT), *arguments], stdout=subprocess.PIPE, check=True).stdout


if __name__ == "__main__":
    wheel = build(Path(sys.argv[1]), *sys.argv[2:3])
    sys.stdout.write(f"{wheel}\nsha256 {hashlib.sha256(wheel.read_bytes()).hexdigest()}\n")
