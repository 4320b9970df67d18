"""Many tardies with their later versions, as messages in a disorder like a bad day's, all from one seed."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from tests.acceptance.district import CODES, SCHOOLS, School
from tests.builders import envelope

Key = tuple[str, str]
"""(district, tardy id): an id is unique within its district alone."""

_FIRST_DAY = date(2026, 10, 5)  # a Monday; daylight saving ends on 1 November
_WEEKS = 6
_NAMES = ("Ada", "Zoë", "José", "Łukasz", "O'Neil", 'Bo "Bobby"', "Li, Wei", "Ñandú")
_SWAP_WITHIN = 400  # so far a message may be from where it belongs


@dataclass(frozen=True, slots=True)
class Version:
    """One version of one tardy. `data` None: it was voided."""

    key: Key
    number: int
    school: School
    data: dict[str, Any] | None

    @property
    def local(self) -> datetime:
        """When it occurred, by the school's clock."""
        assert self.data is not None
        return datetime.fromisoformat(self.data["occurred_at"]).astimezone(self.school.zone)

    def message(self) -> dict[str, Any]:
        """The CloudEvent that tells of it."""
        district, tardy_id = self.key
        if self.data is not None:
            return envelope("tardy.recorded" if self.number == 1 else "tardy.amended", self.data)
        data = {"district_id": district, "tardy_id": tardy_id, "version": self.number}
        return envelope("tardy.voided", data | {"school_id": self.school.school_id})


def make_versions(count: int, seed: int) -> list[Version]:
    """All versions of `count` tardies, those of one tardy in order.

    Of a hundred tardies about twelve are amended, four voided, one voided and recorded again.
    """
    rng = random.Random(seed)
    versions: list[Version] = []
    numbers: Counter[str] = Counter()
    for _ in range(count):
        school = rng.choice(SCHOOLS)
        numbers[school.district] += 1
        key = (school.district, f"t{numbers[school.district]:05d}")  # the other districts have it as well
        versions += _history(rng, key, school)
    return versions


def in_disorder(versions: list[Version], seed: int) -> list[dict[str, Any]]:
    """The messages out of order, one in twenty twice."""
    rng = random.Random(seed)
    places = [(place + rng.uniform(0, _SWAP_WITHIN), version) for place, version in enumerate(versions)]
    places += [
        (place + rng.uniform(0, _SWAP_WITHIN * 4), version)
        for place, version in enumerate(versions)
        if rng.random() < 0.05
    ]
    return [version.message() for _, version in sorted(places, key=lambda found: found[0])]


def newest(versions: list[Version]) -> dict[Key, Version]:
    """The version of each tardy that counts in the end."""
    return {version.key: version for version in sorted(versions, key=lambda version: version.number)}


def _history(rng: random.Random, key: Key, school: School) -> Iterator[Version]:
    data = _data(rng, key, school)
    yield Version(key, 1, school, data)
    fate = rng.random()
    if fate < 0.12:
        yield from _amended(rng, key, school, data)
    elif fate < 0.16:
        yield Version(key, 2, school, None)
    elif fate < 0.17:
        yield Version(key, 2, school, None)
        yield Version(key, 7, school, {**data, "version": 7, "comment": "recorded again"})


def _amended(rng: random.Random, key: Key, school: School, data: dict[str, Any]) -> Iterator[Version]:
    version = 1
    for _ in range(rng.choice((1, 1, 2))):
        version += rng.randint(1, 3)
        changed = rng.choice(
            (
                {"minutes_late": rng.randrange(60, 120)},
                {"behavior_code": rng.choice(CODES)},
                {"comment": f"amended in version {version}"},
            )
        )
        data = {**data, **changed, "version": version}
        yield Version(key, version, school, data)


def _data(rng: random.Random, key: Key, school: School) -> dict[str, Any]:
    district, tardy_id = key
    student = rng.randrange(3000)
    data: dict[str, Any] = {
        "district_id": district,
        "tardy_id": tardy_id,
        "version": 1,
        "school_id": school.school_id,
        "occurred_at": _moment(rng, school),
        "behavior_code": rng.choice(CODES),
        "student": {
            "id": f"st-{student}",
            "local_id": f"{student:06d}",
            "first_name": rng.choice(_NAMES),
            "last_name": f"Last-{student}",
        },
    }
    if rng.random() < 0.7:
        data["minutes_late"] = rng.randrange(1, 60)
    if rng.random() < 0.5:
        data["comment"] = rng.choice(("bus was late", 'said "sorry"', "semi;colon, comma", "two\nlines"))
    if rng.random() < 0.5:
        data["attributes"] = {"bus": rng.randrange(100), "excused": rng.random() < 0.5}
    return data


def _moment(rng: random.Random, school: School) -> str:
    """A time on a school day in RFC 3339, in the school's offset, another, or UTC."""
    day = _FIRST_DAY + timedelta(weeks=rng.randrange(_WEEKS), days=rng.randrange(5))
    minute = rng.randrange(60, 300)  # 9:00 to 13:59: some fall between two periods
    at = datetime.combine(day, time(8), school.zone) + timedelta(minutes=minute)
    return rng.choice((at, at.astimezone(UTC), at.astimezone(SCHOOLS[rng.randrange(12)].zone))).isoformat()
