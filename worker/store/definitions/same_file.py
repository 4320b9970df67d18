"""One file, one definition: what is refused, lest two overwrite one another's files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Connection, RowMapping

from schemas.definition.filename import FileNaming, names_may_meet
from worker.core.definition import Definition
from worker.errors import RefusedError
from worker.store.definitions import definitions

PlaceName = Callable[[Mapping[str, Any]], str]
"""Says the same of two `destination` objects that lead to one place."""


def refuse_same_file(connection: Connection, definition: Definition, place_name: PlaceName) -> None:
    """Two definitions that write the same file would each take the other's for its own uncollected one. Raises
    RefusedError, which names the other."""
    if definition.records is not None:
        return
    place = place_name(definition.destination)
    for other in definitions.every(connection):
        if other["export_id"] == definition.export_id or not _may_collide(definition, other):
            continue
        if place_name(other["document"]["destination"]) == place:
            raise RefusedError(
                f"export {definition.export_id}: export {other['export_id']} has the same destination and file name,"
                " or one that could come to be the same; choose another name or folder, or put {export} into the name"
            )


def _may_collide(definition: Definition, other: RowMapping) -> bool:
    """Whether the two could come to write a file of the same name. The other one may be of a newer program: what
    cannot be read of it is not judged."""
    try:
        document = other["document"]
        if document["destination"]["type"] != definition.destination["type"]:
            return False
        others = FileNaming(document["file"]["name"], other["export_id"], document["schedule"]["time_zone"])
    except (KeyError, TypeError):
        return False
    return names_may_meet(
        FileNaming(definition.file.name, definition.export_id, definition.schedule.time_zone), others
    )
