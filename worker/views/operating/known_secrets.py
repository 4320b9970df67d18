"""Which secrets the definitions name, and which of them are there; never a value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from worker.secrets import Source, Whereabouts, secret_names
from worker.store.database.engine import Database
from worker.store.definitions import definitions

_SOURCES: dict[Source, str] = {
    "environment": "the environment",
    "env_file": "the file of variables",
    "folder": "the folder of secret files",
}


@dataclass(frozen=True, slots=True)
class KnownSecret:
    """A secret and the exports whose destination names it."""

    whereabouts: Whereabouts
    exports: tuple[str, ...]

    @property
    def name(self) -> str:
        return self.whereabouts.name

    @property
    def is_there(self) -> bool:
        return self.whereabouts.source is not None

    @property
    def told(self) -> str:
        """Where it is from, or what is wrong and what to do."""
        found = self.whereabouts
        return found.problem or "" if found.source is None else f"from {_SOURCES[found.source]}"


def known_secrets(database: Database, whereabouts: Callable[[str], Whereabouts]) -> list[KnownSecret]:
    """Every secret that an active definition names, by name."""
    with database.read() as connection:
        rows = [(row["export_id"], row["document"]) for row in definitions.every(connection)]
    named: dict[str, list[str]] = {}
    for export_id, document in rows:
        for name in dict.fromkeys(secret_names(document["destination"])):
            named.setdefault(name, []).append(export_id)
    return [KnownSecret(whereabouts(name), tuple(named[name])) for name in sorted(named)]


def secret_shape(known: KnownSecret) -> dict[str, Any]:
    """A secret as JSON, without its value."""
    found = known.whereabouts
    return {
        "secret": found.name,
        "ok": known.is_there,
        "found_in": found.source,
        "variable": found.variable,
        "file": None if found.file is None else str(found.file),
        "exports": list(known.exports),
        "problem": found.problem,
    }
