"""The tardies of the morning, the same at every demo, with all that happens to messages on their way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random
from typing import Any

from worker.demo.district import LINCOLN, REFERENCES, SCHOOLS, Bell, DemoSchool, clock_time
from worker.demo.messages import Post, cut_off, event

AMENDED = 12  # of these …
OVERTAKEN = 4  # … the amendment arrives before what it amends
SENT_TWICE = 14
#: Between two periods: no period, so an export that needs one holds them.
IN_PASSING = ("08:52", "09:47")

_SEED = 20261006
_LAST = clock_time("10:33")  # the last tardy; all is sent by 10:35
_CORRECTED_AT = clock_time("10:32")  # after the daily file has gone
_CUT_OFF_AT = clock_time("09:14")
_CHANGED_UNTIL = clock_time("09:50")  # what changes on its way happens before: all of it arrives by 10:30

_FIRST_NAMES = (
    "Ada Ben Chloé Dev Elif Finn Grace Hugo Iris José Kai Lena Mina Noah Ola Priya Quinn Rosa Sam Tara"
)
_LAST_NAMES = (
    "Abara Brook Castillo Duarte Eng Fox Garza Hill Ito Jones Kim Lund Mori Nagy Orr Park Reyes Shaw Wu"
)
_REASONS = ("CAR", "MED", "OVS")


@dataclass(frozen=True, slots=True)
class DemoStudent:
    """A made-up student."""

    local_id: str
    first_name: str
    last_name: str
    grade: str


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a tardy as it is sent. `code` None: a void."""

    number: int
    code: str | None
    sent_at: datetime


@dataclass(frozen=True, slots=True)
class DemoTardy:
    """One tardy with everything that will be sent of it.

    `bell` is the period it happened in (None: between two); `says_period`: the behavior system names it,
    else it is found by the time. `again_at`: its first version is sent once more.
    """

    tardy_id: str
    school: DemoSchool
    student: DemoStudent
    occurred_at: datetime
    bell: Bell | None
    says_period: bool
    reason: str | None
    versions: tuple[Version, ...]
    again_at: datetime | None = None


def generate() -> tuple[DemoTardy, ...]:
    """The morning's tardies in the order in which they happened."""
    rng = Random(_SEED)
    found = [tardy for school in SCHOOLS for tardy in _of_school(rng, school)]
    found.sort(key=lambda tardy: (tardy.occurred_at, tardy.student.local_id))
    named = [replace(tardy, tardy_id=f"t-{number:04d}") for number, tardy in enumerate(found, start=1)]
    return tuple(_with_changes(rng, named))


def posts(tardies: Sequence[DemoTardy]) -> list[Post]:
    """Every message about them, and one that is cut off on its way."""
    sent = [post for tardy in tardies for post in _posts_of(tardy)]
    lost = next(post for post in sent if post.at >= _CUT_OFF_AT - timedelta(minutes=5))
    return [*sent, cut_off(lost, _CUT_OFF_AT)]


def corrected(tardies: Sequence[DemoTardy]) -> DemoTardy:
    """The one that is amended after the daily file has gone."""
    return next(tardy for tardy in tardies if tardy.versions[-1].sent_at == _CORRECTED_AT)


# what happens at a school


def _of_school(rng: Random, school: DemoSchool) -> Iterator[DemoTardy]:
    numbers = rng.sample(range(100_000, 1_000_000), school.tardies)
    passing = IN_PASSING if school is LINCOLN else ()
    for index, number in enumerate(numbers):
        student = _student(rng, number)
        if index < len(passing):
            yield _tardy(rng, school, student, clock_time(passing[index]), None)
        else:
            yield _tardy(rng, school, student, *_late(rng, school))


def _student(rng: Random, number: int) -> DemoStudent:
    first, last = rng.choice(_FIRST_NAMES.split()), rng.choice(_LAST_NAMES.split())
    return DemoStudent(str(number), first, last, str(rng.randint(6, 12)))


def _late(rng: Random, school: DemoSchool) -> tuple[datetime, Bell]:
    """When a student comes late, and to which period: mostly the first, mostly by a few minutes."""
    begun = [
        bell for bell in school.bells if clock_time(bell.start, school.zone) < _LAST - timedelta(minutes=5)
    ]
    [bell] = rng.choices(begun, weights=[2.0**-number for number in range(len(begun))])
    late = timedelta(minutes=int(rng.triangular(1, 28, 4)), seconds=rng.randrange(60))
    at = clock_time(bell.start, school.zone) + late
    return min(at, _LAST.astimezone(school.zone)), bell


