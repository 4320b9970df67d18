"""`code.map` and `code.unmap`: the administrator's own word on what the SIS calls a behavior code."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from schemas.messages.payload import DEFAULT_DISTRICT
from worker.actions.acting import Act
from worker.errors import RefusedError
from worker.store import trail
from worker.store.catalogue.catalogue import active_routes, next_generation
from worker.store.catalogue.mappings import end_mapping, mapping_in_force, put_mapping
from worker.store.database.engine import Database, own_catalogue
from worker.store.entries.rejudging import rejudge_codes, rejudge_held
from worker.store.queries.known_reference import districts
from worker.views.reference.spoken_codes import CodePlace, CodeSpoken


def place_meant(database: Database, code: str, school_id: str | None, district_id: str | None) -> CodePlace:
    """Which code is spoken of where no district need be named: the only one there is, else `default`.

    Raises RefusedError where there are several, UnavailableError.
    """
    if district_id is not None:
        return CodePlace(district_id, code, school_id)
    with database.read() as connection:
        known = districts(connection)
    if len(known) > 1:
        raise RefusedError(f"there are several districts ({', '.join(known)}); name one with --district")
    return CodePlace(known[0] if known else DEFAULT_DISTRICT, code, school_id)


@Act
def map_code(
    connection: Connection, place: CodePlace, reference: str | None, *, who: str, reason: str, now: datetime
) -> CodeSpoken:
    """Puts the administrator's word in force: what the SIS calls the code, or (None) that it is never sent.

    The code need not be known yet. Another word on the same code of the same school ends; both stay on record.
    """
    own_catalogue(connection)
    key = (place.district_id, place.stored_school, place.code)
    before = mapping_in_force(connection, *key)
    if before is not None and before["external_reference_code"] == reference:
        return _spoken(connection, place, reference, mapped=True)
    if before is not None:
        end_mapping(connection, before, who=who, reason=reason, now=now)
    put_mapping(connection, *key, reference, who=who, reason=reason, now=now)
    meaning = "never sent" if reference is None else f"{reference} in the SIS"
    trail.note(connection, "code.map", who, now, reason=f"{place} is {meaning}: {reason}")
    return _spoken(connection, place, reference, mapped=True, judged_again=_judge_again(connection, place))


@Act
def unmap_code(
    connection: Connection, place: CodePlace, *, who: str, reason: str, now: datetime
) -> CodeSpoken:
    """Takes the administrator's word back. Raises RefusedError where there is none on this code of this school."""
    own_catalogue(connection)
    before = mapping_in_force(connection, place.district_id, place.stored_school, place.code)
    if before is None:
        raise RefusedError(f"{place} is not mapped; `writeback codes list` shows what is")
    end_mapping(connection, before, who=who, reason=reason, now=now)
    trail.note(connection, "code.unmap", who, now, reason=f"{place}: {reason}")
    return _spoken(connection, place, None, mapped=False, judged_again=_judge_again(connection, place))


def _judge_again(connection: Connection, place: CodePlace) -> int:
    """A save of the catalogue: workers see it by its generation, and whatever it may touch is judged again."""
    next_generation(connection)
    rejudge_held(connection, place.district_id)
    return rejudge_codes(connection, place.district_id, [(place.stored_school, place.code)])


def _spoken(
    connection: Connection,
    place: CodePlace,
    reference: str | None,
    *,
    mapped: bool,
    judged_again: int | None = None,
) -> CodeSpoken:
    concerned = (
        route.export_id
        for route in active_routes(connection, place.district_id)
        if (place.school_id is None or route.schools is None or place.school_id in route.schools)
        and (route.codes is None or place.code in route.codes)
    )
    changed = judged_again is not None
    return CodeSpoken(place, mapped, reference, changed, judged_again or 0, tuple(sorted(concerned)))
