"""What was published and saved, in order: the memory of a witness who knows no table of the program."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

Key = tuple[str, str]  # (district, tardy)


@dataclass(frozen=True, slots=True)
class Version:
    """One published version of a tardy; `data` None: it is void. `told_at`: the time that its message told, if any."""

    key: Key
    number: int
    data: Mapping[str, Any] | None
    since: int
    told_at: datetime | None = None

    @property
    def voided(self) -> bool:
        return self.data is None

    @property
    def occurred_at(self) -> datetime:
        assert self.data is not None
        return datetime.fromisoformat(self.data["occurred_at"])


@dataclass(frozen=True, slots=True)
class Revision:
    """One saved form of a definition; `backfill_from` as it was in force."""

    number: int
    document: Mapping[str, Any]
    backfill_from: date
    since: int


@dataclass(slots=True)
class Export:
    """A definition's life."""

    export_id: str
    district: str
    revisions: list[Revision] = field(default_factory=list)
    active: bool = False
    paused: bool = False

    def at(self, moment: int) -> Revision:
        """The revision in force."""
        return [revision for revision in self.revisions if revision.since <= moment][-1]

    @property
    def now(self) -> Revision:
        return self.revisions[-1]


class Record:
    """Every change takes the next moment: 1, 2, 3 …"""

    def __init__(self, now: datetime) -> None:
        self.times = [now]  # when each moment was
        self.tardies: dict[Key, dict[int, Version]] = {}
        self.heard: dict[Key, dict[int, tuple[datetime, datetime]]] = {}
        """By tardy and version: the earliest and the latest that the program's clock can have shown as it came."""
        self.exports: dict[str, Export] = {}
        self.approved: set[str] = set()  # runs
        self._decisions: dict[tuple[str, Key, int], list[tuple[int, str]]] = {}
        self._references: dict[tuple[str, ...], list[tuple[int, int, Mapping[str, Any]]]] = {}

    @property
    def moment(self) -> int:
        """The moment of the last change."""
        return len(self.times) - 1

    def since(self, time: datetime) -> int:
        """The last moment that was over at a time."""
        return max((moment for moment, at in enumerate(self.times) if at <= time), default=0)

    def publish(
        self,
        key: Key,
        number: int,
        data: Mapping[str, Any] | None,
        now: datetime,
        *,
        told_at: datetime | None,
        clock: datetime,
    ) -> None:
        """A version is published at `now`, `clock` by the program's own, and its message will be acknowledged."""
        self.times.append(now)
        self.tardies.setdefault(key, {})[number] = Version(key, number, data, self.moment, told_at)
        self.heard.setdefault(key, {})[number] = (clock, clock)

    def hear(self, key: Key, number: int, clock: datetime) -> None:
        """By then the program has taken that version in."""
        earliest, latest = self.heard[key][number]
        if earliest == latest:
            self.heard[key][number] = (earliest, clock)

    def decide(self, export_id: str, key: Key, number: int, decision: str, now: datetime) -> None:
        """A person has released or dismissed that version in an export, or taken a dismissal back."""
        self.times.append(now)
        self._decisions.setdefault((export_id, key, number), []).append((self.moment, decision))

    def decided(self, export_id: str, key: Key, number: int, moment: int) -> list[str]:
        """What people had decided about it by a moment, in order."""
        known = self._decisions.get((export_id, key, number), [])
        return [decision for since, decision in known if since <= moment]

    def refer(self, kind: str, district: str, data: Mapping[str, Any], now: datetime) -> None:
        """Reference data was published and its message acknowledged."""
        self.times.append(now)
        item = data.get("code") or data.get("bell_schedule_id") or data.get("date") or ""
        name = (kind, district, data.get("school_id") or "", item)
        self._references.setdefault(name, []).append((data["version"], self.moment, data))

    def save(self, document: Mapping[str, Any], now: datetime, clock: datetime) -> bool:
        """A definition was saved, at `clock` by the program's own; False: it is the one in force."""
        export_id = document["export_id"]
        export = self.exports.setdefault(export_id, Export(export_id, document.get("district_id", "default")))
        if export.active and export.now.document == document:
            return False
        self.times.append(now)
        first_day = document.get("backfill_from")
        if first_day is not None:
            backfill_from = date.fromisoformat(first_day)
        elif export.revisions:
            backfill_from = export.now.backfill_from
        else:
            backfill_from = clock.astimezone(ZoneInfo(document["schedule"]["time_zone"])).date()
        number = len(export.revisions) + 1
        export.revisions.append(Revision(number, document, backfill_from, self.moment))
        export.active = True
        return True

    def is_active(self, export_id: str) -> bool:
        """Whether the definition is there and not deleted."""
        export = self.exports.get(export_id)
        return export is not None and export.active

    def delete(self, export_id: str, now: datetime) -> None:
        """A definition was deleted."""
        self.times.append(now)
        self.exports[export_id].active = self.exports[export_id].paused = False

    def heads(self, district: str) -> Iterator[Version]:
        """The newest version of every tardy."""
        for key, versions in self.tardies.items():
            if key[0] == district:
                yield versions[max(versions)]

    def head(self, key: Key, moment: int) -> int:
        """The newest version's number at a moment; 0: none."""
        known = [version for version in self.tardies[key].values() if version.since <= moment]
        return max((version.number for version in known), default=0)

    def reference(self, moment: int, kind: str, district: str, school: str, item: str = "") -> Any:
        """The document in force at a moment, or None."""
        saved = self._references.get((kind, district, school, item), [])
        known = [(version, data) for version, since, data in saved if since <= moment]
        return max(known, key=lambda one: one[0])[1] if known else None

    def references(self, moment: int, kind: str, district: str, school: str | None = None) -> list[Any]:
        """The documents of a kind in force at a moment, of one school or of all."""
        places = [name for name in self._references if name[:2] == (kind, district)]
        found = [self.reference(moment, *name) for name in places if school in (None, name[2])]
        return [document for document in found if document is not None]
