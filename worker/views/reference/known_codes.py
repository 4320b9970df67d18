"""Behavior codes as an administrator sees them: what the SIS calls each, who says so, and what waits for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from sqlalchemy import Connection, RowMapping

from worker.core.references import EVERY_SCHOOL, CodeMapping, References, build_references
from worker.core.rows import code_lacks_reference, code_not_known
from worker.store.catalogue.mappings import mappings_said
from worker.store.definitions import definitions
from worker.store.queries.known_reference import (
    Published,
    WaitingEntries,
    held_for,
    named_by_tardies,
    not_required,
    published,
)
from worker.views.words import counted, minute, named_by

CodeKey = tuple[str, str, str]
"""District, school or EVERY_SCHOOL, code."""


@dataclass(frozen=True, slots=True)
class KnownCode:
    """A code of one school, or (`school_id` None) of every school that has no entry of its own.

    `external_reference_code` is what goes out for it today, whoever said so; None: nobody has, or it is never sent.
    `source` tells whose word that is; `published` and `mapping` are what each has said of this very code and school.
    `waiting`: entries held for want of it. `exports`: definitions that name it.
    """

    district_id: str
    code: str
    school_id: str | None
    external_reference_code: str | None
    never_send: bool
    source: Literal["administrator", "published", "nobody"]
    published: Published | None
    mapping: RowMapping | None
    waiting: int
    not_required: int
    tardies: int
    exports: tuple[str, ...]

    @property
    def lacks_reference(self) -> bool:
        return not self.external_reference_code and not self.never_send


@dataclass(slots=True)
class _Count:
    waiting: int = 0
    not_required: int = 0
    tardies: int = 0
    exports: set[str] = field(default_factory=set)


def known_codes(connection: Connection) -> list[KnownCode]:
    """Every code that was published, mapped, or is named by a tardy or a definition, by district and code."""
    said = {_key(one): one for one in published(connection, "behavior_code")}
    mapped = {
        (row["district_id"], row["school_id"], row["code"]): row
        for row in mappings_said(connection, ended=False)
    }
    counts = {key: _Count() for key in (*said, *mapped)}
    _count_tardies(connection, counts)
    _count_definitions(connection, counts)
    references = {district: _references(district, said, mapped) for district, _, _ in counts}
    ordered = sorted(counts, key=lambda key: (key[0], key[2], key[1]))
    return [_known(key, counts[key], said, mapped, references[key[0]]) for key in ordered]


def _key(one: Published) -> CodeKey:
    return (one.district_id, one.school_id, one.item_id)


def _count_tardies(connection: Connection, counts: dict[CodeKey, _Count]) -> None:
    for place, count in named_by_tardies(connection).items():
        _of(counts, *place).tardies += count
    for place, count in not_required(connection).items():
        _of(counts, *place).not_required += count
    for one in held_for(connection):
        if _waits_for_code(one):
            _of(counts, one.district_id, one.school_id, one.code).waiting += one.count


def _of(counts: dict[CodeKey, _Count], district_id: str, school_id: str, code: str | None) -> _Count:
    """Where a tardy counts: with its school's own code, else with every school's, else with one nobody described."""
    if code is None:  # a void says nothing of its code
        return _Count()
    own, general = (district_id, school_id, code), (district_id, EVERY_SCHOOL, code)
    return counts[general] if general in counts and own not in counts else counts.setdefault(own, _Count())


def _waits_for_code(one: WaitingEntries) -> bool:
    if one.code is None:
        return False
    sentences = (code_not_known(one.code, one.school_id), code_lacks_reference(one.code, one.school_id))
    return any(sentence in one.reason for sentence in sentences)


def _count_definitions(connection: Connection, counts: dict[CodeKey, _Count]) -> None:
    """A code that a definition names belongs to every row of it; where there is none it gets one."""
    for row in definitions.every(connection):
        codes = row["document"]["codes"]
        for code in codes if codes != "all" else ():
            district_id = row["district_id"]
            keys = [key for key in counts if key[0] == district_id and key[2] == code]
            for key in keys or [(district_id, EVERY_SCHOOL, code)]:
                counts.setdefault(key, _Count()).exports.add(row["export_id"])


def _references(
    district_id: str, said: Mapping[CodeKey, Published], mapped: Mapping[CodeKey, RowMapping]
) -> References:
    """As judging has them, so that the same rule says whose word counts."""
    documents = (
        ("behavior_code", key[1], one.document) for key, one in said.items() if key[0] == district_id
    )
    mappings = {
        (key[1], key[2]): CodeMapping(row["external_reference_code"])
        for key, row in mapped.items()
        if key[0] == district_id
    }
    return References(codes=build_references(documents).codes, mappings=mappings)


def _known(
    key: CodeKey,
    count: _Count,
    said: Mapping[CodeKey, Published],
    mapped: Mapping[CodeKey, RowMapping],
    references: References,
) -> KnownCode:
    district_id, school_id, code = key
    never_send = references.never_sends(school_id, code)
    reference = None if never_send else references.code_reference(school_id, code)
    source: Literal["administrator", "published", "nobody"] = "nobody"
    if references.mapping(school_id, code) is not None:
        source = "administrator"
    elif references.code(school_id, code) is not None:
        source = "published"
    return KnownCode(
        district_id,
        code,
        school_id or None,
        reference,
        never_send,
        source,
        said.get(key),
        mapped.get(key),
        count.waiting,
        count.not_required,
        count.tardies,
        tuple(sorted(count.exports)),
    )


def said_mappings(connection: Connection, district_id: str | None) -> list[RowMapping]:
    """Every word of an administrator, in force or not, of all districts or of one."""
    said = mappings_said(connection, ended=True)
    return [row for row in said if district_id in (None, row["district_id"])]


def who_says(one: KnownCode) -> str:
    """Whose word a code's meaning is, and who else names it."""
    parts = [part for part in (_mapped(one), _published(one), _named(one)) if part]
    if one.not_required:
        parts.append(f"{counted(one.not_required, 'entry', 'entries')} not required")
    return "; ".join(parts)


