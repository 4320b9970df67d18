"""Places that files go to: which folders bear this installation's mark, and which files an export put there."""

from __future__ import annotations

import hashlib
from datetime import datetime
from functools import cached_property

from sqlalchemy import Connection, delete, or_, select

from worker.clock import Clock
from worker.store import trail
from worker.store.database.engine import Database
from worker.store.database.instants import database_time
from worker.store.database.statements import insert_into
from worker.store.database.tables import (
    attempts,
    catalogue,
    marked_places,
    runs,
)
from worker.store.runs.claims import Claim, fenced


class StoredMarks:
    """What the database remembers of marked folders. Each method raises UnavailableError."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def installation(self) -> str:
        """The installation's random id."""
        return self._installation

    @cached_property
    def _installation(self) -> str:
        with self._database.read() as connection:
            return str(connection.execute(select(catalogue.c.installation)).scalar_one())

    def token(self, place: str) -> str | None:
        """What the place's mark says; None: nothing has been written there yet."""
        with self._database.read() as connection:
            return _token(connection, place)

    def remember(self, place: str, token: str) -> str:
        """Remembers the mark unless another has been; returns the one that is remembered."""
        for attempt in self._database.retrying():
            with attempt, self._database.write() as connection:
                row = _row(place, token, self._clock())
                connection.execute(
                    insert_into(connection, marked_places).values(row).on_conflict_do_nothing()
                )
                remembered = _token(connection, place)
        assert remembered is not None
        return remembered


def replace_mark(
    connection: Connection, place: str, token: str, *, export_id: str, who: str, reason: str, now: datetime
) -> None:
    """A person says that this folder is the place from now on."""
    row = _row(place, token, now)
    statement = insert_into(connection, marked_places).values(row)
    connection.execute(statement.on_conflict_do_update(index_elements=["place_hash"], set_=row))
    trail.note(connection, "adopt", who, now, export_id=export_id, reason=reason)


def give_back(connection: Connection, claim: Claim, error: str) -> None:
    """Leaves a claimed run to another worker as it was, but for why. Nothing may have been written for the attempt:
    it does not count. Raises StaleLeaseError."""
    fenced(
        connection,
        claim,
        state="waiting",
        attempts=claim.attempt - 1,
        next_attempt_at=database_time(connection),
        lease_token=None,
        lease_until=None,
        error=error,
    )
    this = (attempts.c.run_id == claim.run_id, attempts.c.number == claim.attempt)
    connection.execute(delete(attempts).where(*this))


def has_sent(connection: Connection, export_id: str, file_name: str, sha256: str) -> bool:
    """Whether a run of the export may have put exactly this file there."""
    may_have_left = or_(runs.c.departed_attempt.is_not(None), runs.c.state == "delivered")
    statement = (
        select(runs.c.run_id)
        .where(runs.c.export_id == export_id, runs.c.file_name == file_name, runs.c.sha256 == sha256)
        .where(may_have_left)
        .order_by(runs.c.started_at.desc())  # mostly the last one
        .limit(1)
    )
    return connection.execute(statement).first() is not None


def _row(place: str, token: str, now: datetime) -> dict[str, object]:
    return {"place_hash": _hash(place), "place": place, "token": token, "marked_at": now}


def _token(connection: Connection, place: str) -> str | None:
    statement = select(marked_places.c.token).where(marked_places.c.place_hash == _hash(place))
    return connection.execute(statement).scalar_one_or_none()


def _hash(place: str) -> str:
    """A path may be longer than an index of the database takes."""
    return hashlib.sha256(place.encode()).hexdigest()
