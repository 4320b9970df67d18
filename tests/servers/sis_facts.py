"""What each vendor's SIS takes and answers, written from its public description and from nothing in the program."""

from __future__ import annotations

import re
from typing import Any

from tests.servers.fake_sis import Address, FakeSis, Login, Record, SisFacts, array
from worker.testing.web_server import Reply, Seen

DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
TEXT = re.compile(r".+")


def _seconds(value: Any) -> bool:
    return type(value) is int and 0 <= value < 86_400


def _text_or_number(value: Any) -> bool:
    """Of what the vendor does not say how it is written."""
    return type(value) in (int, str) and value != ""


# PowerSchool

_POWERSCHOOL = {
    "studentid": int,
    "att_date": DAY,
    "schoolid": int,
    "yearid": 36,
    "att_mode_code": "ATT_ModeDaily",
    "attendance_codeid": int,
}
_MEETING = _POWERSCHOOL | {
    "att_mode_code": "ATT_ModeMeeting",
    "start_time": _seconds,
    "end_time": _seconds,
}


def _daily(sis: FakeSis, found: re.Match[str], seen: Seen) -> Reply:
    many = found[1] == "batch_daily_time"
    for record in array(sis, seen.json() if many else [seen.json()], 200):
        sis.take(record, ("studentid", "att_date", "schoolid"), _POWERSCHOOL, "ccid periodid")
    return Reply.of({"status": "ok"})


def _interval(sis: FakeSis, _: re.Match[str], seen: Seen) -> Reply:
    records = list(array(sis, seen.json(), 1000))
    if len({(record["studentid"], record["att_date"]) for record in records}) != 1:
        raise sis.refuse("one student and day a request")
    for record in records:
        sis.take(record, ("studentid", "att_date", "schoolid", "start_time"), _MEETING, "ccid periodid")
    return Reply.of({"status": "ok"})


# Wonde

_SESSION = {
    "date": DAY,
    "session": re.compile("AM|PM"),
    "student_id": TEXT,
    "attendance_code_id": re.compile("code-2[0-9]"),
}
_LESSON = {"lesson_id": TEXT, "student_id": TEXT, "attendance_code_id": re.compile("code-2[0-9]")}


def _register(sis: FakeSis, found: re.Match[str], seen: Seen) -> Reply:
    body = seen.json()
    sis.check(body, {"attendance": list})
    session = found[1] == "session"
    key = ("date", "session", "student_id") if session else ("lesson_id", "student_id")
    for record in body["attendance"]:
        more = "comment employee_id minutes_late" if session else ""
        sis.take(record, key, _SESSION if session else _LESSON, more)
    return Reply.of({"writeback_id": f"w-{sis.new_id()}"})


def _codes(sis: FakeSis, _: re.Match[str], __: Seen) -> Reply:
    return Reply.of({"data": [{"id": its_id, "code": code} for code, its_id in sis.codes.items()]})


# ManageBac

_PRESENT = 1


def _homeroom(sis: FakeSis, found: re.Match[str], seen: Seen) -> Reply:
    sis.take(
        seen.json() | {"path": found[1]},
        ("id", "date"),
        {"id": int, "date": DAY, "status": int, "path": lambda said: int(said) == seen.json().get("id")},
        "notes",
    )
    return Reply.of({})


def _class(sis: FakeSis, found: re.Match[str], seen: Seen) -> Reply:
    record = seen.json() | {"class": found[1]}
    required = {"student_id": int, "date": DAY, "period": _text_or_number, "status": int, "class": TEXT}
    sis.take(record, ("class", "student_id", "date", "period"), required, "notes")
    return Reply.of({})


# Sycamore

_MARK = {
    "Tardy": lambda said: said in (0, 1),
    "Absent": 0,
    "Present": 1,
    "ATID": int,
    "Comment": str,
    "student": TEXT,
    "class": TEXT,
    "date": DAY,
}


def _attendance(sis: FakeSis, found: re.Match[str], seen: Seen) -> Reply:
    body = seen.json()
    sis.check(body, {"Students": dict}, "Date")
    new = 0
    for student, mark in body["Students"].items():
        record = {**mark, "student": student, "class": found[1], "date": body["Date"]}
        new += sis.take(record, ("student", "class", "date"), _MARK)
    return Reply.of({"Success": 1, "Created": new, "Updated": len(body["Students"]) - new}, 201)


# Blackbaud

_EXCUSE = {"student_user_id": int, "begin_date": DAY, "end_date": DAY, "excuse_type_id": int}


def _excuse(sis: FakeSis, _: re.Match[str], seen: Seen) -> Reply:
    record = seen.json() | {"id": sis.new_id()}
    sis.take(record, ("id",), _EXCUSE | {"id": int}, "start_time end_time excuse_comment reported_by")
    return Reply.of(record["id"])


def _excuses(sis: FakeSis, _: re.Match[str], seen: Seen) -> Reply:
    asked = seen.query
    if asked.get("level_id") not in ("4", "5") or "offering_type" not in asked:
        raise sis.refuse("level_id and offering_type are required")
    found = [
        record
        for record in sis.records.values()
        if record["begin_date"] == asked["day"] and str(record["excuse_type_id"]) == asked.get("excuse_type")
    ]
    return Reply.of({"count": len(found), "value": found if asked["level_id"] == "5" else []})


# Skyward Qmlativ

