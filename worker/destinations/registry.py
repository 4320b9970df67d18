"""The kinds of destination there are. To add one: one file, one line here."""

from __future__ import annotations

from worker.destinations import directory
from worker.destinations.ports import DestinationKind

DESTINATIONS: dict[str, DestinationKind] = {
    "directory": directory.KIND,
}
