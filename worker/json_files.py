"""JSON files that a variable names: read whole, in UTF-8, with each name once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from worker.errors import ConfigurationError

_LARGEST = 1024 * 1024


def read_object(variable: str, path: str, form: str) -> dict[str, Any]:
    """The object that the file holds; `form` says what is accepted. Raises ConfigurationError."""
    try:
        with Path(path).open("rb") as file:
            raw = file.read(_LARGEST + 1)
    except OSError as error:
        raise ConfigurationError(
            f"{variable}: {path} cannot be read ({error.strerror}); name a file"
        ) from None
    if len(raw) > _LARGEST:
        raise ConfigurationError(f"{variable}: {path} is larger than 1 MiB; {form}")
    try:
        document = json.loads(raw.decode("utf-8-sig"), object_pairs_hook=_without_doubles)
    except (ValueError, RecursionError) as error:
        said = str(error) if isinstance(error, _TwiceError) else "is no JSON in UTF-8"
        raise ConfigurationError(f"{variable}: {path} {said}; {form}") from None
    if not isinstance(document, dict):
        raise ConfigurationError(f"{variable}: {path} is no object; {form}")
    return document


class _TwiceError(ValueError):
    """A name stands twice in one object."""


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise _TwiceError(f"names {name!r} twice")
        found[name] = value
    return found
