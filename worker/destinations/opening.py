"""How a stored destination is reached."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, cast

from worker.destinations.file_port import FileDestination, FileKind, Installation, Secret
from worker.destinations.kinds import DESTINATIONS, Kind, chosen, unknown_type
from worker.destinations.masking import Masked, Overheard, guarded
from worker.destinations.record_port import RecordDestination, RecordKind
from worker.destinations.trial import Trial
from worker.errors import DestinationError

_WHERE = ("base_url", "url", "domain", "school", "resource", "mode", "host", "port", "path")


def which_sis(options: Mapping[str, Any]) -> str:
    """The same for two destinations that lead to one SIS, whatever their secrets and limits: what it has said of a
    record counts there alone. 64 characters."""
    where = [f"{name}={options[name]!r}" for name in ("type", *_WHERE) if name in options]
    return hashlib.sha256("\n".join(where).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Opener:
    """Opens destinations as this installation sees them, with the secrets that it has, which none of them repeats.

    Each method raises DestinationError for a kind that is not known here, or no place that may be written to.
    """

    installation: Installation
    secret: Secret
    kinds: Mapping[str, Kind] = field(default_factory=lambda: DESTINATIONS)

    def files(self, options: Mapping[str, Any]) -> FileDestination:
        """The destination of a definition that has a file."""
        kind = self._chosen(options)
        if isinstance(kind, RecordKind):
            raise DestinationError(f"destination type {options['type']!r} takes records, no files")
        return cast(FileDestination, self._opened(kind, options))

    def records(self, options: Mapping[str, Any]) -> RecordDestination:
        """The destination of a definition that has none."""
        kind = self._chosen(options)
        if isinstance(kind, FileKind):
            raise DestinationError(f"destination type {options['type']!r} takes files, no records")
        return cast(RecordDestination, self._opened(kind, options))

    def check(self, options: Mapping[str, Any], trial: Trial) -> str:
        """Tries it, and says what it takes. Raises DeliveryError where it takes nothing."""
        kind = self._chosen(options)
        trial.masked = (overheard := Overheard(self.secret)).masked
        if isinstance(kind, RecordKind):
            self._opened(kind, options, overheard).check(trial)
            return "records"
        with closing(self._opened(kind, options, overheard)) as destination:
            destination.check(trial)
        return "a file"

    def _opened(
        self, kind: FileKind | RecordKind, options: Mapping[str, Any], overheard: Overheard | None = None
    ) -> Masked:
        overheard = overheard or Overheard(self.secret)
        return Masked(guarded(kind.open, overheard, options, self.installation, overheard), overheard)

    def _chosen(self, options: Mapping[str, Any]) -> FileKind | RecordKind:
        kind = self.kinds.get(options["type"])
        if kind is None:
            raise DestinationError(unknown_type(options["type"], self.kinds))
        return chosen(kind, options)
