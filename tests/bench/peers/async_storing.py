"""Events → PostgreSQL through psycopg's own asynchronous connection and `executemany`, as its manual shows it."""

# SQLAlchemy leaves its dialects untyped
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import psycopg
from psycopg.rows import dict_row
from sqlalchemy import Select
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import make_url

from tests.bench.peers.reading import Event
from tests.bench.peers.rows import Matcher, in_force, known_schools, rows_of

ADD_VERSION = """
INSERT INTO tardy_versions (district_id, tardy_id, version, type, document, content_hash, message_id, source,
  traceparent, received_at)
VALUES (%(district_id)s, %(tardy_id)s, %(version)s, %(type)s, %(document)s, %(content_hash)s, %(message_id)s,
  %(source)s, %(traceparent)s, %(received_at)s)
ON CONFLICT DO NOTHING"""
MOVE_HEAD = """
INSERT INTO tardies AS known (district_id, tardy_id, version, voided, school_id, behavior_code, occurred_at,
  student_id, changes, first_received_at)
VALUES (%(district_id)s, %(tardy_id)s, %(version)s, %(voided)s, %(school_id)s, %(behavior_code)s, %(occurred_at)s,
  %(student_id)s, %(changes)s, %(first_received_at)s)
ON CONFLICT (district_id, tardy_id) DO UPDATE SET version = excluded.version, voided = excluded.voided,
  school_id = excluded.school_id, behavior_code = excluded.behavior_code, occurred_at = excluded.occurred_at,
  student_id = excluded.student_id, changes = known.changes + 1
WHERE excluded.version > known.version"""
ADD_ENTRY = """
INSERT INTO entries (export_id, district_id, tardy_id, version, ordinal, state, sort_at, judged, buffered_at)
VALUES (%(export_id)s, %(district_id)s, %(tardy_id)s, %(version)s, %(ordinal)s, %(state)s, %(sort_at)s, %(judged)s,
  %(buffered_at)s)
ON CONFLICT DO NOTHING"""
SUPERSEDE = """
UPDATE entries SET state = 'superseded', judged = true
WHERE district_id = %(of_district)s AND tardy_id = %(of_tardy)s AND version < %(by_version)s
  AND state IN ('buffered', 'held')"""


class AsyncStore:
    """Puts batches into the database."""

    def __init__(self, connection: psycopg.AsyncConnection[Any], matcher: Matcher) -> None:
        self._connection = connection
        self._matcher = matcher

    @classmethod
    async def open(cls, database_url: str) -> AsyncStore:
        """Connects, and reads the definitions."""
        url = make_url(database_url).set(drivername="postgresql").render_as_string(hide_password=False)
        connection = await psycopg.AsyncConnection.connect(url)
        found = [await _rows(connection, statement) for statement in (in_force(), known_schools())]
        await connection.commit()
        definitions = [tuple(vars(row).values()) for row in found[0]]
        return cls(connection, Matcher(definitions, found[1]))

    async def put(self, events: Sequence[Event]) -> None:
        """Stores them in one transaction: versions, heads, entries."""
        rows = rows_of(events, self._matcher)
        async with self._connection.transaction(), self._connection.cursor() as cursor:
            await cursor.executemany(ADD_VERSION, rows.versions)
            await cursor.executemany(MOVE_HEAD, rows.heads)
            if rows.entries:
                await cursor.executemany(ADD_ENTRY, rows.entries)
            if rows.corrections:
                await cursor.executemany(SUPERSEDE, rows.corrections)

    async def close(self) -> None:
        await self._connection.close()


async def _rows(connection: psycopg.AsyncConnection[Any], statement: Select[Any]) -> list[Any]:
    """What SQLAlchemy's statement finds, as rows with attributes."""
    compiled = statement.compile(dialect=postgresql.dialect(), compile_kwargs={"literal_binds": True})
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(str(compiled).encode())
        return [SimpleNamespace(**row) for row in await cursor.fetchall()]
