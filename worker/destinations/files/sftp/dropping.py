"""A file put at an SFTP server: under a temporary name and renamed, or, where that cannot be had, straight under its
own name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from uuid import uuid4

from worker.destinations.file_port import Departed, GivenNumber, Replaceable, Uploaded
from worker.destinations.files.sftp.checked_sftp import FSYNC, POSIX_RENAME
from worker.destinations.files.sftp.sftp_folder import RemoteFile, SftpFolder
from worker.destinations.files.sftp.ssh_line import Limits, SftpLogin, SshLine
from worker.destinations.files.spooled import Spool
from worker.destinations.trial import Trial
from worker.errors import DestinationError, TransientError, WritebackError

NO_FSYNC = (
    "it cannot be told to have a file on its disk: a power cut there right after a delivery may undo it, and the file"
    " is to be sent again (`writeback runs resend`)"
)
NO_POSIX_RENAME = (
    "it cannot replace a file in one step: with `if_exists: replace` there is none for a moment, and a line that is"
    " cut just then leaves none until the next attempt"
)
NO_RENAME = (
    "nothing is renamed there (`rename: false`): half a file may be collected, and one that is collected before we"
    " know that it arrived is sent twice; nothing was written to try it"
)

Remark = Callable[[str], None]


class _Sftp:
    """What both ways have in common: the line, held open from one step to the next."""

    def __init__(self, account: SftpLogin, path: str, remark: Remark, limits: Limits) -> None:
        self._account, self._path, self._remark, self._limits = account, path, remark, limits
        self._line: SshLine | None = None

    def last_given(self, export_id: str) -> GivenNumber | None:
        """The folder is somebody else's: no numbers are kept there."""
        return None

    def note_given(self, export_id: str, given: GivenNumber) -> None:
        """As above."""

    def close(self) -> None:
        self._hang_up()

    def _hang_up(self) -> None:
        if self._line is not None:
            self._line.close()
            self._line = None

    @contextmanager
    def _folder(self) -> Iterator[SftpFolder]:
        """The folder; a line on which something went wrong is not used again."""
        try:
            if self._line is None or not self._line.is_up:
                self._hang_up()
                self._line = SshLine(self._account, self._limits, Trial())
                self._say(self._line, self._remark)
            yield SftpFolder(self._line, self._path)
        except TransientError:
            self._hang_up()
            raise

    @contextmanager
    def _tried(self, trial: Trial) -> Iterator[SftpFolder]:
        line = SshLine(self._account, self._limits, trial)
        try:
            folder = SftpFolder(line, self._path)
            with trial.step("folder"):
                folder.require_there()
            self._say(line, trial.lack)
            yield folder
        finally:
            line.close()

    def _say(self, line: SshLine, remark: Remark) -> None:
        if FSYNC not in line.sftp.extensions:
            remark(NO_FSYNC)

    def _may_replace(self, folder: SftpFolder, name: str, replace: Replaceable | None) -> bool:
        """True: a file lies there that may be replaced. Raises as the port's `require_free` says."""
        found = folder.look(name)
        if found is None:
            return False
        if not found.is_file:
            raise DestinationError(
                f"{self._name}: {name} is there and is no file; put that right, then retry"
            )
        if replace is None:
            raise TransientError(
                f"{self._name}: {name} has not been collected yet; it is not overwritten (if_exists: wait)"
            )
        if not replace(folder.sha256(name)):
            raise DestinationError(
                f"{self._name}: {name} is there, and not as this export wrote it; only its own file is replaced. Have"
                " it moved away, or give this export another file name, then retry"
            )
        return True

    def _require_size(self, found: RemoteFile | None, uploaded: Uploaded) -> None:
        there = None if found is None else found.size
        if there != uploaded.bytes:
            raise TransientError(f"{self._name}: {uploaded.bytes} bytes were written, {there or 0} are there")

    @property
    def _name(self) -> str:
        return f"{self._account.name}: folder {self._path}"

    def _holds(self, folder: SftpFolder, departed: Departed) -> bool:
        """Whether the departed file lies there under its name; where it may not be read, its size decides."""
        found = folder.look(departed.name)
        if found is None or not found.is_file or found.size != departed.bytes:
            return False
        try:
            return folder.sha256(departed.name) == departed.sha256
        except DestinationError:
            return True


