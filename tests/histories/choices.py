"""What a history is made of: few tardies, schools and definitions, so that they meet often.

Everything is drawn from a `Random`: a history is a list of rules, each with one number.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from tests.builders import bell_schedule, code, definition, school
from tests.histories.sis import Fault
from worker.failpoints import Arrow

Reference = tuple[str, dict[str, Any]]

EXPORTS = {"e0": "default", "e1": "default", "e2": "other"}
DISTRICTS = ("default", "other")
SCHOOLS = {"A": "America/Chicago", "B": "Asia/Tokyo", "C": "Pacific/Honolulu"}
CODES = ("TARDY", "LATE")
FIRST_DAYS = (None, "2026-10-04", "2026-10-05", "2026-10-05", "2026-10-06")
# Around the first days: the dates differ from zone to zone.
INSTANTS = (
    "2026-10-04T23:30:00-05:00",
    "2026-10-05T00:30:00-05:00",
    "2026-10-05T08:07:00-05:00",
    "2026-10-06T12:10:00-05:00",  # no more than an hour ahead of the first moment: it would wait for a person
)
LAYOUTS: tuple[tuple[str, ...], ...] = (
    ("tardy_id", "comment", "action"),
    ("tardy_id", "comment"),
    ("tardy_id", "version", "comment", "action"),
    ("tardy_id", "comment", "row_number", "action"),
    ("tardy_id", "date", "time", "student.local_id"),
    ("tardy_id", "behavior.external_reference_code", "school.sis_id", "action"),
    ("tardy_id", "period.external_reference_code", "version", "action"),
    ("tardy_id", "period.external_reference_code", "school.sis_id", "action"),
)
PASSING: tuple[dict[str, float], ...] = (
    {"seconds": 6},
    {"seconds": 6},
    {"seconds": 31},
    {"minutes": 12},
    {"minutes": 31},
    {"hours": 6},
    {"hours": 6},
    {"days": 3},
    {"seconds": -2},  # a clock is set back
    {"minutes": -10},
)
COMMANDS = (
    *("save again", "save again", "delete", "pause", "resume", "resume", "resume"),
    *("retry", "resend", "abandon", "abandon unsent"),
)

_IN_TRANSACTION = {arrow for arrow in Arrow if arrow.value.endswith("before-commit")}
_STEPS = ("seal", "claim", "reseal", "fence", "upload", "depart", "rename", "settle", "wait")
DELIVERY = tuple(arrow for arrow in Arrow if arrow.value.split(".")[0] in _STEPS)
EVERYWHERE = tuple(arrow for arrow in Arrow if not arrow.value.startswith("park"))


@dataclass(frozen=True, slots=True)
class Change:
    """One message about a tardy; `kind` says what it is beside what is known of the tardy by then."""

    district: str
    tardy_id: str
    kind: str  # next | late | void | void-whole | again
    changes: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Word:
    """What an administrator says of a code (`school_id` None: of every school): `map` or `unmap`. `reference` None:
    that it is never sent."""

    kind: str
    district: str
    code: str
    school_id: str | None
    reference: str | None


@dataclass(frozen=True, slots=True)
class Meanwhile:
    """What happens at a place between two steps of the program."""

    kind: str  # crash | takeover | publish | refer | save | delete | pause | collect
    given: Any = None
    dies_at: Arrow | None = None


@dataclass(frozen=True, slots=True)
class Disturbance:
    """Where something happens, and the how-manieth time that the program comes there."""

    arrow: Arrow
    times: int
    meanwhile: Meanwhile


def export_id(luck: Random) -> str:
    """One of the exports."""
    return luck.choice(("e0", "e0", "e1", "e2"))


def some_exports(luck: Random) -> set[str]:
    """One or more of them."""
    return {export_id(luck) for _ in range(luck.randint(1, 3))}


def batch(luck: Random) -> list[Change]:
    """Messages that come together."""
    return [change(luck) for _ in range(luck.randint(1, 5))]


def change(luck: Random) -> Change:
    """A new tardy, or what has become of one."""
    possible = {
        "school_id": sorted(SCHOOLS),
        "behavior_code": CODES,
        "occurred_at": INSTANTS,
        "comment": "xy",
    }
    changed = luck.sample(sorted(possible), luck.choice((0, 1, 1, 2, 4)))
    return Change(
        luck.choice(("default", "default", "default", "other")),
        luck.choice(("t0", "t1", "t2", "t3", "t4")),
        luck.choice(("next", "next", "next", "late", "void", "void-whole", "again")),
        {name: luck.choice(possible[name]) for name in changed},
    )


def document(luck: Random, chosen: str = "") -> dict[str, Any]:
    """A definition of one of the exports, or of this one."""
    chosen = chosen or export_id(luck)
    corrections = luck.choice(("hold", "send", "send", "ignore"))
    layout = luck.choice(LAYOUTS)
    if corrections == "send" and "action" not in layout:
        layout = (*layout, "action")
    first_day = luck.choice(FIRST_DAYS)
    whole = definition(
        chosen,
        district_id=EXPORTS[chosen],
        schools=luck.choice(("all", "all", ["A"], ["A", "B"], ["B", "C"])),
        codes=luck.choice(("all", "all", "all", ["TARDY"])),
        schedule=_schedule(luck),
        destination={"type": "directory", "path": luck.choice(("inbox", "inbox", "other"))},
        file=_file(luck),
        fields=[_column(name) for name in layout],
        corrections=corrections,
        backfill_from=first_day,
    )
    return {name: value for name, value in whole.items() if value is not None}


def _column(name: str) -> dict[str, Any]:
    return {"field": name, "required": True} if name == "school.sis_id" else {"field": name}


def _schedule(luck: Random) -> dict[str, Any]:
    frequency = luck.choice(("manual", "continuous", "daily"))
    options: dict[str, dict[str, Any]] = {
        "manual": {},
        "continuous": {"linger_seconds": 5, "max_rows": luck.choice((1, 2, 100))},
        "daily": {"at": ["10:30", "15:10"]},
    }
    zone = luck.choice(("America/Chicago", "America/Chicago", "Asia/Tokyo"))
    return {"frequency": frequency, "time_zone": zone} | options[frequency]


def _file(luck: Random) -> dict[str, Any]:
    return {
        "format": "csv",
        "name": luck.choice(("{export}_{sequence:04d}.csv", "{export}_{sequence:04d}.csv", "{export}.csv")),
        "header": False,
        "line_ending": "lf",
        "if_exists": luck.choice(("wait", "wait", "replace")),
        "when_empty": luck.choice(("skip", "skip", "skip", "send")),
    }


def school_data(school_id: str, zone: str | None = None, sis: str | None = "12") -> Reference:
    """A school in its own zone, or in another."""
    return "school", school(school_id, zone=zone or SCHOOLS[school_id], sis=sis)["data"]


def code_data(name: str, school_id: str | None = None, reference: str | None = "T") -> Reference:
    """A behavior code, of one school or of all; `reference` None: nobody has mapped it."""
    return "behavior_code", code(reference, name=name, school_id=school_id)["data"]


def bells_data(school_id: str, reference: str | None = "P") -> Reference:
    """A bell schedule for every day; `reference` None: nobody has mapped its periods."""
    periods = [
        {"name": name, "external_reference_code": reference and reference + name, "start": start, "end": end}
        for name, start, end in (("1", "00:00", "09:00"), ("2", "09:00", "23:59"))
    ]
    return "bell_schedule", bell_schedule(school_id=school_id, periods=periods)["data"]


def reference(luck: Random) -> Reference:
    """A school, a code or a bell schedule, mapped or not."""
    school_id = luck.choice(sorted(SCHOOLS))
    match luck.choice(("school", "school", "code", "bells")):
        case "school":
            zone = luck.choice((None, None, "America/Chicago", "Asia/Tokyo"))
            return school_data(school_id, zone, luck.choice(("12", "12", None)))
        case "code":
            return code_data(
                luck.choice(CODES), luck.choice((None, None, "A")), luck.choice(("T", "T", "U", None))
            )
        case _:
            return bells_data(school_id, luck.choice(("P", "P", None)))


def word(luck: Random) -> Word:
    """A code is called something else, is never sent, or is again what was published."""
    kind = luck.choice(("map", "map", "unmap"))
    place = (luck.choice(DISTRICTS), luck.choice(CODES), luck.choice((None, None, "A")))
    return Word(kind, *place, luck.choice(("M", "N", None, None)) if kind == "map" else None)


def everything_mapped() -> Iterator[Reference]:
    """Reference data with which no row is held."""
    for school_id in SCHOOLS:
        yield school_data(school_id)
        yield bells_data(school_id)
    for name in CODES:
        yield code_data(name)
        yield code_data(name, "A")


def faults(luck: Random) -> list[Fault]:
    """What the SIS does to the next attempts."""
    return [luck.choice(list(Fault)) for _ in range(luck.randint(1, 3))]


def disturbance(luck: Random, arrows: Sequence[Arrow]) -> Disturbance:
    """Something at one of these places; inside a transaction nothing but death."""
    arrow = luck.choice(arrows)
    meanwhile = Meanwhile("crash") if arrow in _IN_TRANSACTION else _meanwhile(luck)
    return Disturbance(arrow, luck.choice((1, 1, 1, 2)), meanwhile)


def _meanwhile(luck: Random) -> Meanwhile:
    kinds = (
        "crash",
        "crash",
        "takeover",
        "takeover",
        "publish",
        "refer",
        "save",
        "delete",
        "pause",
        "collect",
    )
    match kind := luck.choice(kinds):
        case "takeover":
            return Meanwhile(kind, dies_at=luck.choice((None, luck.choice(DELIVERY))))
        case "publish":
            return Meanwhile(kind, batch(luck))
        case "refer":
            return Meanwhile(kind, reference(luck))
        case "save":
            return Meanwhile(kind, document(luck))
        case "delete" | "pause":
            return Meanwhile(kind, export_id(luck))
        case _:
            return Meanwhile(kind)
