"""All that is held about one student, and finding a student by an id."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, zip_longest
from typing import Any

import orjson
from sqlalchemy import Connection, RowMapping

from schemas.messages.payload import DEFAULT_DISTRICT
from worker.broker.ports import Operator
from worker.core.definition import as_far_as_known
from worker.errors import RefusedError
from worker.store.audit.auditing import snapshot
from worker.store.catalogue.exports_in_force import load_document
from worker.store.database.engine import Database
from worker.store.entries.decisions import of_tardy
from worker.store.queries.tardy_receipts import receipts_of_tardy
from worker.store.retention.emptying import Emptied
from worker.store.retention.erasing import (
    NamingVersion,
    Student,
    entries_about,
    known_ids,
    known_names,
    students_of,
    versions_about,
)
from worker.views.tardies.row_receipts_told import receipt_shape
from worker.views.tardies.student_parked import About, parked_about
from worker.views.tardies.tardy_traces import taken_back_shape
from worker.views.words import counted, instant, picked

OUT_OF_REACH = (
    "files that the SIS has collected",
    "backups of the database and of the broker",
    "what the publisher sends anew",
)
_DECISION = "at who decision reason export_id version"


@dataclass(frozen=True, slots=True)
class Erased:
    """What an erase came to. `left` is what still names the student, `queued` how many messages wait to be read."""

    tardies: int
    emptied: Emptied
    parked: int
    left: int
    queued: int

    @property
    def shape(self) -> dict[str, Any]:
        emptied = {name: getattr(self.emptied, name) for name in ("versions", "rows", "cancelled")}
        after = {"parked": self.parked, "left": self.left, "queued": self.queued}
        return {"tardies": self.tardies} | emptied | after | {"out_of_reach": list(OUT_OF_REACH)}

    @property
    def facts(self) -> list[tuple[str, object]]:
        """Name and value, for a person; the value None where there is none."""
        waits = f"{counted(self.queued, 'message')}: what of them names the student will come in"
        return [
            ("tardies", self.tardies),
            ("versions", f"{self.emptied.versions} emptied"),
            ("rows", f"{self.emptied.rows} emptied"),
            ("waiting", f"{self.emptied.cancelled} cancelled"),
            ("parked", f"{counted(self.parked, 'message')} dropped"),
            ("left", self.left),
            ("in the queue", waits if self.queued else None),
            ("out of reach", "; ".join(OUT_OF_REACH)),
        ]


def find_student(connection: Connection, wanted: str, *, local: bool, district: str | None) -> Student:
    """The student meant; of a `student.id` that nobody holds anything of, all the same: parked messages may name it.

    Raises RefusedError: several students are meant, or none has this local id.
    """
    found = students_of(connection, wanted, local=local, district_id=district)
    districts = sorted({student.district_id for student in found})
    if len(districts) > 1:
        raise RefusedError(
            f"districts {', '.join(districts)} have a student of this id; say which with --district"
        )
    if len(found) > 1:
        raise RefusedError(f"{len(found)} students have or had this local id; name one by its student.id")
    if not found and local:
        raise RefusedError("nothing is held about a student of this local id")
    return found[0] if found else Student(district or DEFAULT_DISTRICT, wanted)


def about_student(student: Student, versions: Sequence[NamingVersion]) -> About:
    """What tells that a parked message is about the student."""
    tardy_ids = frozenset(version.key[1] for version in versions)
    ids = known_ids(versions) | {student.student_id}
    return About(student.district_id, student.student_id, ids | tardy_ids, known_names(versions), tardy_ids)


def student_data(
    database: Database, operator: Operator, wanted: str, *, local: bool, district: str | None
) -> dict[str, Any]:
    """All that is held, as JSON. Raises RefusedError, UnavailableError (of the broker, too)."""
    with snapshot(database) as connection:
        student = find_student(connection, wanted, local=local, district=district)
        versions = versions_about(connection, student)
        tardies = _tardies(connection, versions)
    parked = parked_about(operator, about_student(student, versions))
    names = ("parked_id", "code", "queue", "reason")
    messages = [
        {name: getattr(one, name) for name in names} | {"body": one.body.decode("utf-8", "backslashreplace")}
        for one in parked
    ]
    about = {"student_id": student.student_id, "district_id": student.district_id}
    return about | {"tardies": tardies, "parked": messages}


def _tardies(connection: Connection, versions: Sequence[NamingVersion]) -> list[dict[str, Any]]:
    columns = _Columns(connection)
    entries: dict[tuple[str, str], list[dict[str, Any]]] = {}
    told: dict[tuple[str, str], Sequence[RowMapping]] = {}
    for row in entries_about(connection, versions):
        tardy = (row["district_id"], row["tardy_id"])
        if tardy not in told:
            told[tardy] = receipts_of_tardy(connection, *tardy)
        entries.setdefault(tardy, []).append(_entry(row, columns) | {"receipts": _told(row, told[tardy])})
    return [
        {
            "tardy_id": tardy[1],
            "versions": [_version(version) for version in group],
            "entries": entries.get(tardy, []),
            "decisions": [picked(row, _DECISION) for row in of_tardy(connection, *tardy)],
        }
        for tardy, group in groupby(versions, key=lambda version: version.tardy)
    ]


def _version(version: NamingVersion) -> dict[str, Any]:
    return {
        "version": version.key[2],
        "type": version.type,
        "received_at": instant(version.received_at),
        "message_id": version.message_id,
        "source": version.source,
        "document": version.document,
        "taken_back": taken_back_shape(
            version.taken_back_at, version.taken_back_by, version.take_back_reason
        ),
    }


def _entry(row: RowMapping, columns: _Columns) -> dict[str, Any]:
    return picked(row, "export_id version state reason action run_id line") | {
        "file": row["file_name"],
        "sha256": row["sha256"],
        "delivered_at": instant(row["settled_at"]) if row["state"] == "delivered" else None,
        "row": columns.of(row),
    }


def _told(entry: RowMapping, receipts: Sequence[RowMapping]) -> list[dict[str, Any]]:
    """What the SIS said of the entry's row, in its own words."""
    names = ("export_id", "version", "ordinal")
    return [
        receipt_shape(one) | {"words": one["words"]}
        for one in receipts
        if all(one[name] == entry[name] for name in names)
    ]


class _Columns:
    """The columns of each run's revision."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._known: dict[tuple[str, int], list[str]] = {}

    def of(self, row: RowMapping) -> list[dict[str, Any]] | None:
        """The entry's row as it was sent, column by column; None: it has none."""
        if row["row_values"] is None or row["revision"] is None:
            return None
        key = (row["export_id"], row["revision"])
        if key not in self._known:
            self._known[key] = _titles(load_document(self._connection, *key))
        values = orjson.loads(row["row_values"])
        return [
            {"column": title, "value": value}
            for title, value in zip_longest(self._known[key], values, fillvalue=None)
        ]


def _titles(document: Mapping[str, Any]) -> list[str]:
    """The columns' titles, as far as this version knows the definition."""
    return [field.title for field in as_far_as_known("", "", document).fields]
