"""What a valid definition makes one ask, with what this installation knows: told when it is saved."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, and_, select

from schemas.definition.advice import advice, strangers
from schemas.messages.payload import DEFAULT_DISTRICT
from worker.core.collection_times import LEAST_TIME, hurried
from worker.core.definition import parse_definition
from worker.store.database.engine import Database
from worker.store.database.tables import reference_versions, tardies
from worker.store.definitions import definitions
from worker.views.exports.at_the_sis import held_there
from worker.views.words import counted


def advice_on(connection: Connection, document: Mapping[str, Any]) -> list[str]:
    """A sentence for each thing in the definition that is most likely not meant, as `path: text`.

    While no school, or no code, of the district is known at all, none is asked about.
    """
    district = document.get("district_id", DEFAULT_DISTRICT)
    schools, codes = (_named(document[name]) for name in ("schools", "codes"))
    return [
        *advice_by_itself(document),
        *_hurried(document),
        *_unknown_schools(connection, district, schools),
        *_unknown_codes(connection, district, codes),
    ]


def advice_by_itself(document: Mapping[str, Any]) -> list[str]:
    """The same of what the definition says without anything else: told before it is saved, too."""
    return [*advice(document), *held_there(document)]


def _hurried(document: Mapping[str, Any]) -> Iterator[str]:
    """Of each time at which the SIS collects, whether a run is due too shortly before it."""
    if not document.get("collected_at"):
        return
    least = LEAST_TIME // timedelta(minutes=1)
    for collected, (due, minutes) in hurried(parse_definition(document)).items():
        left = f"{counted(minutes, 'minute')} before" if minutes else "just when"
        yield (
            f"collected_at: the run of {due} is due {left} the SIS collects at {collected}; have it run at least"
            f" {least} minutes before"
        )


def advice_in_force(database: Database, export_id: str) -> list[str]:
    """The same of an export's definition as it is saved now. Raises UnavailableError."""
    with database.read() as connection:
        row = definitions.find(connection, export_id)
        return [] if row is None else advice_on(connection, row["document"])


def _named(value: Sequence[str] | str) -> list[str]:
    return [] if isinstance(value, str) else sorted(set(value))


def _unknown_schools(connection: Connection, district: str, named: Sequence[str]) -> list[str]:
    c = reference_versions.c
    published = select(c.school_id).where(c.district_id == district, c.kind != "behavior_code").distinct()
    known = set(connection.execute(published).scalars()) if named else set[str]()
    unknown = [
        school for school in named if school not in known and not _tardy_at(connection, district, school)
    ]
    return list(strangers("schools", "school", unknown, known)) if known else []


def _tardy_at(connection: Connection, district: str, school: str) -> bool:
    c = tardies.c
    found = select(c.tardy_id).where(and_(c.district_id == district, c.school_id == school)).limit(1)
    return connection.execute(found).first() is not None


def _unknown_codes(connection: Connection, district: str, named: Sequence[str]) -> list[str]:
    if not named:
        return []
    c, t = reference_versions.c, tardies.c
    published = select(c.item_id).where(c.district_id == district, c.kind == "behavior_code").distinct()
    known = set(connection.execute(published).scalars())
    if set(named) - known:  # those that only tardies have named: the tardies are asked for these alone
        met = select(t.behavior_code).where(t.district_id == district, t.behavior_code.in_(named)).distinct()
        known |= set(connection.execute(met).scalars())
    unknown = [code for code in named if code not in known]
    return list(strangers("codes", "behavior code", unknown, known)) if known else []