def _mapped(one: KnownCode) -> str | None:
    if one.mapping is not None:
        return f"{one.mapping['mapped_by']}, {minute(one.mapping['mapped_at'])}: {one.mapping['reason']}"
    return "mapped for every school" if one.source == "administrator" else None


def _published(one: KnownCode) -> str | None:
    if one.published is None:
        return None
    said = one.published.document.get("external_reference_code")
    other = f" as {said}" if one.source == "administrator" and said else ""
    at = minute(one.published.received_at)
    return f"published{other}, version {one.published.version}, {at}"


def _named(one: KnownCode) -> str | None:
    """Who names a code that the behavior system has not described."""
    if one.published is not None:
        return None
    return f"not published{'; ' + named_by(one.tardies, one.exports) if one.tardies or one.exports else ''}"


def missing_told(codes: Iterable[KnownCode]) -> str | None:
    """How many lack an External Reference Code and what to do; None: none does."""
    lacking = [one for one in codes if one.lacks_reference]
    if not lacking:
        return None
    waiting = sum(one.waiting for one in lacking)
    return (
        f"{counted(len(lacking), 'code')} without an External Reference Code,"
        f" {counted(waiting, 'entry', 'entries')} waiting: set it in the behavior system, or say it here:"
        " `writeback codes map CODE SIS_CODE --reason WHY`"
    )


def mapping_told(row: RowMapping) -> tuple[str, str | None]:
    """When, by whom and why a word was said, and (None: it is in force) ended."""
    said = f"{minute(row['mapped_at'])} by {row['mapped_by']}: {row['reason']}"
    if row["ended_at"] is None:
        return said, None
    return said, f"{minute(row['ended_at'])} by {row['ended_by']}: {row['end_reason']}"


def code_shape(one: KnownCode) -> dict[str, Any]:
    """A code as JSON."""
    return {
        "district_id": one.district_id,
        "code": one.code,
        "school_id": one.school_id,
        "external_reference_code": one.external_reference_code,
        "never_send": one.never_send,
        "lacks_reference": one.lacks_reference,
        "source": one.source,
        "published": _published_shape(one.published),
        "mapping": mapping_shape(one.mapping) if one.mapping is not None else None,
        "waiting": one.waiting,
        "not_required": one.not_required,
        "tardies": one.tardies,
        "exports": list(one.exports),
    }


def _published_shape(one: Published | None) -> dict[str, Any] | None:
    if one is None:
        return None
    return {
        "name": one.document["name"],
        "external_reference_code": one.document.get("external_reference_code"),
        "version": one.version,
        "received_at": one.received_at,
    }


def mapping_shape(row: RowMapping) -> dict[str, Any]:
    """A mapping as JSON, with who said it, when and why, and, once it has ended, who ended it."""
    reference = row["external_reference_code"]
    kept = ("mapped_at", "mapped_by", "reason", "ended_at", "ended_by", "end_reason")
    return {
        "district_id": row["district_id"],
        "code": row["code"],
        "school_id": row["school_id"] or None,
        "external_reference_code": reference,
        "never_send": reference is None,
    } | {name: row[name] for name in kept}
