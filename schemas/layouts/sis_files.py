"""Layouts of files that SISs import.

Sources: Genesis, "Swipe K12 Import" (support-sis.genesisedu.com, 2023); Ascender, "External Gradebook Absences
Import" (help.ascendertx.com, 2021); the upload definition ESMU6 as the script RTI_Scheduler of AR-k12code fills it
(GitHub); Aeries, "Import Attendance Data" (support.aeries.com); PowerSchool, "AutoComm Setup"
(ps.powerschool-docs.com).
"""

from __future__ import annotations

from typing import Any

from schemas.layouts.layout import Layout, column, needed, sftp

_US_DATE = "%-m/%-d/%Y"
"""Without leading zeros, as in 3/21/2017."""
_NUMBERED = "{export}_{date:%Y%m%d}_{sequence:04d}.txt"


def _genesis(time_header: str) -> dict[str, Any]:
    return {
        "file": {
            "format": "csv",
            "name": _NUMBERED,
            "delimiter": "\t",
            "quoting": "none",
            "header": True,
        },
        "fields": [
            needed("school.sis_id", "School #"),
            needed("student.local_id", "Student #"),
            needed("behavior.external_reference_code", "Attendance Status"),
            needed("time", time_header, format="%I:%M%p"),
            needed("date", "Date", format=_US_DATE),
            {"constant": "", "header": "Reason Code"},
        ],
        "collapse": "per_day",
    }


_GENESIS_SETUP = (
    "In Genesis set up the import task Swipe K12 Import and have it fetch the file from a folder or by SFTP.",
    "Run it in Test Mode first: it reads the file and writes errors to its log, and changes nothing.",
)
_GENESIS_SUPPLY = (
    "Each code's External Reference Code is the attendance code of Genesis.",
    "Each school's SIS id is its school code in Genesis.",
    "Reason Code is optional and stays empty here; Genesis keeps it as the attendance comment: put"
    " {field: comment, header: Reason Code} there if it should have one.",
)
_GENESIS_GROUNDS = (
    "Genesis's page has the columns, the TAB between them and the forms of time and date. It does not say whether it"
    " wants the line of headers: set file.header to false if it does not, and agree the file's name with its task."
)

GENESIS_LATE_ARRIVAL = Layout(
    "genesis-late-arrival",
    "Genesis: Swipe K12 Import, late arrivals",
    "high",
    _GENESIS_GROUNDS,
    _genesis("Time In"),
    sftp("genesis-sftp"),
    _GENESIS_SETUP,
    _GENESIS_SUPPLY,
)

GENESIS_EARLY_RELEASE = Layout(
    "genesis-early-release",
    "Genesis: Swipe K12 Import, early releases",
    "high",
    f"{_GENESIS_GROUNDS} Genesis keeps one time a student and day: the later file's stands.",
    _genesis("Time Out"),
    sftp("genesis-sftp"),
    _GENESIS_SETUP,
    (
        "Name in codes only those that mean leaving early: their time is when the student left.",
        *_GENESIS_SUPPLY,
    ),
)

ASCENDER_ABSENCES = Layout(
    "ascender-absences",
    "Ascender (TxEIS): External Gradebook Absences Import",
    "high",
    "Ascender's page has the positions; track is padded with zeros, and without T in position 82 of every row the"
    " whole import is cancelled. It does not say how shorter numbers are filled up: here blanks follow them.",
    {
        "file": {
            "format": "fixed_width",
            "name": _NUMBERED,
            "encoding": "cp1252",
        },
        "fields": [
            {"constant": "D", "header": "Record Type", "width": 1},
            needed("school.sis_id", "Campus", width=3),
            needed("date", "Date", format="%Y%m%d", width=8),
            needed("attributes.track", "Track", width=2, align="right", pad="0"),
            needed("attributes.course", "Course", width=4),
            needed("attributes.section", "Section", width=2),
            needed("student.local_id", "Student ID", width=6),
            needed("period.external_reference_code", "Period", width=2),
            needed("behavior.external_reference_code", "Code", width=1),
            column("staff.id", "Teacher #", width=3),
            {"constant": "", "header": "Comment", "width": 49},
            {"constant": "T", "header": "Type", "width": 1},
        ],
        "collapse": "per_period",
    },
    sftp("ascender-sftp"),
    ("In Ascender import the file as External Gradebook Absences; every row has 82 characters.",),
    (
        "The behavior system must publish track, course and section among each tardy's attributes: a tardy without"
        ' them waits as held. Where all have the same track, put {constant: "01", width: 2} there instead.',
        "student.local_id is the Student ID of six characters, each school's SIS id its campus of three: as Ascender"
        " has them, leading zeros included.",
        "staff.id, who wrote the tardy down, is the teacher number of three characters: where it is a clerk at the"
        " door, name an attribute there.",
        "Each code's External Reference Code is Ascender's code of one character (T is tardy), each period's its"
        " period of two.",
        "The comment stays blank: with the field comment there, one of more than 49 characters would be held.",
    ),
)

