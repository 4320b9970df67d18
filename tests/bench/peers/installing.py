"""Has what the peers need installed, each once, in a folder that is not tracked; `make clean` removes it."""

from __future__ import annotations

import functools
import hashlib
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
WHERE = HERE.parents[2] / "build" / "bench-peers"
_PATIENCE = 600.0


class NotHereError(Exception):
    """A peer cannot be had here; the message says why."""


@functools.cache
def peers_python() -> Path:
    """The Python that has the peers' packages. Raises NotHereError."""
    folder = WHERE / "python"
    _once(folder, [HERE / "requirements.txt"], _make_python)
    return folder / "bin" / "python"


@functools.cache
def node_folder() -> Path:
    """The folder in which the Node peer runs. Raises NotHereError."""
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            raise NotHereError(f"{program} is not installed")
    folder, sources = WHERE / "node", sorted((HERE / "node").iterdir())
    _once(folder, sources, _make_node)
    return folder


def _make_python(folder: Path) -> None:
    _run([sys.executable, "-m", "venv", str(folder)])
    options = ["-q", "--disable-pip-version-check", "--no-input", "--require-hashes"]
    requirements = str(HERE / "requirements.txt")
    _run([str(folder / "bin" / "python"), "-m", "pip", "install", *options, "-r", requirements])


def _make_node(folder: Path) -> None:
    shutil.copytree(HERE / "node", folder)
    _run(["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(folder)])


def _once(folder: Path, sources: Sequence[Path], make: Callable[[Path], None]) -> None:
    """Makes the folder anew unless it was made from these very files."""
    made_from = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()
    stamp = folder / ".made-from"
    if stamp.exists() and stamp.read_text() == made_from:
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    make(folder)
    stamp.write_text(made_from)


def _run(command: Sequence[str]) -> None:
    """Raises NotHereError, with the last that the command said, where it fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotHereError(f"{Path(command[0]).name} failed: {type(error).__name__}") from None
    if done.returncode:
        said = [line.strip() for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        raise NotHereError(f"{Path(command[0]).name} failed: {' | '.join(said[-2:])[-300:]}")
