"""What an entry is judged by: its tardy, its version's document, and what the SIS has of it.

Each statement names a bounded set of keys. One join over it all would be shorter, but a planner that misjudges
a buffer filled minutes ago reads whole tables for every page.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Connection, RowMapping, func, select
from sqlalchemy.exc import SQLAlchemyError

from schemas.fields.times import stored_instant
from schemas.messages.tardy import VOIDED
from worker import defects
from worker.core.definition import Definition
from worker.core.judgement.policies import FARTHEST_AHEAD
from worker.core.judgement.verdicts import Candidate, Delivered, SisWaits, Waits
from worker.errors import UnreadableError
from worker.failpoints import Step, reached
from worker.store.catalogue.exports_in_force import load_definition
from worker.store.database.statements import one_of_many
from worker.store.database.tables import entry_rows, runs, tardies, tardy_versions
from worker.store.entries.matching import EntryKey, of_export


@dataclass(frozen=True, slots=True)
class Unsealed:
    """An unsealed entry, ready to be judged; or, with a `problem`, one of which something cannot be read."""

    entry: RowMapping
    candidate: Candidate
    delivered: Delivered | None
    problem: Waits | None = None

    @property
    def entry_key(self) -> EntryKey:
        return (self.entry["tardy_id"], self.entry["version"], self.entry["ordinal"])


@dataclass(frozen=True, slots=True)
class _Version:
    """A version as it was read: without a document where it is a void, or has been purged; and when it arrived."""

    document: Mapping[str, Any] | None = None
    occurred_at: datetime | None = None
    received_at: datetime | None = None


_NOTHING = _Version()


def _parsed(text: str | None, received_at: datetime | None) -> _Version:
    if text is None:
        return _Version(received_at=received_at)
    document: Mapping[str, Any] = orjson.loads(text)
    document["school_id"]
    return _Version(document, stored_instant(document["occurred_at"]), received_at)


class Layouts:
    """Whether a revision has the columns of the definition under judgement; each is read once."""

    def __init__(self, connection: Connection, definition: Definition) -> None:
        self._connection = connection
        self._definition = definition
        self._same: dict[int, bool] = {}

    def same(self, revision: int) -> bool:
        if revision not in self._same:
            self._same[revision] = self._has_same(revision)
        return self._same[revision]

    def _has_same(self, revision: int) -> bool:
        try:
            other = load_definition(self._connection, self._definition.export_id, revision)
        except UnreadableError:
            return False  # another version's columns: the row is built anew
        return other.fields == self._definition.fields


class _Known:
    """What is known of some tardies: versions, the row last delivered, voids that a person has seen to. `heads`: each
    tardy's; `unsent`: those of which nothing can have been delivered."""

    def __init__(
        self,
        connection: Connection,
        definition: Definition,
        heads: Mapping[str, RowMapping],
        states: Sequence[str] = ("delivered",),
        unsent: Collection[str] = (),
    ) -> None:
        self._heads = heads
        names = {head["tardy"]: tardy_id for tardy_id, head in heads.items()}
        known = {number: name for number, name in names.items() if name not in unsent}
        self._sent = _last_delivered(connection, definition, known, states) if known else {}
        self._seen_to = _voids_seen_to(
            connection, definition, {head: name for head, name in names.items() if name in self._sent}
        )
        self._stored = _versions(connection, definition.district_id, sorted(heads))
        takes_records = definition.records is not None
        self._open = _left_open(connection, definition, names) if takes_records else {}
        self._read: dict[tuple[str, int], _Version] = {}

    def _version(self, tardy_id: str, version: int) -> _Version:
        """Read when it is needed: one that cannot be read is one entry's trouble."""
        key = (tardy_id, version)
        if key not in self._read:
            stored = self._stored[tardy_id].get(version)
            self._read[key] = _NOTHING if stored is None else _parsed(*stored)
        return self._read[key]

    def candidate(self, row: RowMapping) -> Candidate:
        """The entry as it is to be judged. Raises what reading its document raises."""
        version, head = self._version(row["tardy_id"], row["version"]), self._heads[row["tardy_id"]]
        return Candidate(
            row["tardy_id"],
            row["version"],
            head["head_version"],
            head["voided"],
            version.document,
            version.occurred_at,
            received_at=version.received_at or head["first_received_at"],
            first_received_at=head["first_received_at"],
            released=row["released"],
            told_at=self._told_at(row["tardy_id"], version, head["first_received_at"]),
            sis_waits=self._open.get(row["tardy_id"]),
            put_off=row["later_at"] is not None,
        )

    def _told_at(self, tardy_id: str, version: _Version, first_received_at: datetime) -> datetime | None:
        """When a version first told the time of this one; None: it is not so far ahead that it matters."""
        at = version.occurred_at
        if at is None or at - first_received_at <= FARTHEST_AHEAD:
            return None
        all_of_it = (self._version(tardy_id, number) for number in self._stored[tardy_id])
        told = (one.received_at for one in all_of_it if one.received_at is not None and one.occurred_at == at)
        return min(told, default=None)

    def delivered(self, tardy_id: str, layouts: Layouts) -> Delivered | None:
        """What the SIS has of it. Raises what reading its document raises."""
        row = self._sent.get(tardy_id)
        if row is None:
            return None
        version = self._version(tardy_id, row["version"])
        return Delivered(
            row["version"],
            row["action"],
            json.loads(row["row_values"]) if row["row_values"] is not None else None,
            layouts.same(row["revision"]),
            version.document,
            version.occurred_at,
            self._seen_to.get(tardy_id, 0) > row["version"],
        )


