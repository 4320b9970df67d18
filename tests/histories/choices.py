"""What a history is made of: few tardies, schools and definitions, so that they meet often.

Everything is drawn from a `Random`: a history is a list of rules, each with one number.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from tests.builders import bell_schedule, code, school, school_day
from tests.histories.documents import document, export_id
from tests.histories.sis import Fault
from worker.failpoints import Arrow

Reference = tuple[str, dict[str, Any]]

DISTRICTS = ("default", "other")
SCHOOLS = {"A": "America/Chicago", "B": "Asia/Tokyo", "C": "Pacific/Honolulu"}
CODES = ("TARDY", "LATE")
# Around the first days: the dates differ from zone to zone.
INSTANTS = (
    "2026-10-04T23:30:00-05:00",
    "2026-10-05T00:30:00-05:00",
    "2026-10-05T08:07:00-05:00",
    "2026-10-06T12:10:00-05:00",  # no more than an hour ahead of the first moment
    "2026-10-06T12:10:00-05:00",
    "2026-10-06T23:10:00-05:00",  # more than that: it waits for a person
)
# Around the bells, quotes, delimiters, encodings and widths there are.
COMMENTS = (
    "x",
    "y",
    "x",
    "y",
    "",
    'she said "late", twice',
    "a;b|c\td",
    "cafe\u0301 two",
    "\u03a9",
    "one\r\ntwo",
)
STUDENTS: tuple[dict[str, str], ...] = (
    {"id": "s0", "local_id": "L-0", "grade": "9", "first_name": "Ada", "last_name": "o'neil-byron"},
    {"id": "s1", "local_id": "L-1", "grade": "10", "state_id": "0012", "homeroom": "10-B"},
    {"id": "s2", "local_id": "L-2"},
)
SAID: dict[str, tuple[Any, ...]] = {
    "school_id": tuple(sorted(SCHOOLS)),
    "behavior_code": CODES,
    "occurred_at": INSTANTS,
    "comment": COMMENTS,
    "student": STUDENTS,
    "period": (None, None, "1", "2", "9"),
    "minutes_late": (None, 0, 7),
    "recorded_at": (None, "2026-10-06T13:00:00Z"),
    "staff": (None, {"id": "st-1", "name": "Grace H."}),
    "attributes": (None, {"bus": "12", "miles": 1.5}, {"bus": True}),
}
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
COMMANDS = {
    "export.save": 2,
    "export.run_now": 1,
    "export.pause": 1,
    "export.resume": 3,
    "export.delete": 1,
    "export.retry": 1,
    "run.approve": 3,
    "run.resend": 1,
    "run.abandon": 2,
    "entry.release": 3,
    "entry.dismiss": 2,
    "entry.undo": 2,
    "code.map": 1,
    "code.unmap": 1,
}
"""Every command by name, and how often it is asked for beside the others in the midst of a history."""

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


def some_exports(luck: Random) -> set[str]:
    """One or more of them."""
    return {export_id(luck) for _ in range(luck.randint(1, 3))}


def batch(luck: Random) -> list[Change]:
    """Messages that come together."""
    return [change(luck) for _ in range(luck.randint(2, 7))]


def change(luck: Random) -> Change:
    """A new tardy, or what has become of one."""
    changed = luck.sample(sorted(SAID), luck.choice((0, 1, 1, 2, 4)))
    return Change(
        luck.choice(("default", "default", "default", "other")),
        luck.choice(("t0", "t1", "t2", "t3", "t4", "t5")),
        luck.choice(("next", "next", "next", "late", "void", "void-whole", "again")),
        {name: luck.choice(SAID[name]) for name in changed},
    )


def school_data(
    school_id: str, zone: str | None = None, sis: str | None = "12", year_starts: str | None = None
) -> Reference:
    """A school in its own zone, or in another."""
    data = school(school_id, zone=zone or SCHOOLS[school_id], sis=sis)["data"]
    return "school", data | ({"school_year_starts": year_starts} if year_starts else {})


def code_data(name: str, school_id: str | None = None, reference: str | None = "T") -> Reference:
    """A behavior code, of one school or of all; `reference` None: nobody has mapped it."""
    return "behavior_code", code(reference, name=name, school_id=school_id)["data"]


def bells_data(school_id: str, reference: str | None = "P", name: str = "regular", **days: Any) -> Reference:
    """A bell schedule, of these days or else of every day, with gaps; `reference` None: nobody has mapped its
    periods."""
    periods = [
        {"name": name, "external_reference_code": reference and reference + name, "start": start, "end": end}
        for name, start, end in (("1", "00:00", "08:00"), ("2", "08:30", "12:10"), ("3", "12:30", "24:00"))
    ]
    fields = {"bell_schedule_id": name, "default": not days, "periods": periods, **days}
    return "bell_schedule", bell_schedule(school_id=school_id, **fields)["data"]


SPECIAL_DAYS: tuple[dict[str, Any], ...] = (
    {"weekdays": ["mon"]},
    {"weekdays": ["wed", "thu", "fri", "sat", "sun"]},
    {"dates": ["2026-10-05", "2026-10-06"]},
    {"default": True, "grades": ["9", "10"]},
    {"default": True, "effective_from": "2026-10-06"},  # beside the regular one: no period can be told
    {"weekdays": ["tue"], "effective_until": "2026-10-05"},
    {"weekdays": ["mon", "tue"], "effective_from": "2026-10-06", "grades": ["9"]},
)
DAYS = ("2026-10-05", "2026-10-06", "2026-10-07")


def day_data(school_id: str, day: str, *, in_session: bool) -> Reference:
    """A day on which a school is in session, or out."""
    return "school_day", school_day(day, in_session, school_id)["data"]


def reference(luck: Random) -> Reference:
    """A school, a code, a bell schedule or a school day, mapped or not."""
    school_id = luck.choice(sorted(SCHOOLS))
    match luck.choice(("school", "school", "code", "bells", "special", "day")):
        case "school":
            zone = luck.choice((None, None, "America/Chicago", "Asia/Tokyo"))
            starts = luck.choice((None, None, "01-01", "10-06"))
            return school_data(school_id, zone, luck.choice(("12", "12", None)), starts)
        case "code":
            return code_data(
                luck.choice(CODES), luck.choice((None, None, "A")), luck.choice(("T", "T", "U", None))
            )
        case "bells":
            return bells_data(school_id, luck.choice(("P", "P", None)))
        case "special":
            return bells_data(
                school_id, luck.choice(("S", "S", None)), "special", **luck.choice(SPECIAL_DAYS)
            )
        case _:
            return day_data(school_id, luck.choice(DAYS), in_session=luck.random() < 0.3)


def command(luck: Random) -> str:
    """One of the commands, the frequent ones more often."""
    return luck.choices(list(COMMANDS), list(COMMANDS.values()))[0]


def word(luck: Random, chosen: str = "") -> Word:
    """A code is called something else, is never sent, or is again what was published."""
    kind = chosen or luck.choice(("map", "map", "unmap"))
    place = (luck.choice(DISTRICTS), luck.choice(CODES), luck.choice((None, None, "A")))
    return Word(kind, *place, luck.choice(("M", "N", None, None)) if kind == "map" else None)


def everything_mapped() -> Iterator[Reference]:
    """Reference data with which no row is held."""
    for school_id in SCHOOLS:
        yield school_data(school_id)
        yield bells_data(school_id)
        yield bells_data(school_id, "S", "special", default=False)
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
