"""Which definitions a tardy belongs to: by district, school, behavior code and local date."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Protocol

from schemas.fields.zones import Zone, find_zone, zone_of
from worker.core.definition import Definition

_DAY = timedelta(days=1)
_MANY = 8  # routes; fewer are looked at faster than they are looked up

Named = tuple[str, str | None]
"""A district, and a school or code of it; None: all of them."""


@dataclass(frozen=True, slots=True)
class Route:
    """The part of an active definition that decides what belongs to it."""

    export_id: str
    district_id: str
    schools: frozenset[str] | None
    codes: frozenset[str] | None
    backfill_from: date
    zone: Zone  # of the schedule: decides the local date where the school is unknown

    def day_of(self, moment: datetime, zone: Zone | None) -> date:
        """The local day of a moment: by the school's `zone`; where that is not known, by the schedule's."""
        return moment.astimezone(zone or self.zone).date()


class Routed(Protocol):
    """What of a tardy decides where it belongs."""

    @property
    def school_id(self) -> str: ...
    @property
    def behavior_code(self) -> str | None: ...
    @property
    def occurred_at(self) -> datetime | None: ...


def route_of(definition: Definition, backfill_from: date) -> Route:
    """The definition's route; `backfill_from` is the stored one (kept when a replacement omits it)."""
    return Route(
        definition.export_id,
        definition.district_id,
        definition.schools,
        definition.codes,
        backfill_from,
        find_zone(definition.schedule.time_zone) or zone_of("UTC"),
    )


def district_route(export_id: str, district_id: str) -> Route:
    """The route of an active export whose definition this version cannot read: everything of its district. A worker
    that can read it cancels what does not belong."""
    return Route(export_id, district_id, None, None, date(1970, 1, 1), zone_of("UTC"))


def mismatch(
    route: Route, school_id: str, code: str | None, occurred_at: datetime | None, zone: Zone | None
) -> str | None:
    """Which clause keeps a tardy of the route's district out, or None: it belongs. `zone` is the school's."""
    if route.schools is not None and school_id not in route.schools:
        return "schools"
    if route.codes is not None and code not in route.codes:
        return "codes"
    if occurred_at is None or _too_early(route, occurred_at, zone):
        return "backfill_from"
    return None


def belongs(route: Route, tardy: Routed, zone: Zone | None) -> bool:
    """Whether a tardy of the route's district, which is not void, belongs to it. `zone` is its school's."""
    return mismatch(route, tardy.school_id, tardy.behavior_code, tardy.occurred_at, zone) is None


def _too_early(route: Route, occurred_at: datetime, zone: Zone | None) -> bool:
    day = occurred_at.date()  # UTC, within a day of the local date: most tardies are decided without the zone
    if abs(day - route.backfill_from) <= _DAY:
        day = route.day_of(occurred_at, zone)
    return day < route.backfill_from


_NOBODY: dict[str, Route] = {}


class Router:
    """The routes of every active definition, found by school; where a school has many, by code as well.

    Each pair of a school and a code is no key: one definition may name a thousand of either.
    """

    def __init__(self, routes: Iterable[Route] = ()) -> None:
        self._routes: dict[str, Route] = {}
        self._by_school: dict[Named, dict[str, Route]] = {}
        self._by_code: dict[Named, dict[str, Route]] = {}
        for route in routes:
            self.put(route)

    def put(self, route: Route) -> None:
        """Adds a route or replaces the one of the same export."""
        self.remove(route.export_id)
        self._routes[route.export_id] = route
        for index, name in self._places(route):
            index.setdefault(name, {})[route.export_id] = route

    def remove(self, export_id: str) -> None:
        """Forgets a route; no effect where there is none."""
        route = self._routes.pop(export_id, None)
        if route is None:
            return
        for index, name in self._places(route):
            del index[name][export_id]
            if not index[name]:
                del index[name]

    def has(self, export_id: str) -> bool:
        """Whether the export is active."""
        return export_id in self._routes

    def of_school(self, district_id: str, school_id: str) -> Iterable[str]:
        """The exports that name the school, or every school of its district."""
        for key in ((district_id, school_id), (district_id, None)):
            yield from self._by_school.get(key, ())

    def matches(
        self, district_id: str, school_id: str, code: str | None, occurred_at: datetime, zone: Zone | None
    ) -> list[str]:
        """The exports that a tardy belongs to."""
        found = []
        for name in ((district_id, school_id), (district_id, None)):
            routes = self._by_school.get(name, _NOBODY)
            if len(routes) > _MANY:
                routes = self._of_code(routes, district_id, code)
            for route in routes.values():
                if mismatch(route, school_id, code, occurred_at, zone) is None:
                    found.append(route.export_id)
        return found

    def _of_code(self, routes: dict[str, Route], district_id: str, code: str | None) -> dict[str, Route]:
        """Those of the routes that name the code, or every code."""
        found = {}
        for name in ((district_id, code), (district_id, None)):
            coded = self._by_code.get(name, _NOBODY)
            fewer, more = sorted((routes, coded), key=len)
            found.update({export_id: route for export_id, route in fewer.items() if export_id in more})
        return found

    def _places(self, route: Route) -> Iterator[tuple[dict[Named, dict[str, Route]], Named]]:
        for school in _each(route.schools):
            yield self._by_school, (route.district_id, school)
        for code in _each(route.codes):
            yield self._by_code, (route.district_id, code)


def _each(named: frozenset[str] | None) -> Iterable[str | None]:
    return (None,) if named is None else named
