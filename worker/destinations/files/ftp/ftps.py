"""A folder at an FTP server, always over TLS (explicit: AUTH TLS), certificate and data channel included."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Any
from uuid import uuid4

from marshmallow import ValidationError

from schemas.fields.objects import StrictSchema
from schemas.fields.scalars import Flag, Strict, Text, Whole, whole
from schemas.fields.scalars import Secret as SecretName
from worker.destinations.facts import Facts
from worker.destinations.file_port import (
    Departed,
    FileDestination,
    FileKind,
    GivenNumber,
    Installation,
    Replaceable,
    Secret,
    Uploaded,
)
from worker.destinations.files.folder import NO_NEW_RENAME
from worker.destinations.files.ftp.ftp_client import TimeLimits
from worker.destinations.files.ftp.ftp_folder import CHUNK, FtpFolder
from worker.destinations.files.ftp.ftp_login import DEFAULT_PORT, FtpAccess, FtpAccount
from worker.destinations.files.remote_fields import Host, RemoteFolder, folder_name
from worker.destinations.files.spooled import Spool, Spooled
from worker.destinations.places import Places
from worker.destinations.trial import Trial
from worker.errors import DeliveryError, DestinationError, TransientError

HIDES_DOTS = (
    "its lists do not show names that begin with a dot: what an upload that was cut off leaves there is seen only by"
    " who lists hidden files too"
)


class Fingerprint(Strict):
    """The SHA-256 fingerprint of a certificate: 64 hexadecimal digits, with colons or without."""

    _PATTERN = r"[0-9A-Fa-f]{2}(:?[0-9A-Fa-f]{2}){31}"
    _matches = re.compile(_PATTERN).fullmatch

    def check(self, value: Any) -> str:
        if type(value) is not str or self._matches(value) is None:
            raise ValidationError(
                "must be the SHA-256 fingerprint of the server's certificate, 64 hexadecimal digits, as"
                " `openssl x509 -noout -fingerprint -sha256` prints it"
            )
        return value

    def json_schema(self) -> dict[str, Any]:
        return {"type": "string", "pattern": whole(self._PATTERN)}


class FtpsSchema(StrictSchema):
    """Options of an `ftps` destination."""

    tells_known = True
    type = Text(required=True)
    host = Host(required=True, about="The server's name or address.")
    port = Whole(1, 65535, about=f"Default {DEFAULT_PORT}.")
    username = Text(1, 256, single_line=True, required=True, about="Who logs in.")
    password = SecretName(required=True, about="The password.")
    path = RemoteFolder(required=True, about="The folder there; a relative one begins where a login does.")
    certificate_sha256 = Fingerprint(about="Pins the server's certificate; else it has to be a trusted one.")
    rename = Flag(about="Whether files are written under a temporary name and renamed; default true.")


class _FtpsPlace:
    """What both ways of sending have in common."""

    def __init__(self, access: FtpAccess) -> None:
        self._access = access

    def last_given(self, export_id: str) -> GivenNumber | None:
        """None: nothing of ours but files lies there."""

    def note_given(self, export_id: str, given: GivenNumber) -> None:
        """Notes nothing."""

    def close(self) -> None:
        self._access.close()

    def _require_allowed(self, name: str, replace: Replaceable | None, sha256: str) -> None:
        """Raises as `require_free` of the port, for a file that lies there."""
        if replace is None:
            raise TransientError(
                f"{self._access.server}: {name} has not been collected yet; it is not overwritten (if_exists: wait)"
            )
        if not replace(sha256):
            raise DestinationError(
                f"{self._access.server}: {name} is there, and not as this export wrote it; only its own file is"
                " replaced. Move it away, or give this export another file name, then retry"
            )

    def _require_kind(self, folder: FtpFolder, name: str) -> bool:
        """Whether a file lies there. Raises DestinationError where something else does."""
        kind = folder.kind(name)
        if kind == "other":
            raise DestinationError(
                f"{self._access.server}: {name} is there and is no file; put that right, then retry"
            )
        return kind is not None

    def _require_size(self, folder: FtpFolder, name: str, size: int) -> None:
        there = folder.size(name)
        if there is None:
            raise DestinationError(
                f"{self._access.server}: {name} was written and is not there any more; whoever collects must leave"
                " names that begin with a dot alone, or say `rename: false`"
            )
        if there != size:
            raise TransientError(
                f"{self._access.server}: {size} bytes of {name} were sent, {there} are there"
            )


class Ftps(_FtpsPlace):
    """Files are written under a temporary name, checked by their size, then renamed."""

    def require_free(
        self, name: str, *, replace: Replaceable | None, departed: Departed | None = None
    ) -> None:
        self._access.do(
            "look", f"look for {name}", lambda folder: self._has_replaceable(folder, name, replace)
        )

    def upload(self, temporary: str, chunks: Iterable[bytes], *, mark: str) -> Uploaded:
        # The mark first: with no byte in it, it can be sent again where the first data connection is refused.
        self._access.do("write", f"write {mark}", lambda folder: folder.write(mark, ()))
        with self._access.folder("write", f"write {temporary}") as folder:
            uploaded = folder.write(temporary, chunks)
            self._require_size(folder, temporary, uploaded.bytes)
            return uploaded

    def publish(self, temporary: str, name: str, *, replace: Replaceable | None, key: str) -> None:
        def rename(folder: FtpFolder) -> bool:
            if self._has_replaceable(folder, name, replace):
                return folder.rename_over(temporary, name)
            return folder.rename(temporary, name)

        if not self._access.do("rename", f"rename {temporary} to {name}", rename):
            raise DestinationError(
                f"{self._access.server}: {temporary} is not there any more: another attempt has taken over; nothing was"
                " renamed"
            )

    def fence(self, names: Iterable[str], fenced: str, *, mark: str, departed: Departed) -> bool:
        searched = list(names)

        def fence(folder: FtpFolder) -> bool:
            if folder.kind(mark) is None:
                raise DestinationError(
                    f"{self._access.server}: this is not the folder an earlier attempt wrote to; bring that folder"
                    " back, then retry the export"
                )
            return any(folder.rename(name, fenced) for name in searched)

        return self._access.do("rename", "look for what an earlier attempt has left", fence)

    def discard(self, names: Iterable[str]) -> bool:
        removed = True
        for name in names:
            try:
                with self._access.folder("remove", f"remove {name}") as folder:
                    folder.remove(name)
            except DestinationError:
                removed = False
            except TransientError:  # nor would the server be there for the next one
                return False
        return removed

    def check(self, trial: Trial) -> None:
        first = f".writeback-check-{uuid4().hex}"
        self._access.enter(trial)
        try:
            with trial.step("write"):
                self._access.do(
                    "write",
                    f"write {first}.part",
                    lambda folder: self._try_to_write(folder, f"{first}.part", trial),
                )
            with trial.step("rename"):
                self._access.do(
                    "rename", f"rename {first}.part", lambda folder: folder.rename(f"{first}.part", first)
                )
            trial.lack(NO_NEW_RENAME)
            with trial.step("remove"):
                self._access.do("remove", f"remove {first}", lambda folder: folder.remove(first))
        except DeliveryError:
            self.discard([f"{first}.part", first])
            raise

    def _has_replaceable(self, folder: FtpFolder, name: str, replace: Replaceable | None) -> bool:
        """True: a file lies there that may be replaced. Raises as the port says."""
        if not self._require_kind(folder, name):
            return False
        self._require_allowed(name, replace, "" if replace is None else folder.sha256(name))
        return True

    def _try_to_write(self, folder: FtpFolder, name: str, trial: Trial) -> None:
        self._require_size(folder, name, folder.write(name, [b"check"]).bytes)
        if name not in folder.names():
            trial.lack(HIDES_DOTS)


class FtpsUnrenamed(_FtpsPlace):
    """Files are kept on this side until they are sent, under their final names: for servers without rename, or whose
    collector takes whatever comes. Who collects may see half a file; a file that a takeover does not find is sent
    again, whether it was collected or never came."""

    def __init__(self, access: FtpAccess) -> None:
        super().__init__(access)
        self._spool = Spool()
        self._departed: Departed | None = None

    def require_free(
        self, name: str, *, replace: Replaceable | None, departed: Departed | None = None
    ) -> None:
        self._departed = departed
        self._access.do(
            "look", f"look for {name}", lambda folder: self._require_writable(folder, name, replace)
        )

    def upload(self, temporary: str, chunks: Iterable[bytes], *, mark: str) -> Uploaded:
        return self._spool.keep(temporary, chunks)

    def publish(self, temporary: str, name: str, *, replace: Replaceable | None, key: str) -> None:
        spooled = self._spool.kept(temporary)

        def send(folder: FtpFolder) -> None:
            folder.names()  # a first data connection, refused perhaps, before there is half a file
            self._require_writable(folder, name, replace)
            uploaded = folder.write(name, spooled.chunks())
            there = folder.size(name)
            if there not in (None, uploaded.bytes):  # None: it has been collected already
                raise TransientError(
                    f"{self._access.server}: {uploaded.bytes} bytes of {name} were sent, {there} are there"
                )

        self._access.do("send", f"write {name}", send)

    def fence(self, names: Iterable[str], fenced: str, *, mark: str, departed: Departed) -> bool:
        def is_missing(folder: FtpFolder) -> bool:
            whole = folder.size(departed.name) == departed.bytes
            return not (whole and folder.sha256(departed.name) == departed.sha256)

        return self._access.do("look", f"look for {departed.name}", is_missing)

    def discard(self, names: Iterable[str]) -> bool:
        self._spool.drop(names)
        return True

    def check(self, trial: Trial) -> None:
        """Nothing is written: whoever collects there would take it."""
        self._access.enter(trial)
        with trial.step("read"):
            self._access.do("read", "list the folder", lambda folder: folder.names())
        trial.lack("whether files may be written there is not tried, since whoever collects would take them")

    def close(self) -> None:
        self._spool.close()
        super().close()

    def _require_writable(self, folder: FtpFolder, name: str, replace: Replaceable | None) -> None:
        """Raises as the port says, unless what lies there is half of the file that is to be sent."""
        if self._require_kind(folder, name) and not self._is_half(folder, name):
            self._require_allowed(name, replace, "" if replace is None else folder.sha256(name))

    def _is_half(self, folder: FtpFolder, name: str) -> bool:
        departed, spooled = self._departed, self._spool.last
        size = folder.size(name)
        if departed is None or size is None or size >= departed.bytes:
            return False
        return spooled is None or folder.sha256(name) == _sha256(spooled, size)


def _sha256(spooled: Spooled, size: int) -> str:
    """The SHA-256 of its first so many bytes."""
    digest, file = hashlib.sha256(), spooled.opened()
    while size > 0 and (chunk := file.read(min(size, CHUNK))):
        digest.update(chunk)
        size -= len(chunk)
    return digest.hexdigest()


def open_ftps(
    options: Mapping[str, Any], installation: Installation, secret: Secret, limits: TimeLimits
) -> FileDestination:
    """The destination, connected where it is first used."""
    access = FtpAccess(FtpAccount.of(options), secret, installation.web.trust, limits)
    return Ftps(access) if options.get("rename", True) else FtpsUnrenamed(access)


def _open(options: Mapping[str, Any], installation: Installation, secret: Secret) -> FileDestination:
    return open_ftps(options, installation, secret, TimeLimits())


def _place(options: Mapping[str, Any], _places: Places) -> str:
    """Each login may begin in a folder of its own."""
    port = options.get("port", DEFAULT_PORT)
    return f"{options['username']}@{options['host'].lower()}:{port}/{folder_name(options['path'])}"


KIND = FileKind(
    FtpsSchema,
    _open,
    _place,
    Facts("A folder at an FTP server, over explicit TLS (AUTH TLS)"),
)
