"""Each vendor's SIS as the far side of its kind: the options that lead to it, and how a row looks there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.servers.fake_sis import CLIENT, CLIENT_SECRET, EXTRA_KEY, REFRESH, TOKEN, FakeSis, Record
from tests.servers.sis_facts import FACTS
from worker.allowed_hosts import read_allowed_hosts
from worker.core.record_rules import RecordForm
from worker.destinations.http.web import Web
from worker.destinations.kinds import DESTINATIONS, chosen
from worker.destinations.record_port import RecordDestination, RecordKind, RowDeed, WrittenRequest
from worker.testing.installations import installation
from worker.testing.record_suite import Row
from worker.testing.web_server import Fault, Reply, Seen

_TOLD: Mapping[str, str] = {
    "token": TOKEN,
    "client-secret": CLIENT_SECRET,
    "refresh": REFRESH,
    "subscription": EXTRA_KEY,
}
_WRONG = "wr0ng-s3cret"


def told() -> Mapping[str, str]:
    """The secrets of every site, by their names."""
    return _TOLD


_CLIENT = {"client_id": CLIENT, "client_secret": {"secret": "client-secret"}}
_TOKEN = {"token": {"secret": "token"}}


@dataclass(frozen=True)
class Case:
    """One way into one vendor's SIS: its facts' name, its options but for the address, and how its rows look.

    `address`: the option that holds the address, to which `path` is added. `row`: of a student's number; `change`:
    another content.
    `says`: what of a record there has to be as a row says, by their names: record → row.
    """

    facts: str
    options: Mapping[str, Any]
    row: Callable[[int], Row]
    change: Row
    says: Callable[[Record, Row], bool]
    address: str = "base_url"
    path: str = ""


@dataclass
class SisSite:
    """A kind at the fake SIS of its vendor."""

    case: Case
    home: Path
    sis: FakeSis = field(init=False)

    def __post_init__(self) -> None:
        self.sis = FakeSis(FACTS[self.case.facts])
        self.sis.__enter__()
        self.seen = installation(self.home, web=Web(read_allowed_hosts("127.0.0.0/8")))
        self._open = True

    @property
    def kind(self) -> RecordKind:
        kind = chosen(DESTINATIONS[self.case.options["type"]], self.case.options)
        assert isinstance(kind, RecordKind)
        return kind

    @property
    def options(self) -> dict[str, Any]:
        return {**self.case.options, self.case.address: self.sis.url + self.case.path}

    @property
    def form(self) -> RecordForm:
        return self.kind.form(self.options)

    @staticmethod
    def secret(name: str) -> str:
        return _TOLD[name]

    def open(self) -> RecordDestination:
        return self.kind.open(self.options, self.seen, self.secret)

    def open_with_wrong_secret(self) -> tuple[RecordDestination, str]:
        return self.kind.open(self.options, self.seen, lambda _: _WRONG), _WRONG

    def written(self, deeds: Sequence[RowDeed]) -> Sequence[WrittenRequest]:
        assert self.kind.written is not None
        return self.kind.written(self.options, self.seen, deeds)

    def asked(self) -> Sequence[Seen]:
        kept = (self.sis.facts.login.token_path, "/v1.0/schools/A1/attendance-codes/")
        return [seen for seen in self.sis.server.seen if seen.path not in kept]

    def row(self, number: int) -> Row:
        return self.case.row(1000 + number)

    def changed(self, row: Row) -> Row:
        return {**row, **self.case.change}

    def tardies(self) -> int:
        return len(self.sis.tardies)

    def holds(self, row: Row) -> bool:
        return any(self.case.says(record, row) for record in self.sis.tardies)

    def lose_answer(self) -> None:
        self.sis.fail_write(Fault.AFTER)

    def refuse(self, row: Row, words: str) -> None:
        self.sis.refused[next(row[name] for name in _TOLD_APART_BY if name in row)] = words

    def put_off(self, words: str) -> None:
        self.sis.fail_write(Reply.of(self.sis.facts.words(words), 409))

    def throttle(self, seconds: int) -> None:
        self.sis.fail_write(Reply(429, headers={"Retry-After": str(seconds)}))

    def stumble(self) -> None:
        self.sis.fail_write(Reply.of({"message": "our fault"}, 500))

    def expire(self) -> None:
        self.sis.expire()

    def vanish(self) -> None:
        if self._open:
            self._open = False
            self.sis.__exit__()

    def close(self) -> None:
        self.vanish()


_TOLD_APART_BY = ("tardy_id", "ccid", "studentid", "student_id", "id", "StudentID", "student_user_id")


def _same(*names: str) -> Callable[[Record, Row], bool]:
    return lambda record, row: all(str(record[name]) == str(row[name]) for name in names)


POWERSCHOOL = Case(
    "powerschool",
    {"type": "powerschool", "mode": "daily", "codes": {"T": "27"}, **_CLIENT},
    lambda student: {
        "studentid": str(student),
        "att_date": "2026-10-06",
        "schoolid": "12",
        "yearid": "2027",
        "att_mode_code": "ATT_ModeDaily",
        "attendance_codeid": "T",
    },
    {"attendance_codeid": "28"},
    lambda record, row: (
        str(record["studentid"]) == row["studentid"]
        and record["attendance_codeid"] == {"T": 27, "28": 28}[row["attendance_codeid"]]
    ),
)
MEETING = Case(
    "powerschool",
    {**POWERSCHOOL.options, "mode": "meeting"},
    # Rows of one request are one student's: other times, not other students.
    lambda number: {
        **POWERSCHOOL.row(500),
        "ccid": str(number),
        "att_mode_code": "ATT_ModeMeeting",
        "start_time": f"08:{number - 1000:02}",
        "end_time": f"08:{number - 1000:02}:30",
    },
    {"attendance_codeid": "28"},
    lambda record, row: (
        record["start_time"] == 8 * 3600 + 60 * int(row["start_time"][3:])
        and record["end_time"] == record["start_time"] + 30
        and record["attendance_codeid"] == {"T": 27, "28": 28}[row["attendance_codeid"]]
    ),
)
_WONDE: dict[str, Any] = {"type": "wonde", "school": "A1", **_TOKEN}
WONDE_SESSION = Case(
    "wonde",
    {**_WONDE, "mode": "session"},
    lambda student: {
        "date": "2026-10-06",
        "session": "AM",
        "student_id": f"A{student}",
        "attendance_code_id": "T",
        "minutes_late": 7,
    },
    {"minutes_late": 9},
    _same("date", "session", "student_id", "minutes_late"),
    address="domain",
)
WONDE_LESSON = Case(
    "wonde",
    {**_WONDE, "mode": "lesson", "codes": {"LATE": "code-29"}},
    lambda student: {"lesson_id": "L1", "student_id": f"A{student}", "attendance_code_id": "T"},
    {"attendance_code_id": "LATE"},
    lambda record, row: (
        record["student_id"] == row["student_id"]
        and record["attendance_code_id"] == {"T": "code-27", "LATE": "code-29"}[row["attendance_code_id"]]
    ),
    address="domain",
)
HOMEROOM = Case(
    "managebac homeroom",
    {"type": "managebac", "mode": "homeroom", "codes": {"LATE": "3", "T": "4"}, **_TOKEN},
    lambda student: {"id": str(student), "date": "2026-10-06", "status": "LATE", "notes": ""},
    {"notes": "bus"},
    lambda record, row: str(record["id"]) == row["id"] and record.get("notes", "") == row["notes"],
)
CLASS = Case(
    "managebac class",
    {**HOMEROOM.options, "mode": "class", "void_status": 1},
    lambda student: {
        "class_id": "55",
        "student_id": str(student),
        "date": "2026-10-06",
        "period": "P1",
        "status": "LATE",
        "notes": "",
    },
    {"notes": "bus"},
    lambda record, row: (
        str(record["student_id"]) == row["student_id"] and record.get("notes", "") == row["notes"]
    ),
)
SYCAMORE = Case(
    "sycamore",
    {"type": "sycamore", **_TOKEN},
    lambda student: {"ClassID": "9", "StudentID": str(student), "Date": "2026-10-06", "Comment": ""},
    {"Comment": "bus"},
    lambda record, row: record["student"] == row["StudentID"] and record["Comment"] == row["Comment"],
)
BLACKBAUD = Case(
    "blackbaud",
    {
        "type": "blackbaud",
        "subscription_key": {"secret": "subscription"},
        "refresh_token": {"secret": "refresh"},
        "level_ids": [4, 5],
        "codes": {"T": 31},
        **_CLIENT,
    },
    lambda student: {
        "student_user_id": str(student),
        "begin_date": "2026-10-06",
        "end_date": "2026-10-06",
        "excuse_type_id": "T",
        "excuse_comment": f"t-{student}",
    },
    {"excuse_comment": "bus"},
    lambda record, row: record["excuse_comment"] == row["excuse_comment"] and record["excuse_type_id"] == 31,
)
SKYWARD = Case(
    "skyward",
    {"type": "skyward", "entity": 7, "codes": {"T": "3"}, "years": {"2027": "27"}, **_CLIENT},
    lambda student: {
        "StudentID": str(student),
        "CalendarDayID": "61",
        "SchoolYearID": "2027",
        "AttendancePeriodID": str(student),
        "AttendanceTypeID": "T",
        "Comment": "",
    },
    {"Comment": "bus"},
    lambda record, row: (
        str(record["AttendancePeriodID"]) == row["AttendancePeriodID"]
        and record.get("Comment", "") == row["Comment"]
    ),
)
HTTPS = Case(
    "https",
    {
        "type": "https",
        "mode": "records",
        "rows_a_request": 10,
        "authentication": {"type": "bearer", **_TOKEN},
    },
    lambda student: {"tardy_id": f"t-{student}", "student.local_id": str(student), "minutes_late": 5},
    {"minutes_late": 9},
    lambda record, row: (
        record["tardy_id"] == row["tardy_id"]
        and record["student"]["local_id"] == row["student.local_id"]
        and record["minutes_late"] == row["minutes_late"]
    ),
    address="url",
    path="/tardies",
)