_OBJECTS: dict[str, tuple[dict[str, Any], str]] = {
    "StudentAttendance": (
        {"StudentID": int, "CalendarDayID": int, "EntityID": 7, "SchoolYearID": 27, "TardyCount": 1},
        "Comment",
    ),
    "StudentAttendancePeriod": (
        {"StudentAttendanceID": int, "AttendancePeriodID": int, "AttendanceTypeID": int},
        "AttendanceReasonID StudentSectionID Comment",
    ),
}


def _object(sis: FakeSis, kind: str, body: Any, its_id: str) -> Record:
    sis.check(body, {"DataObject": dict})
    required, optional = _OBJECTS[kind]
    sis.check(body["DataObject"], required, optional)
    student = str(body["DataObject"].get("StudentID"))
    if student in sis.refused:
        raise sis.refuse(sis.refused[student])
    record: Record = {**body["DataObject"], f"{kind}ID": int(its_id)}
    sis.records[(kind, its_id)] = record
    return record


def _put(sis: FakeSis, found: re.Match[str], seen: Seen) -> Reply:
    return Reply.of({found[1]: _object(sis, found[1], seen.json(), str(sis.new_id()))})


def _post(sis: FakeSis, found: re.Match[str], seen: Seen) -> Reply:
    if (found[1], found[2]) not in sis.records:
        return Reply.of({"message": "no such object"}, 404)
    return Reply.of({found[1]: _object(sis, found[1], seen.json(), found[2])})


def _remove(sis: FakeSis, found: re.Match[str], _: Seen) -> Reply:
    there = sis.records.pop((found[1], found[2]), None)
    return Reply.of({}) if there else Reply.of({"message": "no such object"}, 404)


def _list(sis: FakeSis, found: re.Match[str], seen: Seen) -> Reply:
    body = seen.json()
    sis.check(body, {"SearchCondition": dict})
    wanted = body["SearchCondition"]["Conditions"]
    objects = [
        record
        for (kind, _), record in sis.records.items()
        if kind == found[1] and all(record.get(one["FieldName"]) == one["Value"] for one in wanted)
    ]
    return Reply.of({"Objects": objects[: int(found[3])]})


# The shape of our own, as docs/https.md describes it


def _results(sis: FakeSis, _: re.Match[str], seen: Seen) -> Reply:
    body = seen.json()
    sis.check(body, {"records": list})
    return Reply.of({"results": [_result(sis, item) for item in body["records"]]})


def _result(sis: FakeSis, item: Any) -> dict[str, str]:
    sis.check(item, {"key": TEXT, "action": re.compile("create|update|delete"), "record": dict}, "id version")
    tardy = str(item["record"]["tardy_id"])
    if tardy in sis.refused:
        return {"key": item["key"], "status": "refused", "message": sis.refused[tardy]}
    if item["action"] == "delete":
        sis.records.pop((tardy,), None)
    else:
        sis.records[(tardy,)] = item["record"]
    return {"key": item["key"], "status": "done", "id": f"r-{tardy}"}


_QMLATIV = r"/Generic/7/Attendance/(StudentAttendance|StudentAttendancePeriod)"

FACTS: dict[str, SisFacts] = {
    "powerschool": SisFacts(
        Login("/oauth/access_token"),
        (
            Address("POST", "/ws/attendance/(batch_daily_time|daily_time)", _daily),
            Address("POST", "/ws/attendance/meeting_interval", _interval),
        ),
    ),
    "wonde": SisFacts(
        Login(),
        (
            Address("POST", "/v1.0/schools/A1/attendance/(session|lesson)/", _register),
            Address("GET", "/v1.0/schools/A1/attendance-codes/", _codes, writes=False),
        ),
        refusal=422,
        words=lambda text: {"errors": {"attendance.0.student_id": [text]}},
    ),
    "managebac homeroom": SisFacts(
        Login(header="auth-token"),
        (Address("PUT", "/v2/students/([0-9]+)/set_homeroom_attendance", _homeroom),),
        counts=lambda record: record["status"] != _PRESENT,
    ),
    "managebac class": SisFacts(
        Login(header="auth-token"),
        (Address("PUT", "/v2/classes/([0-9]+)/attendance", _class),),
        counts=lambda record: record["status"] != _PRESENT,
    ),
    "sycamore": SisFacts(
        Login(),
        (Address("POST", "/api/v1/Class/([0-9]+)/Attendance", _attendance),),
        counts=lambda record: record["Tardy"] == 1,
    ),
    "blackbaud": SisFacts(
        Login("/token", grant="refresh_token", extra="bb-api-subscription-key"),
        (
            Address("POST", "/school/v1/attendance", _excuse),
            Address("GET", "/school/v1/attendance", _excuses, writes=False),
        ),
    ),
    "https": SisFacts(Login(), (Address("POST", "/tardies", _results),)),
    "skyward": SisFacts(
        Login("/oauth/token", expired=403),
        (
            Address("PUT", _QMLATIV, _put),
            Address("POST", rf"{_QMLATIV}/([0-9]+)", _post),
            Address("DELETE", rf"{_QMLATIV}/([0-9]+)", _remove),
            Address("POST", rf"{_QMLATIV}/([0-9]+)/([0-9]+)", _list, writes=False),
        ),
        counts=lambda record: "AttendancePeriodID" in record,
    ),
}
