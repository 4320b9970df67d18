"""Layouts of files for receivers that are no SIS, and of files for any.

Sources: Clever, "Attendance Data - How Does it Work?" (dev.clever.com) and its SFTP instructions; Securly, "Capturing
Tardy Infractions" (learn.securly.com).
"""

from __future__ import annotations

from typing import Any

from schemas.layouts.layout import Layout, column, needed, sftp

_NUMBERED = "{export}_{date:%Y%m%d}_{sequence:04d}.csv"

CLEVER_ATTENDANCE = Layout(
    "clever-attendance",
    "Clever: attendance.csv (a second receiver, not an SIS)",
    "high",
    "Clever's pages have the file's name, its columns and that a file may hold no more than what is new. They do not"
    " say what Sis_id is: it stays empty. Attendance is an early access program there.",
    {
        "file": {"format": "csv", "name": "attendance.csv", "header": True, "if_exists": "replace"},
        "fields": [
            needed("student.local_id", "Student_id"),
            needed("school.sis_id", "School_id"),
            {"constant": "", "header": "Section_id"},
            needed("date", "Attendance_date", format="%Y-%m-%d"),
            {"constant": "daily", "header": "Attendance_type"},
            {"constant": "tardy", "header": "Attendance_status"},
            {"constant": "", "header": "Excuse_code"},
            {"constant": "", "header": "Sis_id"},
        ],
        "collapse": "per_day",
    },
    sftp("clever-sftp", host="sftp.clever.com"),
    (
        "Ask Clever for attendance and for the SFTP login of the district's own sync.",
        "Clever reads files some minutes after they arrive, leaves them where they are, and wants none more often than"
        " hourly: that is why the file is replaced, and why this export must not run more often than every hour.",
    ),
    (
        "student.local_id and each school's SIS id are the Student_id and School_id of the district's other files at"
        " Clever.",
        "For attendance by section, Attendance_type is section and Section_id comes from an attribute that the"
        " behavior system publishes.",
    ),
)


def _securly(*teacher: dict[str, Any]) -> dict[str, Any]:
    return {
        "file": {"format": "csv", "name": _NUMBERED, "header": True},
        "fields": [
            needed("attributes.student_name", "Student name"),
            needed("attributes.student_email", "Student email"),
            column("student.local_id", "Student number"),
            *teacher,
            needed("time", "Time of arrival", format="%I:%M %p", case="lower"),
            needed("date", "Date", format="%m/%d/%Y"),
        ],
        "collapse": "per_period" if teacher else "per_day",
    }


_SECURLY_GROUNDS = (
    "Securly's page has the columns, their order and the forms of time and date. It does not say what the headers are"
    " called: compare them with the sample file in its Tardy Settings."
)
_SECURLY_SETUP = (
    "In Securly Pass turn Tardy Management on, and under Tardy Settings > Tardy Upload take the upload by SFTP.",
)
_SECURLY_SUPPLY = (
    "The behavior system must publish student_name (first and last name, a blank between them) and student_email among"
    " each tardy's attributes: a tardy without them waits as held. Securly finds the student by the e-mail.",
    "Student number is optional there.",
)

SECURLY_LATE_TO_SCHOOL = Layout(
    "securly-late-to-school",
    "Securly Pass: late to school",
    "high",
    _SECURLY_GROUNDS,
    _securly(),
    sftp("securly-sftp"),
    _SECURLY_SETUP,
    _SECURLY_SUPPLY,
)

SECURLY_LATE_TO_CLASS = Layout(
    "securly-late-to-class",
    "Securly Pass: late to class",
    "high",
    _SECURLY_GROUNDS,
    _securly(needed("staff.name", "Teacher name")),
    sftp("securly-sftp"),
    _SECURLY_SETUP,
    (
        *_SECURLY_SUPPLY,
        "staff.name, who wrote the tardy down, must be the teacher, spelt as Securly does: a slip stays there.",
    ),
)

_DAILY = (
    needed("school.sis_id", "School"),
    needed("student.local_id", "Student"),
    needed("date", "Date", format="%Y-%m-%d"),
    needed("behavior.external_reference_code", "Code"),
    column("time", "Time", format="%H:%M"),
    column("comment", "Comment"),
)
_GENERIC_SETUP = (
    "Agree with your SIS which columns it wants, in which order, with or without headers, and what the file is called.",
)
_GENERIC_SUPPLY = (
    "Which number your SIS knows a student by: student.local_id, student.state_id or student.id.",
    "Each code's External Reference Code is your SIS's own code, exactly; each school's SIS id its school number.",
)

GENERIC_DAILY = Layout(
    "generic-daily",
    "Any SIS: one row a student and day",
    "agree",
    "A plain CSV file with what SISs usually ask for; nobody has published it.",
    {
        "file": {"format": "csv", "name": _NUMBERED, "header": True},
        "fields": list(_DAILY),
        "collapse": "per_day",
    },
    sftp("sis-sftp"),
    _GENERIC_SETUP,
    _GENERIC_SUPPLY,
)

GENERIC_PER_PERIOD = Layout(
    "generic-per-period",
    "Any SIS: one row a student and period",
    "agree",
    "A plain CSV file with what SISs usually ask for; nobody has published it.",
    {
        "file": {"format": "csv", "name": _NUMBERED, "header": True},
        "fields": [
            *_DAILY[:3],
            needed("period.external_reference_code", "Period"),
            *_DAILY[3:],
        ],
        "collapse": "per_period",
    },
    sftp("sis-sftp"),
    _GENERIC_SETUP,
    (*_GENERIC_SUPPLY, "Each period's External Reference Code is your SIS's own name for it, exactly."),
)
