"""Parked messages: handled again because the program is another than the one they met, or acted on by a person."""

from __future__ import annotations

from worker.actions.acting import Act
from worker.broker.parking import DELIVERY_LIMIT_CODE
from worker.broker.ports import Broker
from worker.store import trail
from worker.store.catalogue import catalogue
from worker.store.database.engine import Database

note_parked = Act(trail.note)
"""Keeps in the history what a person did with them: on the broker alone nothing tells who and why."""


def replay_for_new_version(database: Database, broker: Broker, version: str) -> int:
    """Replays what the broker parked by itself, where this version has not done so before; returns how many.

    What was handed out too often may have met a defect of the version before. The version is noted only once the
    messages are back in their queue: dying between the two, or two workers that start together, replay them
    twice at the most. Raises UnavailableError, ConfigurationError, RefusedError.
    """
    with database.read() as connection:
        if not catalogue.is_new_version(connection, version):
            return 0
    moved = broker.operator().replay(None, codes=[DELIVERY_LIMIT_CODE])
    with database.write() as connection:
        catalogue.note_version(connection, version)
    return moved
