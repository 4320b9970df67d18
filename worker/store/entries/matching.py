"""SQL: what belongs together. Which tardies may belong to a definition; which rows tell of one tardy or version."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Select, and_, exists, select

from worker.core.routing import Route
from worker.store.database.tables import definitions, entries, tardies, tardy_versions

EntryKey = tuple[str, int, int]
"""An entry within its export: tardy, version, ordinal."""


def may_match(route: Route) -> list[Any]:
    """Conditions on `tardies`: of the route's district, schools and codes, and not void. The exact local day is left
    to `core.routing.belongs`."""
    t = tardies.c
    schools = [] if route.schools is None else [t.school_id.in_(sorted(route.schools))]
    codes = [] if route.codes is None else [t.behavior_code.in_(sorted(route.codes))]
    return [t.district_id == route.district_id, t.voided.is_(False), *schools, *codes]


def same_tardy(left: Any, right: Any) -> ColumnElement[bool]:
    """Rows, given by their columns, are of one tardy."""
    return and_(left.district_id == right.district_id, left.tardy_id == right.tardy_id)


def same_version(left: Any, right: Any) -> ColumnElement[bool]:
    """Rows, given by their columns, are of one version of a tardy."""
    return and_(
        left.district_id == right.district_id, left.tardy_id == right.tardy_id, left.version == right.version
    )


def carries_newest(*conditions: Any) -> Any:
    """The entry carries its tardy's newest version, which meets the conditions on `tardies`."""
    return exists().where(same_version(tardies.c, entries.c), *conditions)


def has_data() -> Any:
    """The entry's version has not been purged: of one that was, nothing can be judged any more."""
    return exists().where(same_version(tardy_versions.c, entries.c), tardy_versions.c.document.is_not(None))


def active_in(district_id: str) -> Select[str]:
    """The ids of the district's active exports."""
    d = definitions.c
    return select(d.export_id).where(d.district_id == district_id, d.state == "active")