def _tardy(
    rng: Random, school: DemoSchool, student: DemoStudent, at: datetime, bell: Bell | None
) -> DemoTardy:
    [code] = rng.choices(list(REFERENCES), weights=[80, 13, 7])
    sent_at = at + timedelta(seconds=rng.randrange(15, 90))
    return DemoTardy(
        tardy_id="",
        school=school,
        student=student,
        occurred_at=at,
        bell=bell,
        says_period=bell is not None and rng.random() < 0.3,
        reason=rng.choice(_REASONS) if rng.random() < 0.4 else None,
        versions=(Version(1, code, sent_at),),
    )


# what happens on the way


def _with_changes(rng: Random, tardies: Sequence[DemoTardy]) -> Iterator[DemoTardy]:
    early = [tardy for tardy in tardies if tardy.occurred_at < _CHANGED_UNTIL and tardy.bell is not None]
    plain = [tardy for tardy in early if tardy.versions[0].code == "TARDY"]
    void, late = rng.sample([tardy for tardy in plain if tardy.school is LINCOLN], 2)
    amended = rng.sample([tardy for tardy in plain if tardy not in (void, late)], AMENDED)
    twice = rng.sample([tardy for tardy in early if tardy not in (void, late, *amended)], SENT_TWICE)
    changed = {void.tardy_id: _voided(void), late.tardy_id: _amended(late, _CORRECTED_AT)}
    changed |= {
        tardy.tardy_id: _excused(rng, tardy, overtaking=index < OVERTAKEN)
        for index, tardy in enumerate(amended)
    }
    changed |= {tardy.tardy_id: _again(rng, tardy) for tardy in twice}
    for tardy in tardies:
        yield changed.get(tardy.tardy_id, tardy)


def _voided(tardy: DemoTardy) -> DemoTardy:
    [first] = tardy.versions
    return replace(tardy, versions=(first, Version(2, None, first.sent_at + timedelta(minutes=21))))


def _amended(tardy: DemoTardy, at: datetime) -> DemoTardy:
    return replace(tardy, versions=(*tardy.versions, Version(2, "TARDY-EX", at)))


def _excused(rng: Random, tardy: DemoTardy, *, overtaking: bool) -> DemoTardy:
    """A note from home; where the first version is stuck in an offline tablet, the second comes first."""
    after = _amended(tardy, tardy.versions[0].sent_at + timedelta(minutes=rng.randint(3, 9)))
    if not overtaking:
        return after
    first, second = after.versions
    stuck = replace(first, sent_at=second.sent_at + timedelta(minutes=rng.randint(17, 25)))
    return replace(after, versions=(stuck, second))


def _again(rng: Random, tardy: DemoTardy) -> DemoTardy:
    """The publisher did not hear the confirmation and sends the message again."""
    return replace(tardy, again_at=tardy.versions[0].sent_at + timedelta(seconds=rng.randint(5, 1200)))


# as messages


def _posts_of(tardy: DemoTardy) -> Iterator[Post]:
    for version in tardy.versions:
        yield _post(tardy, version, version.sent_at)
    if tardy.again_at is not None:
        yield replace(_post(tardy, tardy.versions[0], tardy.versions[0].sent_at), at=tardy.again_at)


def _post(tardy: DemoTardy, version: Version, at: datetime) -> Post:
    message_id = f"{tardy.tardy_id}-v{version.number}"
    named = {"tardy_id": tardy.tardy_id, "version": version.number, "school_id": tardy.school.school_id}
    if version.code is None:
        return event("tardy.voided", named, message_id, at)
    kind = "tardy.recorded" if version.number == 1 else "tardy.amended"
    return event(kind, named | _details(tardy, version.code), message_id, at)


def _details(tardy: DemoTardy, code: str) -> dict[str, Any]:
    student = tardy.student
    details: dict[str, Any] = {
        "occurred_at": tardy.occurred_at.isoformat(),
        "behavior_code": code,
        "student": {
            "id": f"s-{student.local_id}",
            "local_id": student.local_id,
            "first_name": student.first_name,
            "last_name": student.last_name,
            "grade": student.grade,
        },
    }
    if tardy.says_period and tardy.bell is not None:
        details["period"] = tardy.bell.name
    if tardy.reason is not None:
        details["attributes"] = {"reason": tardy.reason}
    return details
