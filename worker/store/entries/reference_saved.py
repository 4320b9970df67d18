"""Reference data is saved, and what waits for it is judged again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, exists, select

from schemas.messages import reference
from schemas.messages.events import REFERENCE_SCHEMAS, ReferenceItem
from worker.store.catalogue.catalogue import next_generation
from worker.store.database.database_errors import own_rows
from worker.store.database.tables import reference_versions
from worker.store.entries.backfill import backfill_school
from worker.store.entries.collapsing import wake_schools
from worker.store.entries.contest import rekey_schools
from worker.store.entries.rejudging import Code, rejudge_held, wake_codes


def save_references(connection: Connection, items: Sequence[ReferenceItem], now: datetime) -> list[str]:
    """Stores reference data and has what waits for it judged again; returns what became of each item, as a batch of
    tardies does. The caller owns the catalogue."""
    results = []
    number: int | None = None
    districts = set[str]()
    schools: dict[str, set[str]] = defaultdict(set)  # by district: those whose days or periods have changed
    codes: dict[str, set[Code]] = defaultdict(set)
    for item in items:
        result = _known_content(connection, item)
        if result is None:
            number = number if number is not None else next_generation(connection)
            in_force = _put_reference(connection, item, number, now)
            if in_force:
                districts.add(item.district_id)
                if item.kind in ("school", "bell_schedule"):
                    schools[item.district_id].add(item.school_id)
                if item.kind == "behavior_code":
                    codes[item.district_id].add((item.school_id, item.item_id))
                if item.kind == "school":
                    backfill_school(connection, item.district_id, item.school_id, now)
        results.append(result or "new")
    for district_id in sorted(districts):
        rejudge_held(connection, district_id)
        rekey_schools(connection, district_id, schools[district_id], now)
        wake_schools(connection, district_id, schools[district_id])
        wake_codes(connection, district_id, sorted(codes[district_id]))
    return results


def _same_item(item: ReferenceItem) -> Any:
    c = reference_versions.c
    return and_(
        c.kind == item.kind,
        c.district_id == item.district_id,
        c.school_id == item.school_id,
        c.item_id == item.item_id,
    )


def _known_content(connection: Connection, item: ReferenceItem) -> str | None:
    c = reference_versions.c
    stored = connection.execute(
        select(c.content_hash, c.document).where(_same_item(item), c.version == item.version)
    ).one_or_none()
    if stored is None:
        return None
    known = reference.stored_hash(REFERENCE_SCHEMAS[item.kind], stored.document)
    if item.content_hash in (stored.content_hash, known):
        return "duplicate"
    return "conflict"


def _put_reference(connection: Connection, item: ReferenceItem, number: int, now: datetime) -> bool:
    """Stores the version; True: it is the newest, so it is in force now."""
    c = reference_versions.c
    newer = connection.execute(
        select(exists().where(_same_item(item), c.version > item.version))
    ).scalar_one()
    with own_rows():
        connection.execute(
            reference_versions.insert().values(
                kind=item.kind,
                district_id=item.district_id,
                school_id=item.school_id,
                item_id=item.item_id,
                version=item.version,
                document=item.document,
                content_hash=item.content_hash,
                generation=number,
                received_at=now,
            )
        )
    return not newer
