"""Everyday words for what a definition or a message calls otherwise, and the sentence that names the right one.

A hint is one of a few fixed sentences; none repeats what it was given, which may be a student's.
"""

from __future__ import annotations

import re

_NORTH_AMERICA = {
    "eastern": "America/New_York",
    "central": "America/Chicago",
    "mountain": "America/Denver",
    "arizona": "America/Phoenix",
    "pacific": "America/Los_Angeles",
    "alaska": "America/Anchorage",
    "hawaii": "Pacific/Honolulu",
    "atlantic": "America/Halifax",
    "newfoundland": "America/St_Johns",
}
_ZONES = {
    **_NORTH_AMERICA,
    **dict.fromkeys(("est", "edt", "et", "est5edt"), "America/New_York"),
    **dict.fromkeys(("cst", "cdt", "ct", "cst6cdt"), "America/Chicago"),
    **dict.fromkeys(("mst", "mdt", "mt", "mst7mdt"), "America/Denver"),
    **dict.fromkeys(("pst", "pdt", "pt", "pst8pdt"), "America/Los_Angeles"),
    **dict.fromkeys(("akst", "akdt"), "America/Anchorage"),
    **dict.fromkeys(("hst", "hast"), "Pacific/Honolulu"),
    **dict.fromkeys(("ast", "adt"), "America/Halifax"),
    **dict.fromkeys(("bst", "uk"), "Europe/London"),
    **dict.fromkeys(("cet", "cest"), "Europe/Berlin"),
    "aest": "Australia/Sydney",
    **dict.fromkeys(("zulu", "z", "utc time", "greenwich"), "UTC"),
}
#: In the zone database, but fixed offsets or relics that pay no heed to any place's summer time.
_FIXED_ZONES = frozenset(
    {"EST", "MST", "HST", "EST5EDT", "CST6CDT", "MST7MDT", "PST8PDT", "CET", "EET", "MET", "WET"}
)
_DAYS = {
    **{f"{day}day": day for day in ("sun", "mon", "fri")},
    "tuesday": "tue",
    "wednesday": "wed",
    "thursday": "thu",
    "saturday": "sat",
    "tues": "tue",
    "weds": "wed",
    "thur": "thu",
    "thurs": "thu",
    **dict.fromkeys(("weekday", "weekdays", "mon-fri", "monday-friday"), "mon, tue, wed, thu, fri"),
    **{day: day for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sun")},
}
#: What is in the place of a directive of a date, the longest first.
_PARTS = {
    "yyyy": "%Y",
    "yy": "%y",
    "mmmm": "%B",
    "mmm": "%b",
    "mm": "%m",
    "m": "%-m",
    "dddd": "%A",
    "ddd": "%a",
    "dd": "%d",
    "d": "%-d",
}
_part = re.compile("|".join(_PARTS), re.IGNORECASE)
_only_parts = re.compile(rf"(?:{'|'.join(_PARTS)}|hh?|nn|ss|tt|a|[-/. :,_T])+", re.IGNORECASE).fullmatch
_hours = re.compile("h{1,2}", re.IGNORECASE).search
_in_a_name = re.compile(r"YYYY[-_.]?MM[-_.]?DD|MM[-_.]?DD[-_.]?YYYY|DD[-_.]?MM[-_.]?YYYY", re.IGNORECASE)

_STUDENT = ("student.local_id", "student.id")
_CODE = ("behavior.external_reference_code", "behavior.code")
_FIELDS = {
    **dict.fromkeys(("studentnumber", "studentno", "stunum", "localid", "studentlocalid"), _STUDENT),
    **dict.fromkeys(("studentid", "pupilid", "stuid", "id"), ("student.id", "student.local_id")),
    **dict.fromkeys(("statestudentnumber", "stateid", "ssid", "statestudentid"), ("student.state_id",)),
    **dict.fromkeys(("firstname", "givenname"), ("student.first_name",)),
    **dict.fromkeys(("lastname", "surname", "familyname"), ("student.last_name",)),
    **dict.fromkeys(("gradelevel", "grade", "yeargroup"), ("student.grade",)),
    **dict.fromkeys(("homeroomid", "homegroup", "formgroup", "registrationgroup"), ("student.homeroom",)),
    **dict.fromkeys(("attdate", "attendancedate", "day", "incidentdate"), ("date",)),
    **dict.fromkeys(("timein", "arrivaltime", "clocktime", "checkin"), ("time",)),
    **dict.fromkeys(("attcode", "attendancecode", "absencecode", "code", "reasoncode"), _CODE),
    **dict.fromkeys(("erc", "externalreferencecode"), (_CODE[0], "period.external_reference_code")),
    **dict.fromkeys(("periodid", "periodnumber", "section"), ("period.external_reference_code", "period")),
    **dict.fromkeys(("schoolid", "schoolnumber", "schoolcode", "site"), ("school.sis_id", "school.id")),
    **dict.fromkeys(("teacher", "teachername", "staffname"), ("staff.name",)),
    **dict.fromkeys(("teacherid", "staffid"), ("staff.id",)),
    **dict.fromkeys(("note", "notes", "comments", "remarks"), ("comment",)),
    **dict.fromkeys(("ampm", "attendancesession", "registersession"), ("session",)),
    **dict.fromkeys(("year", "yearid", "academicyear"), ("school_year",)),
}


def zone_hint(text: str) -> str | None:
    """What to write for a time zone in everyday words."""
    name = _ZONES.get(text.strip().lower().replace(" standard", "").removesuffix(" time").strip())
    return f"for that zone write {name}" if name else None


def fixed_zone_hint(text: str) -> str | None:
    """For a zone that exists, yet is most likely not what was meant."""
    if text not in _FIXED_ZONES:
        return None
    place = f"a place, like {_ZONES[text.lower()]}" if text.lower() in _ZONES else "a place of that zone"
    return f"{text} names no place and may pay no heed to summer time; name {place}"


def day_hint(text: str) -> str | None:
    """What to write for a weekday in everyday words."""
    day = _DAYS.get(text.strip().lower())
    return f"write {day}" if day else None


def format_hint(pattern: str) -> str | None:
    """The strftime pattern that is meant by one like MM/DD/YYYY or h:mm tt."""
    if "%" in pattern or _only_parts(pattern) is None:
        return None
    hours = _hours(pattern)
    if hours is None:
        meant = _directives(pattern)
        return f"write {meant}" if "%" in meant else None
    clock = _clock(pattern[hours.end() :])
    hour = "%I" if "%p" in clock else "%H"
    return f"write {_directives(pattern[: hours.start()])}{hour}{clock}"


def _clock(pattern: str) -> str:
    """What stands behind the hours: there `mm` is minutes."""
    minutes = re.sub("mm|nn", "%M", pattern, flags=re.IGNORECASE)
    seconds = re.sub("ss", "%S", minutes, flags=re.IGNORECASE)
    return re.sub("tt|(?<!%)a", "%p", seconds, flags=re.IGNORECASE)


def _directives(pattern: str) -> str:
    return _part.sub(lambda found: _PARTS[found[0].lower()], pattern)


def field_hints(name: str) -> tuple[str, ...]:
    """The fields that a SIS's own column name most likely stands for, the likeliest first."""
    return _FIELDS.get("".join(char for char in name.lower() if char.isalnum()), ())


def name_hint(template: str) -> str | None:
    """For a file name in which a date was meant to stand."""
    found = _in_a_name.search(template)
    if found is None:
        return None
    return (
        f"{found[0]} stays as it is in every name; for the run's date write {{date:{_directives(found[0])}}}"
    )