ESCHOOLPLUS_ESMU6 = Layout(
    "eschoolplus-esmu6",
    "eSchoolPLUS: upload definition ESMU6",
    "fairly",
    "A script that Arkansas districts publish fills the upload definition so: no headers, CRLF, quotes where needed."
    " The definition is installed by the district, so compare it with yours. The script puts the day into"
    " ENTRY_DATE_TIME.",
    {
        "file": {
            "format": "csv",
            "name": "attendance_upload.csv",
            "header": False,
            "line_ending": "crlf",
        },
        "fields": [
            needed("student.local_id", "STUDENT_ID"),
            needed("school.sis_id", "BUILDING"),
            needed("behavior.external_reference_code", "ATTENDANCE_CODE"),
            needed("date", "ATTENDANCE_DATE", format=_US_DATE),
            needed("period.external_reference_code", "ATTENDANCE_PERIOD"),
            column("comment", "ATT_COMMENT"),
            needed("school_year", "SCHOOL_YEAR"),
            {"constant": "O", "header": "SOURCE"},
            {"constant": "1", "header": "SEQUENCE_NUM"},
            {"constant": "N", "header": "SUMMER_SCHOOL"},
            needed("minutes_late", "MINUTES_ABSENT"),
            needed("date", "ENTRY_DATE_TIME", format=_US_DATE),
            {"constant": "WRITEBACK", "header": "ENTRY_USER"},
            {"constant": "1", "header": "ENTRY_ORDER_NUM"},
            {"constant": "Y", "header": "BOTTOMLINE"},
        ],
        "collapse": "per_period",
    },
    sftp("eschoolplus-sftp"),
    (
        "In eSchoolPLUS have the upload definition ESMU6 installed.",
        "Run it in verification mode first; let it insert new records and leave existing ones alone.",
        "Have the file removed once it is imported: the next one has the same name and waits until it is gone.",
    ),
    (
        "Each school's SIS id is its building, each code's External Reference Code the attendance code, each period's"
        " the attendance period of eSchoolPLUS.",
        "MINUTES_ABSENT is how late the student was: a tardy for which the behavior system says no minutes is held.",
        "ENTRY_USER is a constant: put the eSchoolPLUS user there as whom the upload runs.",
    ),
)

AERIES_ATT = Layout(
    "aeries-att",
    "Aeries: Import Data to Aeries, table ATT",
    "high",
    "Aeries lets a person map any column to ATT's fields, so the order and the headers are free.",
    {
        "file": {"format": "csv", "name": "{export}_{date:%Y%m%d}_{sequence:04d}.csv", "header": True},
        "fields": [
            needed("student.local_id", "Student ID"),
            needed("date", "Date", format="%m/%d/%Y"),
            needed("behavior.external_reference_code", "Code"),
            needed("period.external_reference_code", "Period"),
        ],
        "collapse": "per_period",
    },
    sftp("aeries-sftp"),
    (
        "In Aeries open School Info > Imports and Exports > Import Data to Aeries, in the school, not the district.",
        "Choose ATT and map the four columns. A school with daily attendance chooses All Day (ATT.AL) for the period.",
        "On a primary key match choose Skip, or Update where this file is to overwrite what stands there.",
        "A person uploads the file: Aeries collects none by itself.",
    ),
    (
        "Each code's External Reference Code is the attendance code of Aeries, each period's the period's number.",
        "A school with daily attendance leaves Period out and sets collapse to per_day.",
    ),
)

POWERSCHOOL_AUTOCOMM = Layout(
    "powerschool-autocomm",
    "PowerSchool: AutoComm, table Attendance",
    "agree",
    "The district chooses the fields and their order in the AutoComm record, so the record and this definition are"
    " made to agree.",
    {
        "file": {"format": "csv", "name": "{export}_{date:%Y%m%d}_{sequence:04d}.csv", "header": False},
        "fields": [
            needed("student.local_id", "Student number"),
            needed("date", "Date", format="%m/%d/%Y"),
            needed("school.sis_id", "School number"),
            needed("behavior.external_reference_code", "Attendance code id"),
            needed("period.external_reference_code", "Period abbreviation"),
        ],
        "collapse": "per_period",
    },
    sftp("powerschool-sftp"),
    (
        "In PowerSchool make a Remote Connection to the server where the file lies.",
        "In AutoComm Setup make a record for the table Attendance, with the fields in the order they have here.",
        "Note the hour and the days at which it runs, and have this export run some minutes before: with 00 minutes"
        " it runs some time within that hour.",
    ),
    (
        "Each code's External Reference Code is the attendance code's id in PowerSchool, each period's the period's"
        " abbreviation.",
        "For daily attendance leave the period out and set collapse to per_day.",
        "Set file.delimiter and file.header as the record has them.",
    ),
)
