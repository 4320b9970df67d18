"""The mark of the installation in a folder: by it a worker knows that it sees the folder the others write to.

Two machines may have a folder of the same path each (a relative one, or a mount that is missing on one of them).
The first that writes leaves the mark; what it says is remembered in the database, for every worker.

It lies there as a file and, where the file system has them, as an attribute of the folder itself: a collector that
empties the folder, dot files too, takes the file away and not the attribute, and the file is left anew.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from uuid import uuid4

from worker.destinations.file_port import Marks
from worker.destinations.files.folder import Folder
from worker.errors import DestinationError, ElsewhereError, TransientError

MARK = ".writeback-installation"
HOW_TO_ADOPT = "`writeback exports adopt ID` on the machine that sees the right folder"
ANOTHER = "this is not the folder that was written to before"
BRING_BACK = (
    "bring that one back (is it mounted? is this another machine?),"
    f" or if this is to be it from now on, {HOW_TO_ADOPT}"
)

_ATTRIBUTE = "user.writeback-installation"
_MODE = 0o640
_LONGEST = 400
_line = re.compile(r"installation ([0-9a-f]{1,64})\nfolder ([0-9a-f]{1,64})\n").match
_TEXT = """\
installation {installation}
folder {token}
Tardy write-back knows this folder by this file. It is no data; leave it where it is.
"""


@dataclass(frozen=True, slots=True)
class Mark:
    """What stands in a folder's mark: whose the folder is, and which folder it is."""

    installation: str
    token: str

    @property
    def text(self) -> bytes:
        return _TEXT.format(installation=self.installation, token=self.token).encode()


def read_mark(folder: Folder) -> Mark | None:
    """The folder's mark, left anew where only its file is gone; None: it bears none. Raises OSError,
    DestinationError where it says something else."""
    try:
        text = folder.read(MARK, _LONGEST)
    except FileNotFoundError:
        if (mark := _parsed(folder.attribute(_ATTRIBUTE))) is not None:
            _leave(folder, mark)
        return mark
    if (mark := _parsed(text)) is None:
        raise DestinationError(f"the folder's mark, {MARK}, is damaged; see to it, then {HOW_TO_ADOPT}")
    return mark


def _parsed(text: bytes) -> Mark | None:
    found = _line(text.decode("ascii", "replace"))
    return None if found is None else Mark(found[1], found[2])


def mark_first(folder: Folder, place: str, marks: Marks) -> str:
    """Marks a folder that this installation has not written to yet, and returns what the mark says of it.

    Several workers may do it at once: in one folder the first mark stays, and of several folders of one path the
    first that is remembered is the place. Raises OSError, DestinationError, UnavailableError.
    """
    made = None
    if (mark := read_mark(folder)) is None:
        made = Mark(marks.installation(), uuid4().hex)
        mark = made if _leave(folder, made) else read_mark(folder)
    if mark is None:
        raise TransientError("another worker is marking the folder")
    _require_ours(mark, marks)
    remembered = marks.remember(place, mark.token)
    if remembered != mark.token:
        if made == mark:
            folder.remove(MARK)
            folder.set_attribute(_ATTRIBUTE, b"")
        raise ElsewhereError(f"{ANOTHER}; {BRING_BACK}")
    return remembered


def require_mark(folder: Folder, token: str, marks: Marks) -> None:
    """Raises ElsewhereError unless the folder is the one that was marked, DestinationError where another installation
    has it."""
    mark = read_mark(folder)
    if mark is None:
        raise ElsewhereError(f"{ANOTHER}: it has no mark; {BRING_BACK}")
    _require_ours(mark, marks)
    if mark.token != token:
        raise ElsewhereError(f"{ANOTHER}: its mark is another's; {BRING_BACK}")


def refuse_foreign(folder: Folder, marks: Marks) -> None:
    """Raises DestinationError where the folder bears another installation's mark; it need not bear any."""
    if (mark := read_mark(folder)) is not None:
        _require_ours(mark, marks)


def adopt(folder: Folder, marks: Marks) -> str:
    """Marks the folder anew, whatever mark it bears, and returns what the mark says. A person has decided."""
    mark = Mark(marks.installation(), uuid4().hex)
    temporary = _write(folder, mark)
    folder.rename(temporary, MARK)
    folder.set_attribute(_ATTRIBUTE, mark.text)
    folder.sync()
    return mark.token


def _require_ours(mark: Mark, marks: Marks) -> None:
    if mark.installation != marks.installation():
        raise DestinationError(
            f"another installation of this program writes there, by its mark {MARK}; name another folder,"
            f" or if that one is gone for good, {HOW_TO_ADOPT}"
        )


def _leave(folder: Folder, mark: Mark) -> bool:
    """Leaves a mark; False: another was faster."""
    temporary = _write(folder, mark)
    try:
        folder.link_new(temporary, MARK)
    except FileExistsError:
        folder.remove(temporary)
        return False
    folder.set_attribute(_ATTRIBUTE, mark.text)
    folder.sync()
    return True


def _write(folder: Folder, mark: Mark) -> str:
    name = f"{MARK}.{mark.token}.part"
    try:
        folder.write(name, [mark.text], _MODE)
    except OSError:
        with suppress(OSError):
            folder.remove(name)
        raise
    return name
