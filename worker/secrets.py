"""Secrets by name: from the environment or from a folder of secret files, never from a definition."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from worker.errors import DestinationError


def secret_reader(environment: Mapping[str, str], folder: Path | None) -> Callable[[str], str]:
    """A function that reads a secret by its name.

    It raises DestinationError where there is none, with the two places looked at and never a value.
    """

    def read(name: str) -> str:
        variable = f"WRITEBACK_SECRET_{name.upper().replace('-', '_')}"
        value = environment.get(variable)
        if value:
            return value
        if folder is not None and (folder / name).is_file():
            return (folder / name).read_text(encoding="utf-8").rstrip("\r\n")
        raise DestinationError(
            f"secret {name!r} is not set: set {variable}, or put a file {name} in WRITEBACK_SECRETS_DIR, then retry"
        )

    return read
