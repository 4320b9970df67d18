"""A student's data erased: a series of steps, each of which may be done again."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection

from schemas.topology import EVENTS_QUEUE
from worker.actions.acting import Act
from worker.broker.ports import Operator
from worker.errors import RefusedError
from worker.store.database.engine import Database, own_catalogue
from worker.store.retention.emptying import Emptied
from worker.store.retention.erasing import (
    Student,
    count_left,
    erase,
    refuse_in_use,
    versions_about,
)
from worker.store.retention.freed_bytes import scrub, scrub_sqlite
from worker.views.tardies.student_data import Erased, about_student, find_student
from worker.views.tardies.student_parked import About, parked_about

_TELLING = 3  # characters: a shorter word stands in any reason
_TRIES = 3  # somebody else may replay or drop a parked message meanwhile


@dataclass(frozen=True, slots=True)
class Erasure:
    """What is to be erased, as a person is asked about it: the student, and all that tells of one."""

    student: Student
    about: About

    @property
    def tardies(self) -> int:
        return len(self.about.tardy_ids)


def find_erasure(
    database: Database, wanted: str, reason: str, *, local: bool, district: str | None
) -> Erasure:
    """Finds what would be erased. Raises RefusedError: who is meant is not clear, a run that is being delivered has
    one of the tardies, or the reason says who the student is."""
    with database.read() as connection:
        student = find_student(connection, wanted, local=local, district=district)
        versions = versions_about(connection, student)
        refuse_in_use(connection, sorted({version.tardy for version in versions}))
    about = about_student(student, versions)
    _refuse_telling(reason, about)
    return Erasure(student, about)


def _refuse_telling(reason: str, about: About) -> None:
    """The reason is kept for good. Raises RefusedError where it says who the student is."""
    names = (name for whole in about.names for name in whole)
    words = {word for word in (*(about.ids - about.tardy_ids), *names) if len(word) >= _TELLING}
    if any(re.search(rf"(?<!\w){re.escape(word)}(?!\w)", reason, re.IGNORECASE) for word in words):
        raise RefusedError("the reason names the student, and it is kept: say why without a name or number")


def erase_student(
    database: Database,
    operator: Operator,
    erasure: Erasure,
    *,
    inbox: Path | None,
    who: str,
    reason: str,
    now: datetime,
) -> Erased:
    """Erases it. `inbox`: the embedded broker's file. Raises RefusedError, UnavailableError.

    Parked messages first: once the versions are empty, nothing tells any more which tardies were the student's.
    """
    student, about = erasure.student, erasure.about
    dropped = _drop_parked(operator, about)
    emptied = _erase(database, student, who=who, reason=reason, now=now)
    scrub(database)
    if inbox is not None:
        scrub_sqlite(inbox)
    with database.read() as connection:
        left = count_left(connection, student) + len(parked_about(operator, about))
    queued = sum(
        depth.ready + (depth.unacknowledged or 0)
        for depth in operator.depths()
        if depth.queue == EVENTS_QUEUE
    )
    return Erased(erasure.tardies, emptied, dropped, left, queued)


@Act
def _erase(connection: Connection, student: Student, *, who: str, reason: str, now: datetime) -> Emptied:
    own_catalogue(connection)
    return erase(connection, student, who=who, reason=reason, now=now)


def _drop_parked(operator: Operator, about: About) -> int:
    """Deletes the parked messages about the student; how many there were. Raises UnavailableError."""
    dropped = 0
    for last in range(_TRIES, 0, -1):
        found = parked_about(operator, about)
        if not found:
            break
        try:
            dropped += operator.drop([one.parked_id for one in found])
        except RefusedError:
            if last == 1:
                raise
    return dropped
