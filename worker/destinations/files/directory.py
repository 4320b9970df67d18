"""A folder that the SIS collects from, on this machine or mounted on it."""

from __future__ import annotations

import errno
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import PurePosixPath
from typing import Any
from uuid import uuid4

from marshmallow import Schema, ValidationError

from schemas.fields.scalars import Pattern, Text
from worker.destinations.facts import Facts
from worker.destinations.file_port import (
    Departed,
    FileKind,
    GivenNumber,
    Installation,
    Replaceable,
    Secret,
    Uploaded,
)
from worker.destinations.files import numbers
from worker.destinations.files.folder import Folder, nearest, opened
from worker.destinations.files.marks import (
    BRING_BACK,
    adopt,
    mark_first,
    refuse_foreign,
    require_mark,
)
from worker.destinations.places import Place, Places, written
from worker.destinations.trial import Trial
from worker.errors import DestinationError, ElsewhereError, TransientError, WritebackError

DEFAULT_MODE = "0640"

_PERSON_MUST_ACT = {
    errno.ENOENT: "there is no such folder",
    errno.ENOTDIR: "it is not a folder",
    errno.ELOOP: "a link has come into its path",
    errno.EACCES: "permission denied",
    errno.EPERM: "permission denied",
    errno.EROFS: "it is read-only",
    errno.ENOSPC: "no space is left",
    errno.EDQUOT: "the disk quota is used up",
    errno.ENAMETOOLONG: "the file name is too long for it",
    errno.EXDEV: "it lets no file be renamed within it",
}


