"""A person says that the folder this machine sees is the one an export is to write to from now on."""

from __future__ import annotations

from datetime import datetime

from worker.destinations.file_port import Installation
from worker.destinations.files.directory import Directory
from worker.errors import RefusedError
from worker.store.database.engine import Database
from worker.store.definitions import definitions
from worker.store.runs.marked_places import replace_mark


def adopt_folder(
    database: Database, installation: Installation, export_id: str, *, who: str, reason: str, now: datetime
) -> str:
    """Marks the export's folder anew and remembers that mark for every worker; returns the folder's path.

    Raises RefusedError where there is no such export or it writes to no folder, DeliveryError where the folder
    cannot be marked, UnavailableError. Cut off between the two, it is to be done again.
    """
    with database.read() as connection:
        options = definitions.active(connection, export_id)["document"]["destination"]
    if options["type"] != "directory":
        raise RefusedError(f"export {export_id} writes to no folder but to {options['type']}")
    folder = Directory(options, installation)
    token = folder.adopt()
    for attempt in database.retrying():
        with attempt, database.write() as connection:
            replace_mark(connection, folder.key, token, export_id=export_id, who=who, reason=reason, now=now)
    return str(installation.places.locate(options["path"]).folder)
