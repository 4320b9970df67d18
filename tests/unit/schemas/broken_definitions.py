"""Definitions with one fault each, and what the fault is answered with."""

from __future__ import annotations

import datetime as dt
from typing import Any

from tests.unit.schemas.builders import GONE, changed, definition

ZONE = {"time_zone": "America/Chicago"}


def fixed_width(**column: Any) -> dict[str, Any]:
    raw = definition("file", {"format": "fixed_width", "name": "x.txt"})
    raw["fields"] = [{"field": "comment", "width": 5, **column}]
    return raw


def json_lines() -> dict[str, Any]:
    return definition("file", {"format": "jsonl", "name": "x.jsonl", "line_ending": "lf"})


COLUMN = ("fields", 2)
BROKEN: list[tuple[object, str]] = [
    # the document as a whole
    (None, "a definition must be an object"),
    ([], "a definition must be an object"),
    ("text", "a definition must be an object"),
    (
        definition("colour", "red"),
        "colour: unknown option; known: export_id, district_id, name, schools, codes,",
    ),
    (definition("export_id", GONE), "export_id: required"),
    (definition("export_id", "Lincoln"), "export_id: must be 1 to 63 of a-z, 0-9 and -"),
    (definition("export_id", "-a"), "export_id: must be 1 to 63 of a-z, 0-9 and -"),
    (definition("export_id", "a" * 64), "export_id: must be 1 to 63 of a-z, 0-9 and -"),
    (definition("name", "two\nlines"), "name: must not hold a line break"),
    (definition("schools", GONE), "schools: required"),
    (definition("schools", []), 'schools: must be "all" or a list that is not empty'),
    (definition("schools", "0012"), 'schools: must be "all" or a list that is not empty'),
    (definition("schools", ["1", "1"]), "schools[1]: the same as item [0]"),
    (definition("schools", [12]), "schools[0]: must be text of 1 to 64 characters"),
    (definition("codes", None), "codes: must not be null"),
    (definition("corrections", "sometimes"), "corrections: must be one of: hold, send, ignore"),
    (definition("corrections", "send"), 'corrections: "send" needs a column with the field action'),
    (definition("backfill_from", "August"), "backfill_from: must be a date"),
    (
        definition("backfill_from", dt.date(2026, 8, 15)),
        "backfill_from: must be text: in YAML put dates and times in",
    ),
    (definition("collapse", "per_week"), "collapse: must be one of: none, per_day, per_session, per_period"),
    (definition("max_age_days", -1), "max_age_days: must be a whole number from 0"),
    (definition("guard", {"max_rows": 0}), "guard.max_rows: must be a whole number from 1"),
    (definition("guard", {}), "guard.max_rows: required"),
    (definition("gap", "nearest"), "gap: must be one of: hold, next, previous"),
    (definition("closes_at", "3 pm"), "closes_at: must be a time from 00:00 to 23:59"),
    (definition("blackout", ["2026-02-30"]), "blackout[0]: must be a date that exists"),
    (
        definition("blackout", [{"from": "2026-12-31", "to": "2026-12-21"}]),
        "blackout[0].to: must not be before from",
    ),
    # the schedule
    (definition("schedule", GONE), "schedule: required"),
    (definition("schedule", "daily"), "schedule: must be an object"),
    (
        definition("schedule", "frequency", GONE),
        "schedule.frequency: required; known: manual, continuous, interval,",
    ),
    (
        definition("schedule", "frequency", "dayly"),
        'schedule.frequency: unknown frequency "dayly"; known: manual,',
    ),
    (definition("schedule", "time_zone", GONE), "schedule.time_zone: required"),
    (definition("schedule", {"frequency": "manual"}), "schedule.time_zone: required"),
    (
        definition("schedule", "time_zone", "Central"),
        "schedule.time_zone: must be the name of an IANA time zone",
    ),
    (
        definition("schedule", "minute", 5),
        "schedule.minute: does not belong to the frequency daily; known there: freq",
    ),
    (
        definition("schedule", "hour", 5),
        "schedule.hour: unknown option; known: frequency, time_zone, school_days_only",
    ),
    (definition("schedule", "at", []), "schedule.at: must be a list of 1 to"),
    (definition("schedule", "at", "9:00"), "schedule.at: must be a time from 00:00 to 23:59"),
    (
        definition("schedule", "at", 630),
        "schedule.at: must be a time from 00:00 to 23:59 as text (in YAML in quotes)",
    ),
    (definition("schedule", "at", ["10:30", "10:30"]), "schedule.at[1]: the same as item [0]"),
    (definition("schedule", "at", ["10:30", "24:00"]), "schedule.at[1]: must be a time"),
    (definition("schedule", "days", ["Monday"]), "schedule.days[0]: must be one of: mon, tue"),
    (definition("schedule", "days", []), "schedule.days: must be a list of 1 to"),
    (definition("schedule", "school_days_only", "yes"), "schedule.school_days_only: must be true or false"),
    (
        definition("schedule", {"frequency": "manual", "at": "10:30", **ZONE}),
        "schedule.at: does not belong to the",
    ),
    (definition("schedule", {"frequency": "weekly", "at": "10:30", **ZONE}), "schedule.on: required"),
    (
        definition("schedule", {"frequency": "weekly", "on": "mon", "at": "10:30", "days": ["mon"], **ZONE}),
        "schedule.d",
    ),
    (definition("schedule", {"frequency": "hourly", **ZONE}), "schedule.minute: required"),
    (
        definition("schedule", {"frequency": "hourly", "minute": 60, **ZONE}),
        "schedule.minute: must be a whole number",
    ),
    (
        definition("schedule", {"frequency": "interval", "every_minutes": 0, **ZONE}),
        "schedule.every_minutes: must be a",
    ),
    (
        definition("schedule", {"frequency": "interval", "every_minutes": 1441, **ZONE}),
        "schedule.every_minutes: must",
    ),
    (
        definition("schedule", {"frequency": "continuous", "max_rows": 0, **ZONE}),
        "schedule.max_rows: must be a whole",
    ),
    (
        definition("schedule", {"frequency": "continuous", "linger_seconds": -1, **ZONE}),
        "schedule.linger_seconds: must",
    ),
    (definition("schedule", {"frequency": "cron", **ZONE}), "schedule.expression: required"),
    (
        definition("schedule", {"frequency": "cron", "expression": "@daily", **ZONE}),
        "schedule.expression: must be a",
    ),
    (
        definition("schedule", {"frequency": "cron", "expression": "0 0 0 * * *", **ZONE}),
        "schedule.expression: must be",
    ),
    (
        definition("schedule", {"frequency": "cron", "expression": "61 * * * *", **ZONE}),
        "schedule.expression: is not a",
    ),
    (
        definition("schedule", {"frequency": "cron", "expression": "0 0 30 2 *", **ZONE}),
        "schedule.expression: ",
    ),
    (
        definition("schedule", {"frequency": "cron", "expression": "0 0 */31 * 1#5", **ZONE}),
        "schedule.expression: never",
    ),
    # the destination
    (definition("destination", GONE), "destination: required"),
    (definition("destination", "outbox"), "destination: must be an object"),
    (definition("destination", {}), "destination.type: required; known: directory, sftp"),
    (
        definition("destination", "type", "ftp"),
        'destination.type: unknown destination type "ftp"; known: directory, sftp',
    ),
    (definition("destination", "path", GONE), "destination.path: required"),
    (definition("destination", "host", "x"), "destination.host: unknown option; known: path"),
    (
        definition("destination", {"type": "sftp", "host": "sis", "password": "hunter2"}),
        'destination.password: a secret is never written here: give its name as {"secret": "name"}',
    ),
    # the file
    (definition("file", GONE), "file: required"),
    (
        definition("file", "format", "xlsx"),
        'file.format: unknown file format "xlsx"; known: csv, fixed_width, jsonl',
    ),
    (definition("file", "name", GONE), "file.name: required"),
    (definition("file", "name", "my file.csv"), "file.name: a file name consists of"),
    (
        definition("file", "name", "{student}.csv"),
        "file.name: only {export}, {date}, {time}, {sequence}, {run} can",
    ),
    (definition("file", "delimiter", ";;"), "file.delimiter: must be one printable character or a tab"),
    (
        definition("file", "delimiter", '"'),
        "file.delimiter: must be one printable character or a tab, no quote",
    ),
    (definition("file", "delimiter", "\n"), "file.delimiter: must be one printable character or a tab"),
    (
        {**definition("file", "quoting", "none"), "fields": [{"constant": 'a "b"', "header": "x"}]},
        "fields[0].constant: would need quotes",
    ),
    (
        {**definition("file", "quoting", "none"), "fields": [{"field": "date", "header": "Date, local"}]},
        "fields[0].header: would need quotes",
    ),
    (
        {**definition("file", "control_characters", "hold"), "fields": [{"constant": "a\tb"}]},
        "fields[0].constant: holds a line break or another control character",
    ),
    (
        definition("file", "control_characters", "drop"),
        "file.control_characters: must be one of: space, hold",
    ),
    (
        definition("schedule", "time_zone", "Central"),
        "schedule.time_zone: must be the name of an IANA time zone, like America/Chicago; "
        "for that zone write America/Chicago",
    ),
    (
        definition("schedule", "days", ["Monday"]),
        "schedule.days[0]: must be one of: mon, tue, wed, thu, fri, sat, sun; write mon",
    ),
    (
        definition(*COLUMN, {"field": "date", "format": "MM/DD/YYYY"}),
        "fields[2].format: must hold a strftime directive, like %Y; write %m/%d/%Y",
    ),
    (
        definition(*COLUMN, {"field": "Student_Number"}),
        'fields[2].field: unknown field "Student_Number"; nearest: student.local_id, student.id',
    ),
    (
        definition(*COLUMN, {"field": "student_id"}),
        'fields[2].field: unknown field "student_id"; nearest: student.id, student.local_id',
    ),
    (definition("backfill_from", "1969-12-31"), "backfill_from: must lie in the years 1970 to 2199"),
    (definition("blackout", ["2200-01-01"]), "blackout[0]: must lie in the years 1970 to 2199"),
    (definition("file", "quoting", "maybe"), "file.quoting: must be one of: minimal, all, none"),
    (definition("file", "line_ending", "\r\n"), "file.line_ending: must be one of: crlf, lf"),
    (definition("file", "encoding", "latin-1"), "file.encoding: must be one of: utf-8, utf-8-sig, cp1252"),
    (definition("file", "header", "yes"), "file.header: must be true or false"),
    (definition("file", "if_exists", "append"), "file.if_exists: must be one of: wait, replace"),
    (definition("file", "when_empty", "fail"), "file.when_empty: must be one of: skip, send"),
    (definition("file", "compression", "zip"), "file.compression: unknown option; known: format, name"),
    (
        changed(json_lines(), "file", "delimiter", ","),
        "file.delimiter: does not belong to the file format jsonl",
    ),
    (changed(json_lines(), "file", "encoding", "cp1252"), "file.encoding: must be one of: utf-8"),
    (
        changed(fixed_width(), "file", "header", True),
        "file.header: does not belong to the file format fixed_width",
    ),
    # the columns
    (definition("fields", GONE), "fields: required"),
    (definition("fields", []), "fields: must be a list of 1 to 500 items"),
    (definition("fields", {"field": "date"}), "fields: must be a list of 1 to 500 items"),
    (definition(*COLUMN, "date"), "fields[2]: must be an object"),
    (definition(*COLUMN, {}), "fields[2]: give exactly one of field and constant"),
    (
        definition(*COLUMN, {"field": "date", "constant": "x"}),
        "fields[2]: give exactly one of field and constant",
    ),
    (definition(*COLUMN, "field", 7), "fields[2].field: must be the name of a field, as text"),
    (
        definition(*COLUMN, "field", "student.localid"),
        'fields[2].field: unknown field "student.localid"; nearest: student.local_id, student.id',
    ),
    (
        definition(*COLUMN, "field", "zzzz\nzz"),
        'fields[2].field: unknown field "zzzz?zz"; known: tardy_id, version,',
    ),
    (
        definition(*COLUMN, "field", "attributes."),
        'fields[2].field: unknown field "attributes."; nearest: attributes',
    ),
    (
        definition(*COLUMN, "colour", "red"),
        "fields[2].colour: unknown option; known: field, constant, header",
    ),
    (definition(*COLUMN, {"constant": None}), "fields[2]: give exactly one of field and constant"),
    (definition(*COLUMN, {"constant": ["x"]}), "fields[2].constant: must be a string"),
    (definition(*COLUMN, "header", ""), "fields[2].header: must be text of 1 to 200 characters"),
    (definition(*COLUMN, "header", "a\nb"), "fields[2].header: must not hold a line break"),
    (definition(*COLUMN, "header", "Att_Date"), "fields[2].header: the same as that of fields[1]"),
    (
        definition(*COLUMN, {"field": "Student_Number"}),
        'fields[2].field: unknown field "Student_Number"; nearest: ',
    ),
    (
        definition(*COLUMN, {"constant": "x", "header": "Source"}),
        "fields[4].header: the same as that of fields[2]",
    ),
    (
        definition(*COLUMN, "format", "%Y"),
        "fields[2].format: belongs to date, time, occurred_at and recorded_at alone",
    ),
    (
        definition(*COLUMN, {"constant": "x", "format": "%Y"}),
        "fields[2].format: belongs to date, time, occurred_at",
    ),
    (definition(*COLUMN, {"field": "version", "format": "%Y"}), "fields[2].format: belongs to date, time"),
    (
        definition(*COLUMN, {"field": "date", "format": "%Q"}),
        "fields[2].format: %Q is not a strftime directive",
    ),
    (
        definition(*COLUMN, {"field": "date", "format": "MM/DD"}),
        "fields[2].format: must hold a strftime directive",
    ),
    (
        definition(*COLUMN, {"field": "date", "format": "%H"}),
        "fields[2].format: %H says nothing about a date; occ",
    ),
    (
        definition(*COLUMN, {"field": "time", "format": "%Y"}),
        "fields[2].format: %Y says nothing about a time; occ",
    ),
    (
        definition(*COLUMN, {"field": "date", "format": "%Y%n"}),
        "fields[2].format: %n is not a strftime directive",
    ),
    (definition(*COLUMN, {"field": "date", "format": "%Y\x00"}), "fields[2].format: must not hold a NUL"),
    (
        definition(*COLUMN, {"field": "date", "format": "%Y-%m-%d", "max_length": 8}),
        "fields[2].format: is longer than",
    ),
    (definition(*COLUMN, "required", "yes"), "fields[2].required: must be true or false"),
    (definition(*COLUMN, "map", ["a"]), "fields[2].map: must be an object"),
    (definition(*COLUMN, "map", {"a": None}), "fields[2].map: entry 1: its key or value must be a string"),
    (definition(*COLUMN, "map", {"a": {}}), "fields[2].map: entry 1: its key or value must be a string"),
    (definition(*COLUMN, "max_length", 0), "fields[2].max_length: must be a whole number from 1"),
    (definition(*COLUMN, "case", "Upper"), "fields[2].case: must be one of: upper, lower, title"),
    (
        definition(*COLUMN, "width", 5),
        "fields[2].width: does not belong to the file format csv, only to fixed_width",
    ),
    (definition(*COLUMN, "align", "left"), "fields[2].align: does not belong to the file format csv"),
    (definition(*COLUMN, "pad", " "), "fields[2].pad: does not belong to the file format csv"),
    (
        definition(*COLUMN, {"constant": "xyz", "max_length": 2}),
        "fields[2].constant: is longer than the 2 characters",
    ),
    (
        definition(*COLUMN, {"field": "period", "default": "none", "max_length": 3}),
        "fields[2].default: is longer than",
    ),
    (
        definition(*COLUMN, {"field": "period", "map": {"a": "bcd"}, "max_length": 2}),
        "fields[2].map entry 1: is longer",
    ),
    (
        changed(fixed_width(), "fields", 0, "width", GONE),
        "fields[0].width: required: every column of a fixed_width",
    ),
    (fixed_width(width=0), "fields[0].width: must be a whole number from 1"),
    (fixed_width(align="centre"), "fields[0].align: must be one of: left, right"),
    (fixed_width(pad="00"), "fields[0].pad: must be one printable character or a tab"),
    (fixed_width(pad=""), "fields[0].pad: must be one printable character or a tab"),
    (fixed_width(default="too long"), "fields[0].default: is longer than the 5 characters"),
    (fixed_width(default="a\nb"), "fields[0].default: must not hold a line break in a fixed_width file"),
    (changed(json_lines(), "fields", 4, "header", GONE), "fields[4].header: required: in a jsonl file"),
    (
        changed(json_lines(), "fields", 1, "header", "Period"),
        "fields[2].header: the same as that of fields[1]",
    ),
]
