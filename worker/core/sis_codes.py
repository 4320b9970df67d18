"""Which codes of an SIS's dictionary an export may send, and what is said where the SIS has them no more."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from datetime import datetime
from typing import Literal

from worker.core.definition import Definition
from worker.core.references import EVERY_SCHOOL, References
from worker.core.rows import Tardy, Unwritable, build_row

_TOLD = 10
"""Codes that are named in a sentence; of more it says how many."""


def codes_used(definition: Definition, references: References, now: datetime) -> frozenset[str]:
    """What its rows may say where the SIS wants a code of its dictionary: of each behavior code that the export takes
    and that somebody has described, and whatever the destination's `codes` maps. `references` cover its schools."""
    name = None if definition.records is None else definition.records.dictionary
    specs = tuple(spec for spec in definition.fields if name is not None and spec.title == name)
    alone = replace(definition, fields=specs)
    mapped = frozenset(map(str, definition.destination.get("codes", {}))) if name is not None else frozenset()
    return mapped | frozenset(_written(alone, references, now))


def _written(alone: Definition, references: References, now: datetime) -> Iterator[str]:
    for school_id, code in _taken(alone, references):
        document = {"school_id": school_id, "behavior_code": code}
        try:
            values = build_row(alone, Tardy("", 1, document, now, references), action="add", line=1)
        except Unwritable:
            continue  # held for want of its code, which is told elsewhere
        yield from (str(value) for value in values if value not in (None, ""))


def _taken(definition: Definition, references: References) -> Iterator[tuple[str, str]]:
    """Schools and behavior codes of which the export sends tardies."""
    described = {code for _, code in (*references.codes, *references.mappings)}
    codes = described if definition.codes is None else described & definition.codes
    schools = references.schools if definition.schools is None else definition.schools
    for school_id in schools or (EVERY_SCHOOL,):
        yield from ((school_id, code) for code in codes if not references.never_sends(school_id, code))


def lacking_told(lacking: Collection[str]) -> str | None:
    """What a person reads of the codes that the SIS lacks, a clause; None: it has them all."""
    if not lacking:
        return None
    ordered = sorted(lacking)
    more = f" and {len(ordered) - _TOLD} more" if len(ordered) > _TOLD else ""
    return (
        f"the SIS has no attendance code for {', '.join(map(repr, ordered[:_TOLD]))}{more}: have it entered there"
        " again, or map it to another in the destination's `codes`; meanwhile every such row is refused"
    )


def turn(said: str | None, found: str | None) -> Literal["gone", "back"] | None:
    """What is to be said of codes, given what was said last and what is found now; None: nothing has changed."""
    if found == said:
        return None
    return "back" if found is None else "gone"
