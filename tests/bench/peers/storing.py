"""Events → PostgreSQL through SQLAlchemy, a list of rows for each statement (executemany), as its manual shows it."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import bindparam, create_engine, or_, update
from sqlalchemy.dialects.postgresql import insert

from tests.bench.peers.reading import Event
from tests.bench.peers.rows import Matcher, in_force, known_schools, rows_of
from tests.bench.peers.tables import UNSEALED, entries, tardies, tardy_versions

ADD_VERSION = insert(tardy_versions).on_conflict_do_nothing()
_head = insert(tardies)
_moved = ("version", "voided", "school_id", "behavior_code", "occurred_at", "student_id")
MOVE_HEAD = _head.on_conflict_do_update(
    index_elements=["district_id", "tardy_id"],
    set_={**{name: _head.excluded[name] for name in _moved}, "changes": tardies.c.changes + 1},
    where=_head.excluded.version > tardies.c.version,
)
ADD_ENTRY = insert(entries).on_conflict_do_nothing()
SUPERSEDE = (
    update(entries)
    .where(
        entries.c.district_id == bindparam("of_district"),
        entries.c.tardy_id == bindparam("of_tardy"),
        entries.c.version < bindparam("by_version"),
        or_(*(entries.c.state == state for state in UNSEALED)),
    )
    .values(state="superseded", judged=True)
)


class Store:
    """Puts batches into the database."""

    def __init__(self, url: str) -> None:
        self._engine = create_engine(url)
        with self._engine.connect() as connection:
            self._matcher = Matcher(connection.execute(in_force()), connection.execute(known_schools()))

    def put(self, events: Sequence[Event]) -> None:
        """Stores them in one transaction: versions, heads, entries."""
        rows = rows_of(events, self._matcher)
        with self._engine.begin() as connection:
            connection.execute(ADD_VERSION, rows.versions)
            connection.execute(MOVE_HEAD, rows.heads)
            if rows.entries:
                connection.execute(ADD_ENTRY, rows.entries)
            if rows.corrections:
                connection.execute(SUPERSEDE, rows.corrections)
