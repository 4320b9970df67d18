"""Definitions for histories: every option there is, drawn often enough to meet the others, seldom enough that most
rows go out."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

from schemas.definition.document import DefinitionError, load
from schemas.definition.export_fields import EXPORT_FIELDS
from tests.builders import definition
from worker.destinations.kinds import option_schemas

EXPORTS = {"e0": "default", "e1": "default", "e2": "other"}
_FIRST_DAYS = (None, "2026-10-04", "2026-10-04", "2026-10-05", "2026-10-06")
_LAYOUTS: tuple[tuple[str, ...], ...] = (
    ("tardy_id", "comment", "action"),
    ("tardy_id", "comment"),
    ("tardy_id", "version", "comment", "action"),
    ("tardy_id", "comment", "row_number", "action"),
    ("tardy_id", "date", "time", "student.local_id"),
    ("tardy_id", "behavior.external_reference_code", "school.sis_id", "action"),
    ("tardy_id", "period.external_reference_code", "version", "action"),
    ("tardy_id", "period.external_reference_code", "school.sis_id", "action"),
)
_OTHERS = (*EXPORT_FIELDS, "attributes.bus", "attributes.miles")
_WEEKDAYS = ["mon", "tue", "wed", "thu", "fri"]
_FORMATS = {
    "date": ("%m/%d/%Y", "%d.%m.%y"),
    "time": ("%I:%M %p", "%H%M"),
    "occurred_at": ("%Y-%m-%d %H:%M",),
    "recorded_at": ("%Y%m%d",),
}
_NAMES = (
    *("{export}_{sequence:04d}.txt", "{export}_{sequence:04d}.txt", "{export}.txt"),
    *("{export}-{date:%Y%m%d}-{time:%H%M%S}-{sequence}.csv", "{run}.jsonl"),
)


def export_id(luck: Random) -> str:
    """One of the exports."""
    return luck.choice(("e0", "e0", "e1", "e2"))


def document(luck: Random, chosen: str = "") -> dict[str, Any]:
    """A valid definition of one of the exports, or of this one."""
    chosen = chosen or export_id(luck)
    while True:
        drawn = _document(luck, chosen)
        try:
            load(drawn, option_schemas())
        except DefinitionError:
            continue  # two of its options do not go together
        return drawn


def _document(luck: Random, chosen: str) -> dict[str, Any]:
    whole = definition(
        chosen,
        name=luck.choice((None, "A daily file", "Another")),
        district_id=EXPORTS[chosen],
        schools=luck.choice(("all", "all", ["A"], ["A", "B"], ["B", "C"])),
        codes=luck.choice(("all", "all", "all", ["TARDY"])),
        schedule=_schedule(luck),
        destination=_destination(luck),
        file=_file(luck),
        corrections=luck.choice((None, "hold", "send", "send", "send", "ignore")),
        backfill_from=luck.choice(_FIRST_DAYS),
        **_policies(luck),
    )
    whole["fields"] = _columns(luck, whole)
    return _given(whole)


def _given(options: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}


def _rarely(luck: Random, *values: Any, one_in: int = 6) -> Any:
    """One of the values, now and then; else None: the option is left out."""
    return luck.choice(values) if luck.randrange(one_in) == 0 else None


def _destination(luck: Random) -> dict[str, Any]:
    path = luck.choice(("inbox", "inbox", "other"))
    return _given({"type": "directory", "path": path, "mode": _rarely(luck, "0600", "0644")})


def _policies(luck: Random) -> dict[str, Any]:
    return {
        "collapse": _rarely(luck, "none", "per_day", "per_day", "per_session", "per_period", one_in=2),
        "gap": _rarely(luck, "hold", "next", "previous", one_in=2),
        "max_age_days": _rarely(luck, 0, 1, 5),
        "closes_at": _rarely(luck, "09:00", "15:30", "23:59"),
        "collected_at": _rarely(luck, "10:40", ["12:30", "15:20"], one_in=4),
        "pause_after_failures": _rarely(luck, 1, 2, 3, one_in=4),
        "guard": _rarely(luck, {"max_rows": 1}, {"max_rows": 2}, {"max_rows": 50}, one_in=3),
        "blackout": _rarely(
            luck,
            ["2026-10-06"],
            ["2026-10-05", {"from": "2026-10-07", "to": "2026-10-08"}],
            [{"from": "2026-10-06", "to": "2026-10-06"}, "2026-10-09"],
        ),
    }


def _schedule(luck: Random) -> dict[str, Any]:
    kinds = ("manual", "manual", "continuous", "continuous", "daily", "interval", "hourly", "weekly", "cron")
    frequency = luck.choice(kinds)
    days = _rarely(luck, _WEEKDAYS, ["tue", "sat", "sun"], one_in=3)
    options: dict[str, dict[str, Any]] = {
        "manual": {},
        "continuous": {
            "linger_seconds": _rarely(luck, 0, 2.5, 5, one_in=2),
            "max_rows": _rarely(luck, 1, 2, 100, one_in=1),
        },
        "interval": {"every_minutes": luck.choice((7, 60, 1440)), "days": days},
        "hourly": {"minute": luck.choice((0, 30)), "days": days},
        "daily": {"at": luck.choice((["10:30", "15:10"], "12:10")), "days": days},
        "weekly": {"on": luck.choice((["tue", "thu", "sun"], "wed", ["mon", "fri", "sat"])), "at": ["12:10"]},
        "cron": {"expression": luck.choice(("10 12 * * *", "*/20 6-18 * * MON-FRI"))},
    }
    zone = luck.choice(("America/Chicago", "America/Chicago", "Asia/Tokyo"))
    whole = {"frequency": frequency, "time_zone": zone, "school_days_only": _rarely(luck, True, False)}
    return _given(whole | options[frequency])


def _file(luck: Random) -> dict[str, Any]:
    options: dict[str, dict[str, Any]] = {
        "csv": {
            "header": _rarely(luck, True, False, one_in=2),
            "delimiter": _rarely(luck, ",", ";", "\t", "|", one_in=3),
            "quoting": _rarely(luck, "minimal", "all", "none", one_in=3),
        },
        "fixed_width": {},
        "jsonl": {},
    }
    kind = luck.choice(("csv", "csv", "csv", "fixed_width", "jsonl"))
    encodings = ("utf-8",) if kind == "jsonl" else ("utf-8", "utf-8-sig", "cp1252")
    common = {
        "format": kind,
        "name": luck.choice(_NAMES),
        "encoding": _rarely(luck, *encodings, one_in=3),
        "line_ending": _rarely(luck, "crlf", "lf", one_in=2),
        "control_characters": _rarely(luck, "space", "hold"),
        "if_exists": _rarely(luck, "wait", "replace", one_in=2),
        "when_empty": _rarely(luck, "skip", "send", one_in=3),
    }
    return _given(common | options[kind])


def _columns(luck: Random, whole: dict[str, Any]) -> list[dict[str, Any]]:
    names = list(luck.choice(_LAYOUTS))
    names += [name for name in luck.sample(_OTHERS, luck.choice((0, 0, 1, 3))) if name not in names]
    if whole["corrections"] == "send" and "action" not in names:
        names.append("action")
    columns = [_column(luck, name, whole["file"]["format"]) for name in names]
    if luck.randrange(4) == 0:
        constant = {"constant": luck.choice(("HERO", 7, 1.5, True)), "header": "Source"}
        columns.append(_given(constant | _width(luck, whole["file"]["format"])))
    return columns


def _column(luck: Random, name: str, kind: str) -> dict[str, Any]:
    """A column of a field; what it says of the value seldom keeps the row from going."""
    formats: Sequence[str] = _FORMATS.get(name, ())
    options = {
        "field": name,
        "header": _rarely(luck, f"a {name}", f"ä {name}"),
        "format": _rarely(luck, *formats, one_in=2) if formats else None,
        "default": _rarely(luck, "none", 0, one_in=8),
        "required": True if name == "school.sis_id" else _rarely(luck, True, False, one_in=10),
        "map": _rarely(luck, {"x": "from a map", "T": "U", "void": "gone"}, {"add": 1}, one_in=10),
        "max_length": _rarely(luck, 3, 30, 30, 30, one_in=10),
        "case": _rarely(luck, "upper", "lower", "title", one_in=10),
    }
    return _given(options | _width(luck, kind))


def _width(luck: Random, kind: str) -> dict[str, Any]:
    if kind != "fixed_width":
        return {}
    width = luck.choice((4, 12, 40, 40, 40, 40))
    return {"width": width, "align": _rarely(luck, "left", "right", one_in=3), "pad": _rarely(luck, ".", "0")}
