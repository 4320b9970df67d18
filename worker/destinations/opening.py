"""How a stored destination is reached."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from worker.destinations.file_port import FileDestination, Installation, Secret
from worker.destinations.kinds import DESTINATIONS, Kind, takes_records, unknown_type
from worker.destinations.record_port import RecordKind
from worker.errors import DestinationError


@dataclass(frozen=True, slots=True)
class Opener:
    """Opens destinations as this installation sees them, with the secrets that it has."""

    installation: Installation
    secret: Secret
    kinds: Mapping[str, Kind] = field(default_factory=lambda: DESTINATIONS)

    def files(self, options: Mapping[str, Any]) -> FileDestination:
        """The destination of a definition. Raises DestinationError: a kind that is not known here, or no place that
        may be written to."""
        kind = self.kinds.get(options["type"])
        if kind is None:
            raise DestinationError(unknown_type(options["type"], self.kinds))
        if isinstance(kind, RecordKind):
            raise DestinationError(takes_records(options["type"]))
        return kind.open(options, self.installation, self.secret)
