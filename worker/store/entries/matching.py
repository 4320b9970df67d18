"""SQL: which tardies may belong to a definition. The exact local day is left to `core.routing.belongs`."""

from __future__ import annotations

from typing import Any

from worker.core.routing import Route
from worker.store.database.tables import tardies


def may_match(route: Route) -> list[Any]:
    """Conditions on `tardies`: of the route's district, schools and codes, and not void."""
    t = tardies.c
    schools = [] if route.schools is None else [t.school_id.in_(sorted(route.schools))]
    codes = [] if route.codes is None else [t.behavior_code.in_(sorted(route.codes))]
    return [t.district_id == route.district_id, t.voided.is_(False), *schools, *codes]
