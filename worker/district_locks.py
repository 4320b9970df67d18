"""What a district has locked in its schools' definitions: the file that WRITEBACK_LOCKS names, a JSON object of
district → the part of a definition that each one of the district has to have."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from schemas.definition.document import DefinitionSchema
from schemas.messages.payload import DEFAULT_DISTRICT
from schemas.rejections import shown
from worker.errors import ConfigurationError
from worker.json_files import read_object

_NAME = "WRITEBACK_LOCKS"
_FORM = 'accepted is {"DISTRICT": {"corrections": "hold", "file": {"format": "csv"}, …}, …}, null where a part is to be'
_FORM += " left out"
_ITS_OWN = frozenset({"export_id", "district_id"})  # what tells one definition from another


@dataclass(frozen=True, slots=True)
class Locks:
    """By district the part of a definition that is locked."""

    by_district: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def objections(self, document: Mapping[str, Any]) -> list[str]:
        """What of a valid definition differs from what its district has locked, as `path: text`."""
        locked = self.by_district.get(document.get("district_id", DEFAULT_DISTRICT), {})
        return list(_objections(locked, document, ""))


UNLOCKED = Locks()


def _objections(locked: Mapping[str, Any], given: Mapping[str, Any], path: str) -> Iterator[str]:
    for name, wanted in locked.items():
        here, there = f"{path}{name}", given.get(name)
        if isinstance(wanted, Mapping) and isinstance(there, Mapping):
            yield from _objections(wanted, there, f"{here}.")
        elif wanted is None and there is not None:
            yield f"{here}: the district has it left out; leave it out"
        elif not _same(wanted, there):
            yield f"{here}: the district has locked it; write {shown(json.dumps(wanted, ensure_ascii=False))}"


def _same(wanted: Any, there: Any) -> bool:
    """As JSON has it, where `true` is not 1; a single time or day stands for a list of one."""
    if isinstance(there, list) and isinstance(wanted, str):
        wanted = [wanted]
    return json.dumps(wanted, sort_keys=True) == json.dumps(there, sort_keys=True)


def read_locks(path: str | None) -> Locks:
    """The locks of the file; none where none is named. Raises ConfigurationError."""
    if path is None:
        return UNLOCKED
    known = sorted(DefinitionSchema().by_key.keys() - _ITS_OWN)
    found = read_object(_NAME, path, _FORM)
    for district, locked in found.items():
        where = f"{_NAME}: {path}: {district!r}"
        if not isinstance(locked, dict):
            raise ConfigurationError(f"{where} has no object of options; {_FORM}")
        if unknown := sorted(locked.keys() - set(known)):
            raise ConfigurationError(
                f"{where} locks {unknown[0]!r}, which cannot be locked; known: {', '.join(known)}"
            )
    return Locks(found)
