"""Which of an export's file numbers was the last that a folder got: a receipt that outlives a database.

A database that was restored from a backup would give the numbers again that it had given since. The folder knows
better: the last number lies there, for each export whose files bear one.
"""

from __future__ import annotations

import re

from worker.destinations.file_port import GivenNumber
from worker.destinations.files.folder import Folder

PREFIX = ".writeback-last-"
_MODE = 0o640
_LONGEST = 100
_line = re.compile(r"number ([0-9]{1,18})\nrun ([0-9a-f]{1,32})\n").match


def last_given(folder: Folder, export_id: str) -> GivenNumber | None:
    """The last number of the export that the folder knows of; None: none that can be read. Raises OSError."""
    try:
        text = folder.read(f"{PREFIX}{export_id}", _LONGEST)
    except FileNotFoundError:
        return None
    found = _line(text.decode("ascii", "replace"))
    return None if found is None else GivenNumber(int(found[1]), found[2])


def note_given(folder: Folder, export_id: str, given: GivenNumber) -> None:
    """Notes that the export's file of this number is about to be there. Raises OSError."""
    name = f"{PREFIX}{export_id}"
    text = f"number {given.number}\nrun {given.run_id}\n"
    folder.write(f"{name}.part", [text.encode()], _MODE)
    folder.rename(f"{name}.part", name)
    folder.sync()
