"""One student's data: found in every version that names the student, and taken out at once where that is asked for."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

import orjson
from sqlalchemy import Connection, Row, RowMapping, func, select

from worker.errors import RefusedError
from worker.store import trail
from worker.store.database.tables import (
    entries,
    entry_rows,
    receipts,
    runs,
    tardies,
    tardy_versions,
)
from worker.store.retention.emptying import (
    Emptied,
    Tardy,
    Version,
    among,
    chunks,
    empty,
    empty_rows,
    empty_words,
    erase_for_good,
    rows_among,
)
from worker.store.retention.purging import runs_in_use

_PAGE = 1000
_PRINT = 12  # hexadecimal digits


@dataclass(frozen=True, slots=True)
class Student:
    """A student by `student.id`, which is unique within the district only."""

    district_id: str
    student_id: str

    @property
    def fingerprint(self) -> str:
        """What the audit trail calls the student: the beginning of a SHA-256."""
        about = f"{self.district_id}\n{self.student_id}".encode()
        return f"sha256:{hashlib.sha256(about).hexdigest()[:_PRINT]}"


@dataclass(frozen=True, slots=True)
class NamingVersion:
    """A version that names the student, with the document as it was received."""

    key: Version
    type: str
    received_at: datetime
    message_id: str | None
    source: str | None
    document: Mapping[str, Any]
    taken_back_at: datetime | None
    taken_back_by: str | None
    take_back_reason: str | None

    @property
    def tardy(self) -> Tardy:
        return self.key[:2]

    @property
    def student(self) -> Mapping[str, str]:
        """The student as the version tells of one; a void may tell of none."""
        return self.document.get("student") or {}


def students_of(
    connection: Connection, wanted: str, *, local: bool, district_id: str | None
) -> list[Student]:
    """The students with this `student.id`, or (`local`) this local id, in the district or in any.

    Every document that is still there is looked through: seconds, with millions of them.
    """
    name = "local_id" if local else "id"
    found = {
        Student(version.key[0], version.document["student"]["id"])
        for version in _naming(connection, name, wanted, district_id)
    }
    return sorted(found, key=lambda student: (student.district_id, student.student_id))


def versions_naming(connection: Connection, student: Student) -> list[NamingVersion]:
    """Every version that names the student, by tardy and version."""
    found = _naming(connection, "id", student.student_id, student.district_id)
    return sorted(found, key=lambda version: version.key)


def _naming(
    connection: Connection, name: str, value: str, district_id: str | None
) -> Iterator[NamingVersion]:
    v = tardy_versions.c
    member = f"{orjson.dumps(name).decode()}:{orjson.dumps(value).decode()}"  # as documents are written
    has = func.instr if connection.dialect.name == "sqlite" else func.strpos
    of_district = [] if district_id is None else [v.district_id == district_id]
    statement = select(tardy_versions).where(has(v.document, member) > 0, *of_district)
    for row in connection.execute(statement, execution_options={"yield_per": _PAGE}):
        version = _version(row)
        if version.student.get(name) == value:
            yield version


def _version(row: Row[Any]) -> NamingVersion:
    key = (row.district_id, row.tardy_id, row.version)
    taken_back = (row.taken_back_at, row.taken_back_by, row.take_back_reason)
    came = (row.type, row.received_at, row.message_id, row.source)
    return NamingVersion(key, *came, orjson.loads(row.document), *taken_back)


def known_ids(versions: Collection[NamingVersion]) -> frozenset[str]:
    """Every id by which the versions tell who the student is."""
    names = ("id", "local_id", "state_id")
    return frozenset(value for one in versions for name in names if (value := one.student.get(name)))


def known_names(versions: Collection[NamingVersion]) -> frozenset[tuple[str, str]]:
    """Every first and last name that the student has in them, where both are there."""
    pairs = ((one.student.get("first_name"), one.student.get("last_name")) for one in versions)
    return frozenset((first, last) for first, last in pairs if first and last)


def erase(connection: Connection, student: Student, *, who: str, reason: str, now: datetime) -> Emptied:
    """Takes out everything that names the student; what waits is cancelled. The caller owns the catalogue.

    Also versions of tardies that were corrected from or to another student, voids without a student among them.
    May be done again. Raises RefusedError where a run that has not ended has one of the tardies.
    """
    touched = sorted({version.tardy for version in versions_naming(connection, student)})
    refuse_in_use(connection, touched)
    erase_for_good(connection)
    emptied = empty(connection, _to_empty(connection, student, touched), now)
    for chunk in chunks(touched):  # a void repeats the row that it takes back, whomever its version names
        emptied += Emptied(rows=empty_rows(connection, rows_among(chunk), entry_rows.c.action == "void"))
        empty_words(connection, among(receipts, chunk), receipts.c.action == "void")
    trail.note(connection, "erase-student", who, now, reason=f"student {student.fingerprint}: {reason}")
    return emptied


def refuse_in_use(connection: Connection, touched: Sequence[Tardy]) -> None:
    """Raises RefusedError where a run that has not ended, or is sent once more, has one of these tardies."""
    e, in_use = entries.c, runs_in_use(connection)
    for chunk in chunks(touched):
        used = select(e.export_id, e.run_id).where(among(entries, chunk), e.run_id.in_(sorted(in_use)))
        for row in connection.execute(used.limit(1)):
            raise RefusedError(
                f"a tardy of the student is in run {row.run_id[:12]} of {row.export_id}, which is still being"
                " delivered; ask again once it has ended (`writeback runs list --state open`)"
            )


def _to_empty(connection: Connection, student: Student, touched: Sequence[Tardy]) -> list[Version]:
    """Of these tardies, the versions that name the student or nobody at all."""
    v = tardy_versions.c
    found = []
    for chunk in chunks(touched):
        rows = connection.execute(
            select(v.district_id, v.tardy_id, v.version, v.document).where(among(tardy_versions, chunk))
        )
        for row in rows:
            named = _student_in(row.document)
            if named in (None, student.student_id):
                found.append((row.district_id, row.tardy_id, row.version))
    return found


def _student_in(document: str | None) -> str | None:
    student = orjson.loads(document).get("student") if document is not None else None
    return None if student is None else str(student["id"])


def count_left(connection: Connection, student: Student) -> int:
    """How many versions and tardies still name the student: 0 after an erase, unless new ones have arrived."""
    t = tardies.c
    heads = select(func.count()).where(
        t.district_id == student.district_id, t.student_id == student.student_id
    )
    return len(versions_naming(connection, student)) + int(connection.execute(heads).scalar_one())


def versions_about(connection: Connection, student: Student) -> list[NamingVersion]:
    """The versions that name the student, and those that name nobody and follow one, by tardy and version."""
    v = tardy_versions.c
    found: list[NamingVersion] = []
    for chunk in chunks(sorted({version.tardy for version in versions_naming(connection, student)})):
        statement = select(tardy_versions).where(among(tardy_versions, chunk), v.document.is_not(None))
        named: dict[Tardy, str | None] = {}
        for row in connection.execute(statement.order_by(v.district_id, v.tardy_id, v.version)):
            tardy = (row.district_id, row.tardy_id)
            named[tardy] = _student_in(row.document) or named.get(tardy)
            if named[tardy] == student.student_id:
                found.append(_version(row))
    return found


def entries_about(connection: Connection, about: Collection[NamingVersion]) -> list[RowMapping]:
    """The entries of these versions with their runs, by tardy, export and version; and the voids of their rows."""
    versions = {version.key for version in about}
    e, r = entries.c, runs.c
    place = (e.district_id, e.tardy_id, e.export_id, e.version, e.ordinal)
    found: list[RowMapping] = []
    for chunk in chunks(sorted({version.tardy for version in about})):
        statement = (
            select(entries, r.revision, r.file_name, r.sha256)
            .outerjoin(runs, r.run_id == e.run_id)
            .where(among(entries, chunk))
            .order_by(*place)
        )
        for _, rows in groupby(connection.execute(statement).mappings(), key=_in_export):
            found += _about(list(rows), versions)
    return found


def _about(rows: Sequence[RowMapping], versions: Collection[Version]) -> Iterator[RowMapping]:
    """Of one tardy's entries in one export, those whose row is of these versions: a void repeats the one before."""
    sent: Version | None = None
    for row in rows:
        version = (row["district_id"], row["tardy_id"], row["version"])
        of = sent if row["action"] == "void" and sent is not None else version
        if of in versions:
            yield row
        if row["state"] == "delivered" and row["action"] != "void":
            sent = version


def _in_export(row: RowMapping) -> tuple[str, str, str]:
    return (row["district_id"], row["tardy_id"], row["export_id"])
