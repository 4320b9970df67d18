"""Parked messages that are handled again because the program is another than the one they met."""

from __future__ import annotations

from worker.broker.parking import DELIVERY_LIMIT_CODE
from worker.broker.ports import Broker
from worker.store.catalogue import catalogue
from worker.store.database.engine import Database


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
