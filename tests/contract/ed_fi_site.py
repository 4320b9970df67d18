"""Ed-Fi's two resources at a small Ed-Fi API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.servers.ed_fi_ods import KEY, SECRET, TARDY, EdFiOds
from tests.servers.ed_fi_shapes import SCHOOL, SECTION
from tests.webs import LOCAL
from worker.allowed_hosts import read_allowed_hosts
from worker.core.record_rules import RecordForm
from worker.destinations.http.web import Web
from worker.destinations.record_port import RecordDestination, RowDeed, WrittenRequest
from worker.destinations.records.ed_fi.ods import KIND
from worker.testing.installations import installation
from worker.testing.record_suite import Row
from worker.testing.web_server import Fault, Reply, Seen, WebServer

_SCHOOL_ID = 255901001
_TOLD = {"ed-fi-key": KEY, "ed-fi-secret": SECRET}
_WRONG = "wr0ng-s3cret"
_OPTIONS: dict[str, Any] = {
    "type": "ed_fi",
    "key": {"secret": "ed-fi-key"},
    "secret": {"secret": "ed-fi-secret"},
    "category": TARDY,
    "sessions": [{"name": "Fall", "school_year": 2027, "from": "2026-08-17", "until": "2026-12-18"}],
}


class EdFiSite:
    """One of the two, at an API that knows every student who is named."""

    def __init__(self, home: Path, resource: str, kept_as: str, school: Mapping[str, Any]) -> None:
        self.ods = EdFiOds()
        self._server = WebServer(self.ods)
        self._server.__enter__()
        self._open = True
        self.ods.base = self._server.url
        self._options = _OPTIONS | {"resource": resource, "base_url": self._server.url}
        self._kept_as, self._school = kept_as, school
        self._seen = installation(home, web=Web(read_allowed_hosts(LOCAL)))

    @property
    def form(self) -> RecordForm:
        return KIND.form(self._options)

    def open(self) -> RecordDestination:
        return KIND.open(self._options, self._seen, _TOLD.__getitem__)

    def open_with_wrong_secret(self) -> tuple[RecordDestination, str]:
        return KIND.open(self._options, self._seen, (_TOLD | {"ed-fi-secret": _WRONG}).__getitem__), _WRONG

    def written(self, deeds: Sequence[RowDeed]) -> Sequence[WrittenRequest]:
        assert KIND.written is not None
        return KIND.written(self._options, self._seen, deeds)

    def asked(self) -> Sequence[Seen]:
        return [seen for seen in self._server.seen if "/ed-fi/" in seen.path]

    def row(self, number: int) -> Row:
        student = str(1000 + number)
        self.ods.students[student] = _SCHOOL_ID
        return {
            "studentReference.studentUniqueId": student,
            "eventDate": "2026-10-06",
            "attendanceEventCategoryDescriptor": TARDY,
            "arrivalTime": "08:05",
            **self._school,
        }

    def changed(self, row: Row) -> Row:
        return {**row, "arrivalTime": "08:15"}

    def tardies(self) -> int:
        return len(self.ods.held(self._kept_as))

    def holds(self, row: Row) -> bool:
        said = (row["studentReference.studentUniqueId"], row["arrivalTime"] + ":00")
        return said in [
            (each["studentReference"]["studentUniqueId"], each["arrivalTime"])
            for each in self.ods.held(self._kept_as)
        ]

    def lose_answer(self) -> None:
        self.ods.fail_write(Fault.AFTER)

    def refuse(self, row: Row, words: str) -> None:
        self.ods.refused[row["studentReference.studentUniqueId"]] = words

    def put_off(self, words: str) -> None:
        self.ods.fail_write(Reply.of({"detail": words, "type": "urn:ed-fi:api:security:authorization"}, 403))

    def throttle(self, seconds: int) -> None:
        self.ods.fail_write(Reply(429, headers={"Retry-After": str(seconds)}))

    def stumble(self) -> None:
        self.ods.fail_write(Reply(500))

    def expire(self) -> None:
        self.ods.expire_tokens()

    def vanish(self) -> None:
        if self._open:
            self._open = False
            self._server.__exit__()

    def close(self) -> None:
        self.vanish()


def school_attendance(home: Path) -> EdFiSite:
    """Daily attendance."""
    return EdFiSite(home, "school_attendance", SCHOOL, {"schoolReference.schoolId": str(_SCHOOL_ID)})


def section_attendance(home: Path) -> EdFiSite:
    """Attendance of a class."""
    section = {
        "sectionReference.schoolId": str(_SCHOOL_ID),
        "sectionReference.localCourseCode": "ALG-1",
        "sectionReference.sectionIdentifier": "ALG-1-02",
    }
    return EdFiSite(home, "section_attendance", SECTION, section)
