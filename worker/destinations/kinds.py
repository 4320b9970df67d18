"""The kinds of destination there are; which port one serves, its class says. To add one: one file, one line here.

Packages of others add theirs by entry points (`plug_ins`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from worker.destinations.file_port import FileKind
from worker.destinations.files import directory
from worker.destinations.record_port import RecordKind
from worker.errors import UnreadableError

Kind = FileKind | RecordKind

DESTINATIONS: dict[str, Kind] = {
    "directory": directory.KIND,
}


def unknown_type(name: str, kinds: Iterable[str] = DESTINATIONS) -> str:
    """What a person is told of a type that is not known."""
    return f"destination type {name!r} is not known to this version; known: {', '.join(kinds)}"


def takes_records(name: str) -> str:
    """What a person is told who wants a file sent to what takes records."""
    return f"destination type {name!r} takes records, which this version cannot send yet; name one that takes files"


def require_known(options: Mapping[str, Any]) -> None:
    """Raises UnreadableError where a stored destination is of a kind, or has an option, that is not known here."""
    kind = DESTINATIONS.get(options["type"])
    if kind is None:
        raise UnreadableError(unknown_type(options["type"]))
    known = {field.data_key or name for name, field in kind.schema().fields.items()} | {"type"}
    if unknown := sorted(options.keys() - known):
        raise UnreadableError(f"destination: this version does not know the option {unknown[0]!r}")
