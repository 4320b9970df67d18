"""Kinds of destinations that other packages add, by an entry point of the group `tardy_writeback.destinations`:

    [project.entry-points."tardy_writeback.destinations"]
    acme_sis = "acme_sis.destination:KIND"

The name is the definition's `destination.type`, the object a `FileKind` or a `RecordKind`.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, MutableMapping, Sequence
from importlib.metadata import EntryPoint, entry_points

import structlog
from marshmallow import Schema

from worker.destinations.file_port import FileKind
from worker.destinations.kinds import DESTINATIONS, Kind
from worker.destinations.record_port import RecordKind

GROUP = "tardy_writeback.destinations"

log = structlog.get_logger("destination")

_is_name = re.compile("[a-z][a-z0-9_]{0,62}").fullmatch


@functools.cache
def load_plug_ins() -> Sequence[str]:
    """Adds what is installed beside the program to the kinds there are, once a process; a line for each that cannot
    be used, which is logged as well."""
    lines = merge(DESTINATIONS, entry_points(group=GROUP))
    for line in lines:
        log.error("a destination plug-in cannot be used; on without it", reason=line)
    return lines


def merge(kinds: MutableMapping[str, Kind], found: Iterable[EntryPoint]) -> list[str]:
    """Adds each plug-in's kind; a line for each that cannot be used. None takes a name that is taken."""
    lines = []
    for point in sorted(found, key=lambda point: (point.name, point.value)):
        try:
            kinds[_free(point.name, kinds)] = _kind(point.load())
        except (Exception, SystemExit) as error:  # noqa: BLE001 - somebody else's code: the program goes on without it
            lines.append(_line(point, error))
    return lines


def _free(name: str, kinds: MutableMapping[str, Kind]) -> str:
    if not _is_name(name):
        raise ValueError("its name is not made of small letters, digits and _")
    if name in kinds:
        raise ValueError("there is a destination type of that name already")
    return name


def _kind(loaded: object) -> Kind:
    if not isinstance(loaded, FileKind | RecordKind):
        raise TypeError("it is neither a FileKind nor a RecordKind")
    if not (isinstance(loaded.schema, type) and issubclass(loaded.schema, Schema)):
        raise TypeError("its schema is no marshmallow Schema")
    if "type" not in loaded.schema().fields:
        raise TypeError("its schema lacks the field type")
    return loaded


def _line(point: EntryPoint, error: BaseException) -> str:
    package = f" of {point.dist.name} {point.dist.version}" if point.dist is not None else ""
    said = " ".join(str(error).split())[:200]
    return (
        f"destination plug-in {point.name!r}{package} cannot be used: {type(error).__name__}: {said}; update or remove"
        " that package"
    )
