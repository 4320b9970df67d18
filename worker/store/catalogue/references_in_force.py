"""The reference data in force, as judging needs it: loaded school by school."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from dataclasses import replace

from sqlalchemy import Connection, func, or_, select

from worker.core.references import EVERY_SCHOOL, References, build_references
from worker.store.catalogue.mappings import load_mappings
from worker.store.database.tables import reference_versions


def load_references(connection: Connection, district_id: str, school_ids: Collection[str]) -> References:
    """The reference data in force for these schools, and the district's general codes."""
    wanted = or_(
        reference_versions.c.school_id == EVERY_SCHOOL, reference_versions.c.school_id.in_(sorted(school_ids))
    )
    newest = (
        select(
            reference_versions.c.kind,
            reference_versions.c.school_id,
            reference_versions.c.document,
            func.row_number()
            .over(
                partition_by=[
                    reference_versions.c.kind,
                    reference_versions.c.school_id,
                    reference_versions.c.item_id,
                ],
                order_by=reference_versions.c.version.desc(),
            )
            .label("rank"),
        )
        .where(
            reference_versions.c.district_id == district_id, wanted, reference_versions.c.kind != "school_day"
        )
        .subquery()
    )
    rows = connection.execute(select(newest).where(newest.c.rank == 1))
    published = build_references((row.kind, row.school_id, json.loads(row.document)) for row in rows)
    return replace(published, mappings=load_mappings(connection, district_id, school_ids))


class ReferenceLoader:
    """References of one district, loaded school by school as pages of entries need them."""

    def __init__(self, connection: Connection, district_id: str) -> None:
        self._connection = connection
        self._district_id = district_id
        self._known: set[str] = set()
        self.references = References()

    def cover(self, school_ids: Iterable[str]) -> References:
        """References that cover at least these schools."""
        missing = set(school_ids) - self._known
        if missing or not self._known:
            more = load_references(self._connection, self._district_id, missing)
            self.references = References(
                {**self.references.schools, **more.schools},
                {**self.references.codes, **more.codes},
                {**self.references.bell_schedules, **more.bell_schedules},
                {**self.references.mappings, **more.mappings},
            )
            self._known |= missing | {EVERY_SCHOOL}
        return self.references
