"""SQL: what belongs together. Which tardies may belong to a definition; which rows tell of one tardy or version."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, exists, select

from worker.core.routing import Route
from worker.store.database.statements import one_of
from worker.store.database.tables import definitions, entry_rows, tardies, tardy_versions

EntryKey = tuple[str, int, int]
"""An entry within its export: tardy, version, ordinal."""
ROW_KEY = ("tardy", "export", "version", "ordinal")
"""An entry's key in `entry_rows`."""


def may_match(route: Route) -> list[Any]:
    """Conditions on `tardies`: of the route's district, schools and codes, and not void. The exact local day is left
    to `core.routing.belongs`."""
    t = tardies.c
    schools = [] if route.schools is None else [t.school_id.in_(sorted(route.schools))]
    codes = [] if route.codes is None else [t.behavior_code.in_(sorted(route.codes))]
    return [t.district_id == route.district_id, t.voided.is_(False), *schools, *codes]


def number_of(export_id: Any) -> Any:
    """The export's number, as a subquery. NULL, which equals nothing: there is no such export."""
    named = definitions.alias("named")
    return select(named.c.export).where(named.c.export_id == export_id).correlate(None).scalar_subquery()


def of_export(export_id: str, rows: Any = entry_rows.c) -> ColumnElement[bool]:
    """The row of `entry_rows`, given by its columns, is of that export."""
    return and_(rows.export == number_of(export_id))


def numbers_of(keys: Iterable[tuple[Any, ...]]) -> Select[int]:
    """The numbers of tardies given by district and id."""
    named = tardies.alias("named")
    return select(named.c.tardy).where(one_of(named.c.district_id, named.c.tardy_id, keys)).correlate(None)


def of_tardies(keys: Iterable[tuple[Any, ...]], rows: Any = entry_rows.c) -> ColumnElement[bool]:
    """The row of `entry_rows`, given by its columns, is of one of these tardies, by district and id."""
    return and_(rows.tardy.in_(numbers_of(keys)))


def same_tardy(left: Any, right: Any) -> ColumnElement[bool]:
    """Rows, given by their columns, are of one tardy: by its number where both have it, else by its names."""
    if "tardy" in left and "tardy" in right:
        return and_(left.tardy == right.tardy)
    return and_(left.district_id == right.district_id, left.tardy_id == right.tardy_id)


def same_version(left: Any, right: Any) -> ColumnElement[bool]:
    """Rows, given by their columns, are of one version of a tardy."""
    return and_(same_tardy(left, right), left.version == right.version)


def carries_newest(*conditions: Any, rows: Any = entry_rows.c) -> Any:
    """The entry carries its tardy's newest version, which meets the conditions on `tardies`."""
    return exists().where(same_version(tardies.c, rows), *conditions)


def has_data(rows: Any = entry_rows.c) -> Any:
    """The entry's version has not been purged: of one that was, nothing can be judged any more."""
    named, v = tardies.alias("named"), tardy_versions.c
    there = and_(same_tardy(named.c, v), v.version == rows.version, v.document.is_not(None))
    return exists().where(named.c.tardy == rows.tardy, there)


def active_in(district_id: str) -> Select[str]:
    """The ids of the district's active exports."""
    d = definitions.c
    return select(d.export_id).where(d.district_id == district_id, d.state == "active")


def active_numbers(district_id: str) -> Select[int]:
    """The numbers of the district's active exports."""
    d = definitions.c
    return select(d.export).where(d.district_id == district_id, d.state == "active")
