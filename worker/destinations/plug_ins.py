"""Kinds of destinations that other packages add, by an entry point of the group `tardy_writeback.destinations`:

    [project.entry-points."tardy_writeback.destinations"]
    acme_sis = "acme_sis.destination:KIND"

The name is the definition's `destination.type`, the object a `FileKind` or a `RecordKind`.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, MutableMapping
from dataclasses import dataclass
from hashlib import blake2b
from importlib.metadata import EntryPoint, entry_points

import structlog
from marshmallow import Schema

from worker.destinations.chosen_kind import ChosenKind
from worker.destinations.facts import Facts
from worker.destinations.file_port import FileKind
from worker.destinations.guests.guest_kinds import guest
from worker.destinations.kinds import DESTINATIONS, Kind, add
from worker.destinations.record_port import RecordKind

GROUP = "tardy_writeback.destinations"

log = structlog.get_logger("destination")

_is_name = re.compile("[a-z][a-z0-9_]{0,62}").fullmatch


@dataclass(frozen=True, slots=True)
class PlugIns:
    """Those in use (`name=package version`), and a line for each that cannot be used."""

    used: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()

    def build(self, version: str) -> str:
        """The program of that version together with them, in a word: where others are installed, or another version
        of one, it is another build, which may know what this one does not."""
        if not self.used:
            return version
        return f"{version[:23]}+{blake2b(' '.join(self.used).encode(), digest_size=4).hexdigest()}"


@functools.cache
def load_plug_ins() -> PlugIns:
    """Adds what is installed beside the program to the kinds there are, once a process; what cannot be used is
    logged."""
    found = merge(DESTINATIONS, entry_points(group=GROUP))
    for line in found.lines:
        log.error("a destination plug-in cannot be used; on without it", reason=line)
    return found


def merge(kinds: MutableMapping[str, Kind], found: Iterable[EntryPoint]) -> PlugIns:
    """Adds each plug-in's kind. None takes a name that is taken."""
    used, lines = [], []
    for point in sorted(found, key=lambda point: (point.name, point.value)):
        try:
            add(_free(point.name, kinds), guest(_kind(point.load()), _named(point)), kinds)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - somebody else's code: the program goes on without it
            lines.append(_line(point, error))
        else:
            used.append(f"{point.name}={_package(point)}")
    return PlugIns(tuple(used), tuple(lines))


def _free(name: str, kinds: MutableMapping[str, Kind]) -> str:
    if not _is_name(name):
        raise ValueError("its name is not made of small letters, digits and _")
    if name in kinds:
        raise ValueError("there is a destination type of that name already")
    return name


def _kind(loaded: object) -> Kind:
    if not isinstance(loaded, FileKind | RecordKind | ChosenKind):
        raise TypeError("it is neither a FileKind nor a RecordKind")
    if not (isinstance(loaded.schema, type) and issubclass(loaded.schema, Schema)):
        raise TypeError("its schema is no marshmallow Schema")
    if "type" not in loaded.schema().fields:
        raise TypeError("its schema lacks the field type")
    if not isinstance(loaded.facts, Facts | None):
        raise TypeError("its facts are no Facts")
    return loaded


def _line(point: EntryPoint, error: BaseException) -> str:
    return f"{_named(point)} cannot be used: {type(error).__name__}: {_said(error)}; update or remove that package"


def _named(point: EntryPoint) -> str:
    return f"destination plug-in {point.name!r} of {_package(point)}"


def _package(point: EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist is not None else "a package without a name"


def _said(error: BaseException) -> str:
    try:
        return " ".join(str(error).split())[:200]
    except Exception:  # noqa: BLE001 - its text is somebody else's code as well
        return "(it does not say why)"