class FolderPath(Text):
    """A folder's path: absolute, or relative to WRITEBACK_HOME and never above it or itself."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(1, 1024, single_line=True, **kwargs)

    def check(self, value: Any) -> str:
        text = super().check(value)
        if ".." in PurePosixPath(text).parts:
            raise ValidationError("'..' is not accepted; name the folder itself")
        if written(text) in (".", "/", "//"):
            raise ValidationError(
                "must name a folder, such as outbox (under WRITEBACK_HOME) or /srv/sis/inbox"
            )
        return text


class DirectorySchema(Schema):
    """Options of a `directory` destination."""

    type = Text(required=True)
    path = FolderPath(
        required=True,
        about="The folder: a relative one lies under WRITEBACK_HOME, an absolute one under"
        " WRITEBACK_DESTINATION_ROOTS.",
    )
    mode = Pattern(
        r"0?6[0246][0246]",
        'an octal mode in which the owner reads and writes, such as "0640" or "0660"',
        about=f"Who may read and write the file; default {DEFAULT_MODE}.",
    )


class Directory:
    """Files are written under a temporary name, made durable, then renamed."""

    def __init__(self, options: Mapping[str, Any], installation: Installation) -> None:
        self._path: str = options["path"]
        self._mode = int(options.get("mode", DEFAULT_MODE), 8)
        self._installation = installation
        self._token: str | None = None
        self._found: Place | None = None

    def require_free(
        self, name: str, *, replace: Replaceable | None, departed: Departed | None = None
    ) -> None:
        with self._entered("look into", first=True) as folder:
            self._require_free(folder, name, replace)

    def upload(self, temporary: str, chunks: Iterable[bytes], *, mark: str) -> Uploaded:
        with self._entered("write to", first=True) as folder:
            uploaded = folder.write(temporary, chunks, self._mode)
            there = folder.size(temporary)
            if there != uploaded.bytes:
                raise TransientError(
                    f"folder {self._path}: {uploaded.bytes} bytes were written, {there} are there"
                )
            folder.write(mark, [], self._mode)
            folder.sync()  # or a power cut could make "uploaded" look like "sent and collected"
            return uploaded

    def publish(self, temporary: str, name: str, *, replace: Replaceable | None, key: str) -> None:
        with self._entered("rename a file in") as folder:
            if self._require_free(folder, name, replace):
                folder.rename(temporary, name)
            else:
                self._rename_new(folder, temporary, name)
            folder.sync()

    def last_given(self, export_id: str) -> GivenNumber | None:
        with self._entered("look into", first=True) as folder:
            return numbers.last_given(folder, export_id)

    def note_given(self, export_id: str, given: GivenNumber) -> None:
        with self._entered("write to") as folder:
            numbers.note_given(folder, export_id, given)

    def fence(self, names: Iterable[str], fenced: str, *, mark: str, departed: Departed) -> bool:
        with self._entered("look into") as folder:
            if folder.kind(mark) is None:
                raise DestinationError(
                    f"folder {self._path}: this is not the folder an earlier attempt wrote to (is it mounted?);"
                    " bring that folder back, then retry the export"
                )
            for name in names:
                try:
                    folder.rename(name, fenced)
                except FileNotFoundError:
                    continue
                folder.sync()
                return True
            return False

    def discard(self, names: Iterable[str]) -> bool:
        removed = True
        try:
            with self._entered("look into") as folder:
                for name in names:
                    try:
                        folder.remove(name)
                    except OSError:
                        removed = False
        except WritebackError:
            return False
        return removed

    def check(self, trial: Trial) -> None:
        with ExitStack() as entered:
            with trial.step("folder"), self._explained("look into"):
                folder = entered.enter_context(self._tried(trial))
            self._try(folder, trial)

    def close(self) -> None:
        """Nothing is held open between two steps."""

    def adopt(self) -> str:
        """Marks the folder as the one to write to from now on, and returns what the mark says of it."""
        with self._explained("mark"), self._opened(make=True) as folder:
            return adopt(folder, self._installation.marks)

    @property
    def key(self) -> str:
        """What the folder's mark is remembered under: the same on every machine."""
        return f"directory:{written(self._path)}"

    # steps

    def _require_free(self, folder: Folder, name: str, replace: Replaceable | None) -> bool:
        """True: a file lies there that may be replaced. Raises as the port says."""
        kind = folder.kind(name)
        if kind is None:
            return False
        if kind != "file":
            raise DestinationError(
                f"folder {self._path}: {name} is there and is no file; put that right, then retry"
            )
        if replace is None:
            raise TransientError(
                f"folder {self._path}: {name} has not been collected yet; it is not overwritten (if_exists: wait)"
            )
        if not replace(folder.sha256(name)):
            raise DestinationError(
                f"folder {self._path}: {name} is there, and not as this export wrote it; only its own file is replaced."
                " Move it away, or give this export another file name, then retry"
            )
        return True

    def _rename_new(self, folder: Folder, temporary: str, name: str) -> None:
        try:
            folder.rename_new(temporary, name)
        except FileExistsError:
            raise TransientError(
                f"folder {self._path}: {name} has come in between; it is not overwritten"
            ) from None

    @contextmanager
    def _tried(self, trial: Trial) -> Iterator[Folder]:
        """The folder, or the one it would be made in, if it may be written to."""
        place, token = self._place(), self._known()
        may_be_missing = token is None and place.ours_to_make
        with (
            nearest(place, trial.lack) if may_be_missing else opened(place, trial.lack, make=False) as folder
        ):
            with self._named():
                if token is None:
                    refuse_foreign(folder, self._installation.marks)
                else:
                    require_mark(folder, token, self._installation.marks)
            yield folder

    def _try(self, folder: Folder, trial: Trial) -> None:
        """Does with a trial's files in a trial's folder what a delivery does."""
        with ExitStack() as entered:
            with trial.step("write"), self._explained("write to"):
                inner = entered.enter_context(folder.trial(f".writeback-check-{uuid4().hex}"))
                entered.callback(inner.remove, "a")
                entered.callback(inner.remove, "a.part")
                inner.write("a.part", [b"check"], self._mode)
                inner.sync()
            with trial.step("rename"), self._explained("rename a file in"):
                inner.rename_new("a.part", "a")
            with trial.step("remove"), self._explained("remove a file in"):
                entered.close()

    # the folder

    @contextmanager
    def _entered(self, doing: str, *, first: bool = False) -> Iterator[Folder]:
        """The folder, known by its mark. `first`: it may be written to for the first time, made and marked."""
        with self._explained(doing):
            token = self._known()
            with self._opened(make=first and token is None) as folder:
                with self._named():
                    if token is not None:
                        require_mark(folder, token, self._installation.marks)
                    elif first:
                        self._token = mark_first(folder, self.key, self._installation.marks)
                yield folder

    @contextmanager
    def _opened(self, *, make: bool) -> Iterator[Folder]:
        with ExitStack() as stack:
            try:
                folder = stack.enter_context(opened(self._place(), self._remark, make=make))
            except FileNotFoundError:
                if self._token is None:
                    raise
                raise ElsewhereError(
                    f"folder {self._path}: there is no such folder here any more; {BRING_BACK}"
                ) from None
            yield folder

    def _place(self) -> Place:
        """Found once an attempt: from there on no link is followed, so that it stays the folder that was judged."""
        if self._found is None:
            self._found = self._installation.places.locate(self._path)
        return self._found

    def _known(self) -> str | None:
        if self._token is None:
            self._token = self._installation.marks.token(self.key)
        return self._token

    def _remark(self, what: str) -> None:
        self._installation.remarks.say(self._path, what)

    # errors

    @contextmanager
    def _named(self) -> Iterator[None]:
        """What the mark says is wrong, with the folder's name."""
        try:
            yield
        except DestinationError as error:
            raise DestinationError(f"folder {self._path}: {error}") from None
        except ElsewhereError as error:
            raise ElsewhereError(f"folder {self._path}: {error}") from None
        except TransientError as error:
            raise TransientError(f"folder {self._path}: {error}") from None

    @contextmanager
    def _explained(self, doing: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise self._explain(error, doing) from error

    def _explain(self, error: OSError, doing: str) -> TransientError | DestinationError:
        code = error.errno or 0
        if code in _PERSON_MUST_ACT:
            return DestinationError(
                f"folder {self._path}: cannot {doing} it: {_PERSON_MUST_ACT[code]}; put that right, then retry"
            )
        name = errno.errorcode.get(code, "unknown error")
        return TransientError(f"folder {self._path}: cannot {doing} it just now ({name})")


def _open(options: Mapping[str, Any], installation: Installation, _secret: Secret) -> Directory:
    return Directory(options, installation)


def _place(options: Mapping[str, Any], places: Places) -> str:
    return places.identity(options["path"])


KIND = FileKind(
    DirectorySchema,
    _open,
    _place,
    Facts("A folder that the SIS collects from, on this machine or mounted on it"),
)
