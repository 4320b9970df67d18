"""What stands in the tables after a race, by content: the one place that knows both the program's tables and the
peers'. A row is spelt alike on both sides: keys as text, moments as moments, documents as what they say."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

import psycopg

Connection = psycopg.Connection[tuple[object, ...]]

# How a document is spelt, and when somebody was at it, is everybody's own.
_PEERS = MappingProxyType(
    {
        "versions": """
            SELECT district_id, tardy_id, version, type, document::jsonb, message_id, source FROM tardy_versions""",
        "tardies": """
            SELECT district_id, tardy_id, version, voided, school_id, behavior_code, occurred_at, student_id, changes
            FROM tardies""",
        "entries": """
            SELECT export_id, district_id, tardy_id, version, ordinal, state, sort_at, judged FROM entries""",
    }
)
_OURS = _PEERS | {"entries": _PEERS["entries"].replace("FROM entries", "FROM named_entries")}
_COUNT_AND_DIGEST = """
SELECT count(*), md5(string_agg(row::text, '' ORDER BY row::text COLLATE "C")) FROM ({query}) AS row
"""

IS_THERE = "SELECT EXISTS (SELECT FROM tardies WHERE tardy_id = %s)"
ANY_THERE = "SELECT EXISTS (SELECT FROM tardies)"
VERSIONS = "SELECT count(*) FROM tardy_versions"


@dataclass(frozen=True, slots=True)
class Stored:
    """Rows of each kind (versions, tardies, entries), and a digest over what they say."""

    counts: tuple[int, ...]
    digests: tuple[str, ...]


def stored_in(connection: Connection, *, peers: bool) -> Stored:
    """What stands in the tables of the peers, or in the program's own."""
    found = [_digest(connection, query) for query in (_PEERS if peers else _OURS).values()]
    return Stored(tuple(count for count, _ in found), tuple(digest for _, digest in found))


def asked(connection: Connection, query: str, *values: str) -> int:
    """The one number (or truth) that the query gives."""
    row = connection.execute(query.encode(), values).fetchone()
    assert row is not None and isinstance(row[0], int)
    return row[0]


def _digest(connection: Connection, query: str) -> tuple[int, str]:
    row = connection.execute(_COUNT_AND_DIGEST.format(query=query).encode()).fetchone()
    assert row is not None and isinstance(row[0], int)
    return row[0], str(row[1])