def with_tardies(
    connection: Connection, definition: Definition, page: Sequence[RowMapping], layouts: Layouts
) -> list[Unsealed]:
    """The entries, each with all that it is judged by. Raises UnreadableError."""
    heads = {row["tardy_id"]: row for row in page}
    unsent = {name for name, row in heads.items() if row["changes"] == 0}
    unsent -= {row["tardy_id"] for row in page if row["ordinal"] > 0}
    known = _Known(connection, definition, heads, unsent=unsent)
    return [_read(row, known, layouts) for row in page]


def _read(row: RowMapping, known: _Known, layouts: Layouts) -> Unsealed:
    try:
        reached(Step.ENTRY_READ, row["tardy_id"])
        return Unsealed(row, known.candidate(row), known.delivered(row["tardy_id"], layouts))
    except (UnreadableError, SQLAlchemyError):
        raise  # a database that goes away meanwhile is no entry's fault
    except Exception as error:  # noqa: BLE001 - the page's other entries are judged
        return Unsealed(row, _unread(row), None, broken(error, row))


def sent_of(
    connection: Connection, definition: Definition, tardy_id: str, *, states: Sequence[str] = ("delivered",)
) -> Delivered | None:
    """What the SIS has of one tardy by this export; with `sealed` among the states, what its open run brings it."""
    heads = _heads(connection, definition.district_id, [tardy_id])
    known = _Known(connection, definition, heads, states)
    return known.delivered(tardy_id, Layouts(connection, definition))


def broken(error: Exception, entry: RowMapping) -> Waits:
    """What becomes of an entry over which the program met an error of its own."""
    which = {name: entry[name] for name in ("export_id", "district_id", "tardy_id", "version")}
    return Waits("defect", defects.told(defects.noted("judge", error, **which)))


def _unread(row: RowMapping) -> Candidate:
    """An entry of which no more is known than that it is there."""
    at = row["buffered_at"]
    return Candidate(row["tardy_id"], row["version"], row["version"], False, None, None, at, at)


def _heads(connection: Connection, district_id: str, tardy_ids: Sequence[str]) -> dict[str, RowMapping]:
    c = tardies.c
    rows = connection.execute(
        select(c.tardy, c.tardy_id, c.version.label("head_version"), c.voided, c.first_received_at).where(
            c.district_id == district_id, c.tardy_id.in_(tardy_ids)
        )
    ).mappings()
    return {row["tardy_id"]: row for row in rows.all()}


def _versions(
    connection: Connection, district_id: str, tardy_ids: Sequence[str]
) -> Mapping[str, Mapping[int, tuple[str | None, datetime]]]:
    """{tardy: {version: its stored text, None for a void or where it has been purged; and when it arrived}}."""
    c = tardy_versions.c
    rows = connection.execute(
        select(c.tardy_id, c.version, c.type, c.document, c.received_at).where(
            c.district_id == district_id,
            one_of_many(connection, c.tardy_id, tardy_ids),
            c.taken_back_at.is_(None),
        )
    )
    stored: dict[str, dict[int, tuple[str | None, datetime]]] = defaultdict(dict)
    for tardy_id, version, type, document, received_at in rows.all():
        stored[tardy_id][version] = (None if type == VOIDED else document, received_at)
    return stored


def _last_delivered(
    connection: Connection,
    definition: Definition,
    names: Mapping[int, str],
    states: Sequence[str] = ("delivered",),
) -> dict[str, RowMapping]:
    """{tardy: its last delivered entry with the revision that delivered it}. `names`: tardies by their numbers."""
    c = entry_rows.c
    rows = connection.execute(
        select(c.tardy, c.version, c.action, c.row_values, runs.c.revision)
        .join(runs, runs.c.run_id == c.run_id)
        .where(*_these(connection, definition, names), c.state.in_(states))
        .order_by(c.version, c.ordinal)
    ).mappings()
    return {names[row["tardy"]]: row for row in rows.all()}


def _left_open(
    connection: Connection, definition: Definition, names: Mapping[int, str]
) -> dict[str, SisWaits]:
    """{tardy: what an SIS that takes records has left open of it, by this version or an earlier one}."""
    c = entry_rows.c
    rows = connection.execute(
        select(c.tardy, c.sis_waits).where(*_these(connection, definition, names), c.sis_waits.is_not(None))
    )
    found: dict[str, SisWaits] = {}
    for number, waits in sorted(rows, key=lambda row: _GRAVITY[row[1]]):
        found[names[number]] = waits
    return found


_GRAVITY: Mapping[str, int] = {"later": 0, "half": 1, "unknown": 2}


def _voids_seen_to(
    connection: Connection, definition: Definition, names: Mapping[int, str]
) -> dict[str, int]:
    """{tardy: the newest version whose void a person has dismissed}, of those given."""
    if not names:
        return {}
    c = entry_rows.c
    seen_to = (*_these(connection, definition, names), c.state == "dismissed", c.action == "void")
    rows = connection.execute(select(c.tardy, func.max(c.version)).where(*seen_to).group_by(c.tardy))
    return {names[row[0]]: row[1] for row in rows}


def _these(connection: Connection, definition: Definition, names: Mapping[int, str]) -> list[Any]:
    """SQL: the definition's entries of these tardies."""
    return [of_export(definition.export_id), one_of_many(connection, entry_rows.c.tardy, sorted(names))]