class RenamingSftp(_Sftp):
    """Files are written under a temporary name, checked, then renamed; a mark lies beside them meanwhile."""

    def require_free(
        self, name: str, *, replace: Replaceable | None, departed: Departed | None = None
    ) -> None:
        with self._folder() as folder:
            self._may_replace(folder, name, replace)

    def upload(self, temporary: str, chunks: Iterable[bytes], *, mark: str) -> Uploaded:
        with self._folder() as folder:
            uploaded = folder.write(temporary, chunks)
            self._require_size(folder.look(temporary), uploaded)
            folder.write(mark, [])
            return uploaded

    def publish(self, temporary: str, name: str, *, replace: Replaceable | None, key: str) -> None:
        with self._folder() as folder:
            if self._may_replace(folder, name, replace):
                folder.rename_over(temporary, name)
            else:
                folder.rename_new(temporary, name)

    def fence(self, names: Iterable[str], fenced: str, *, mark: str, departed: Departed) -> bool:
        with self._folder() as folder:
            if folder.look(mark) is None:
                raise DestinationError(
                    f"{self._name}: this is not the folder an earlier attempt wrote to; have that one brought back,"
                    " then retry the export"
                )
            if any(folder.move(name, fenced) for name in names):
                # A plain rename may be two steps at the server, a link and a removal: one that died between them, or
                # slept, has left the temporary name as well, though the file has gone.
                return not self._holds(folder, departed)
            return False

    def discard(self, names: Iterable[str]) -> bool:
        removed = True
        try:
            with self._folder() as folder:
                folder.require_there()
                for name in names:
                    removed &= _removed(folder, name)
        except WritebackError:
            return False
        return removed

    def check(self, trial: Trial) -> None:
        name = f".writeback-check-{uuid4().hex}"
        with self._tried(trial) as folder:
            try:
                with trial.step("write"):
                    uploaded = folder.write(f"{name}.part", [b"check"])
                    self._require_size(folder.look(f"{name}.part"), uploaded)
                with trial.step("rename"):
                    folder.rename_new(f"{name}.part", name)
                with trial.step("remove"):
                    folder.remove(name)
            finally:
                for each in (f"{name}.part", name):
                    _removed(folder, each)

    def _say(self, line: SshLine, remark: Remark) -> None:
        super()._say(line, remark)
        if POSIX_RENAME not in line.sftp.extensions:
            remark(NO_POSIX_RENAME)


class ResendingSftp(_Sftp):
    """For a server that cannot rename, or collects every new name at once: the file is kept on this side and written
    straight under its own name. Nothing else ever lies there.

    Its promise is weaker: half a file may be seen. After a crash the file is looked for; where it is not there, it
    was not sent or has been collected, and is sent again.
    """

    def __init__(self, account: SftpLogin, path: str, remark: Remark, limits: Limits) -> None:
        super().__init__(account, path, remark, limits)
        self._spool = Spool()
        self._departed: Departed | None = None

    def require_free(
        self, name: str, *, replace: Replaceable | None, departed: Departed | None = None
    ) -> None:
        self._departed = departed
        with self._folder() as folder:
            self._may_write_over(folder, name, replace)

    def upload(self, temporary: str, chunks: Iterable[bytes], *, mark: str) -> Uploaded:
        return self._spool.keep(temporary, chunks)

    def publish(self, temporary: str, name: str, *, replace: Replaceable | None, key: str) -> None:
        spooled = self._spool.kept(temporary)
        with self._folder() as folder:
            over = self._may_write_over(folder, name, replace)
            folder.write(name, spooled.chunks(), new=not over)
            found = folder.look(name)
            if found is not None:  # else it has been collected already
                self._require_size(found, spooled.uploaded)

    def fence(self, names: Iterable[str], fenced: str, *, mark: str, departed: Departed) -> bool:
        with self._folder() as folder:
            return not self._holds(folder, departed)

    def discard(self, names: Iterable[str]) -> bool:
        self._spool.drop(names)
        return True

    def check(self, trial: Trial) -> None:
        with self._tried(trial):
            trial.lack(NO_RENAME)

    def close(self) -> None:
        super().close()
        self._spool.close()

    def _may_write_over(self, folder: SftpFolder, name: str, replace: Replaceable | None) -> bool:
        """As `_may_replace`; what an earlier attempt at this run has left of its file may be written over as well."""
        found = folder.look(name)
        if found is not None and found.is_file and self._is_half(folder, name, found):
            return True
        return self._may_replace(folder, name, replace)

    def _is_half(self, folder: SftpFolder, name: str, found: RemoteFile) -> bool:
        """Whether it is a beginning of the departed file. While that is not on this side, its size decides: before
        anything is written over, it has been compared."""
        if self._departed is None or found.size is None or found.size >= self._departed.bytes:
            return False
        spooled = self._spool.last
        if spooled is None:
            return True
        try:
            with closing(folder.read(name)) as theirs:
                return spooled.begins_with(theirs)
        except DestinationError as error:
            raise DestinationError(
                f"{error}. It may be half of the file of an attempt that was cut off: have it removed, then retry"
            ) from None


def _removed(folder: SftpFolder, name: str) -> bool:
    try:
        folder.remove(name)
    except (TransientError, DestinationError):
        return False
    return True
