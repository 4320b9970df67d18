"""`writeback student erase`: a series of steps, each of which may be done again."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from schemas.topology import EVENTS_QUEUE
from worker.bootstrap import Program
from worker.cli.printing.output import (
    confirm,
    counted,
    emit_facts,
    emit_object,
    spinning,
)
from worker.cli.session import who
from worker.cli.student.student_exported import about_student, find_student
from worker.cli.student.student_parked import About, drop_parked, parked_about
from worker.errors import RefusedError, WritebackError
from worker.store.database.engine import own_catalogue
from worker.store.retention.emptying import Emptied
from worker.store.retention.erasing import (
    NamingVersion,
    Student,
    count_left,
    erase,
    refuse_in_use,
    versions_about,
)
from worker.store.retention.freed_bytes import scrub, scrub_sqlite

OUT_OF_REACH = (
    "files that the SIS has collected",
    "backups of the database and of the broker",
    "what the publisher sends anew",
)
_TELLING = 3  # characters: a shorter word stands in any reason


@dataclass(frozen=True, slots=True)
class Erased:
    """What an erase came to. `left` is what still names the student, `queued` how many messages wait to be read."""

    tardies: int
    emptied: Emptied
    parked: int
    left: int
    queued: int


def erase_student(
    program: Program,
    wanted: str,
    reason: str,
    *,
    local: bool,
    district: str | None,
    yes: bool,
    as_json: bool,
) -> None:
    """Erases and tells what was there. Raises RefusedError, UnavailableError; WritebackError where some is left."""
    with program.database.read() as connection:
        student = find_student(connection, wanted, local=local, district=district)
        versions = versions_about(connection, student)
        refuse_in_use(connection, sorted({version.tardy for version in versions}))
    about = about_student(student, versions)
    _refuse_telling(reason, about)
    tardies = counted(len(about.tardy_ids), "tardy", "tardies")
    confirm(f"Erase all that is held about this student ({tardies}) for good?", yes=yes)
    with spinning("erasing") as say:
        erased = _erase(program, student, about, versions, reason)
        say("looking for what is left")
    _tell(erased, as_json=as_json)
    if erased.left:
        raise WritebackError(
            f"{counted(erased.left, 'thing')} of the student's came in meanwhile: give the same command again"
        )


def _refuse_telling(reason: str, about: About) -> None:
    """The reason is kept for good. Raises RefusedError where it says who the student is."""
    names = (name for whole in about.names for name in whole)
    words = {word for word in (*(about.ids - about.tardy_ids), *names) if len(word) >= _TELLING}
    if any(re.search(rf"(?<!\w){re.escape(word)}(?!\w)", reason, re.IGNORECASE) for word in words):
        raise RefusedError("the reason names the student, and it is kept: say why without a name or number")


def _erase(
    program: Program, student: Student, about: About, versions: Sequence[NamingVersion], reason: str
) -> Erased:
    """Parked messages first: once the versions are empty, nothing tells any more which tardies were the student's."""
    operator = program.broker.operator()
    dropped = drop_parked(operator, about)
    for attempt in program.database.retrying():
        with attempt, program.database.write() as connection:
            own_catalogue(connection)
            emptied = erase(connection, student, who=who(), reason=reason, now=program.clock())
    scrub(program.database)
    if program.settings.broker_url is None:
        scrub_sqlite(program.settings.home / "inbox.sqlite3")
    with program.database.read() as connection:
        left = count_left(connection, student) + len(parked_about(operator, about))
    queued = sum(
        depth.ready + (depth.unacknowledged or 0)
        for depth in operator.depths()
        if depth.queue == EVENTS_QUEUE
    )
    return Erased(len(about.tardy_ids), emptied, dropped, left, queued)


def _tell(erased: Erased, *, as_json: bool) -> None:
    emptied = erased.emptied
    if as_json:
        counts = {"versions": emptied.versions, "rows": emptied.rows, "cancelled": emptied.cancelled}
        after = {"left": erased.left, "queued": erased.queued, "out_of_reach": list(OUT_OF_REACH)}
        emit_object({"tardies": erased.tardies, **counts, "parked": erased.parked, **after})
        return
    waits = f"{counted(erased.queued, 'message')}: what of them names the student will come in"
    emit_facts(
        [
            ("tardies", erased.tardies),
            ("versions", f"{emptied.versions} emptied"),
            ("rows", f"{emptied.rows} emptied"),
            ("waiting", f"{emptied.cancelled} cancelled"),
            ("parked", f"{counted(erased.parked, 'message')} dropped"),
            ("left", erased.left),
            ("in the queue", waits if erased.queued else None),
            ("out of reach", "; ".join(OUT_OF_REACH)),
        ]
    )
