"""What of a valid definition is most likely not meant, a sentence each: shown when it is saved, never in its way."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from schemas.definition.export_fields import nearest
from schemas.everyday import fixed_zone_hint, name_hint
from schemas.rejections import shown

MOST_STRANGERS = 10


def advice(definition: Mapping[str, Any]) -> Iterator[str]:
    """What the definition by itself leads one to ask, as `path: text`."""
    hint = name_hint(definition.get("file", {}).get("name", ""))
    if hint:
        yield f"file.name: {hint}"
    zone = fixed_zone_hint(definition["schedule"]["time_zone"])
    if zone:
        yield f"schedule.time_zone: {zone}"


def strangers(path: str, what: str, names: Sequence[str], known: Collection[str]) -> Iterator[str]:
    """Names in a list of a definition that no message has ever named, each with the nearest that one has."""
    for name in names[:MOST_STRANGERS]:
        near = nearest(name, sorted(known))
        hint = f"; nearest: {', '.join(shown(one) for one in near)}" if near else ""
        yield f"{path}: no message has named the {what} {shown(name)} yet{hint}"
    if len(names) > MOST_STRANGERS:
        yield f"{path}: nor {len(names) - MOST_STRANGERS} more"
