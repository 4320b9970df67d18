"""The administrator's own word on behavior codes: what is in force, what was, and who said so."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Connection, RowMapping, insert, select, update

from worker.core.references import EVERY_SCHOOL, CodeMapping
from worker.store.database.tables import code_mappings

_IN_FORCE = code_mappings.c.ended_at.is_(None)


def load_mappings(
    connection: Connection, district_id: str, school_ids: Collection[str]
) -> dict[tuple[str, str], CodeMapping]:
    """What is in force for these schools, and for every school of the district."""
    c = code_mappings.c
    wanted = c.school_id.in_(sorted({EVERY_SCHOOL, *school_ids}))
    rows = connection.execute(
        select(c.school_id, c.code, c.external_reference_code).where(
            c.district_id == district_id, wanted, _IN_FORCE
        )
    )
    return {(school_id, code): CodeMapping(reference) for school_id, code, reference in rows}


def mapping_in_force(
    connection: Connection, district_id: str, school_id: str, code: str
) -> RowMapping | None:
    """The word on this code of this school (EVERY_SCHOOL: of all), or None."""
    c = code_mappings.c
    statement = select(code_mappings).where(
        c.district_id == district_id, c.school_id == school_id, c.code == code, _IN_FORCE
    )
    return connection.execute(statement).mappings().one_or_none()


def put_mapping(
    connection: Connection,
    district_id: str,
    school_id: str,
    code: str,
    reference: str | None,
    *,
    who: str,
    reason: str,
    now: datetime,
) -> None:
    """Puts a word in force; one on the same code of the same school has to have ended."""
    connection.execute(
        insert(code_mappings).values(
            district_id=district_id,
            school_id=school_id,
            code=code,
            external_reference_code=reference,
            mapped_at=now,
            mapped_by=who,
            reason=reason,
        )
    )


def end_mapping(connection: Connection, mapping: RowMapping, *, who: str, reason: str, now: datetime) -> None:
    """Takes a word out of force; that it was, and why it ended, stays."""
    connection.execute(
        update(code_mappings)
        .where(code_mappings.c.mapping_id == mapping["mapping_id"])
        .values(ended_at=now, ended_by=who, end_reason=reason)
    )


def mappings_said(connection: Connection, *, ended: bool) -> list[RowMapping]:
    """Every word in force, by code; with `ended` also those that were, the oldest first."""
    c = code_mappings.c
    statement = select(code_mappings).where(*([] if ended else [_IN_FORCE]))
    return list(
        connection.execute(
            statement.order_by(c.district_id, c.code, c.school_id, c.mapped_at, c.mapping_id)
        ).mappings()
    )
