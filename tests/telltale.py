"""A destination that repeats the secret it was given in whatever error it raises, as an SIS's answer may do."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NoReturn, cast

from marshmallow import Schema

from schemas.fields.scalars import Choice, Secret, Text
from worker.destinations.file_port import FileDestination, FileKind, Installation
from worker.destinations.file_port import Secret as ReadSecret
from worker.destinations.files import directory
from worker.destinations.kinds import DESTINATIONS, add
from worker.destinations.places import Places
from worker.errors import DestinationError, ElsewhereError, TransientError

KIND = "telltale"


def _chained(secret: str) -> Exception:
    error = TransientError(f"the server does not like {secret}")
    error.__cause__ = DestinationError(f"it was {secret}")
    error.__cause__.__cause__ = OSError(5, secret)
    return error


ERRORS: Mapping[str, Callable[[str], Exception]] = {
    "transient": lambda secret: TransientError(f"the server does not like {secret}"),
    "destination": lambda secret: DestinationError(f"the server does not like {secret}"),
    "elsewhere": lambda secret: ElsewhereError(f"no folder for {secret}"),
    "chained": _chained,
    "defect": RuntimeError,
    "system": lambda secret: OSError(5, secret),
    "lookup": lambda secret: KeyError({"password": secret}),
}
PLACES = ("open", "require_free", "upload", "publish", "check")


class TelltaleSchema(Schema):
    """Which error it raises, and where."""

    type = Text(required=True)
    path = Text(required=True)
    password = Secret(required=True)
    error = Choice(*ERRORS, required=True)
    at = Choice(*PLACES, required=True)


class _Telltale:
    def __init__(self, options: Mapping[str, Any], inner: FileDestination, secret: str) -> None:
        self._options, self._inner, self._secret = options, inner, secret

    def __getattr__(self, name: str) -> Any:
        return self._fail if name == self._options["at"] else getattr(self._inner, name)

    def _fail(self, *_: Any, **__: Any) -> NoReturn:
        raise ERRORS[self._options["error"]](self._secret)


def _folder(options: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "directory", "path": options["path"]}


def _open(options: Mapping[str, Any], installation: Installation, secret: ReadSecret) -> FileDestination:
    password = secret(options["password"]["secret"])
    if options["at"] == "open":
        raise ERRORS[options["error"]](password)
    inner = directory.KIND.open(_folder(options), installation, secret)
    return cast(FileDestination, _Telltale(options, inner, password))


def _place(options: Mapping[str, Any], places: Places) -> str:
    return directory.KIND.place(_folder(options), places)


@contextmanager
def known() -> Iterator[None]:
    """Meanwhile it is one of the kinds there are."""
    add(KIND, FileKind(TelltaleSchema, _open, _place))
    try:
        yield
    finally:
        del DESTINATIONS[KIND]


def telltale(
    error: str = "destination", at: str = "upload", *, secret: str = "sis", path: str = "outbox"
) -> dict[str, Any]:
    """A definition's `destination`."""
    return {"type": KIND, "path": path, "password": {"secret": secret}, "error": error, "at": at}
