"""Plug-ins that go astray, as their definition's options say: `at` which of the port's functions, and `how`."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from marshmallow import Schema, fields

from schemas.definition.records import RecordFields
from worker.core.record_rules import FORMS, Capabilities, RecordForm
from worker.destinations.file_port import FileDestination, FileKind, Installation, Secret, Uploaded
from worker.destinations.files import directory
from worker.destinations.guests.guest_kinds import guest
from worker.destinations.kinds import DESTINATIONS, Kind, add
from worker.destinations.places import Places
from worker.destinations.record_port import RecordKind, RowDeed, RowDone, RowOutcome, RowRefused, RowUnknown
from worker.destinations.trial import Trial
from worker.errors import ConfigurationError, StoppedError, TransientError

released = threading.Event()
"""What hangs comes back once this is set."""
sent: list[str] = []
"""The tardies that records were made of."""
turned: dict[str, str] = {}
"""{at: how} of a plug-in that was sound when its definitions were saved."""


class Panic(BaseException):
    """What nobody expects."""


class MuteError(TransientError):
    """An error whose text cannot be had, and whose wish is none."""

    def __str__(self) -> str:
        raise ValueError


class Options(Schema):
    """What the definition says of it."""

    type = fields.String()
    path = fields.String()
    at = fields.String()
    how = fields.String()

    def load(self, data: Any, *arguments: Any, **named: Any) -> Any:
        strayed("schema", data)
        return super().load(data, *arguments, **named)


def _raises(error: BaseException) -> Any:
    raise error


_WAYS: Mapping[str, Callable[[], Any]] = {
    "raise": lambda: _raises(KeyError("Ada Byron")),
    "exit": lambda: _raises(SystemExit(3)),
    "panic": lambda: _raises(Panic("Ada Byron")),
    "configuration": lambda: _raises(ConfigurationError("stop everything")),
    "stopped": lambda: _raises(StoppedError("begin again at once")),
    "mute": lambda: _raises(MuteError("x", retry_after="soon")),  # type: ignore[arg-type]
    "lines": lambda: _raises(TransientError("two\nlines\x00 and a NUL", retry_after=float("nan"))),
    "none": lambda: None,
    "text": lambda: "x",
    "many": lambda: [RowDone(), RowDone()],
    "foreign": lambda: ["done"],
    "number": lambda: [RowDone(7)],  # type: ignore[arg-type]
    "unstorable": lambda: [RowDone("a\x00b")],
    "lost": lambda: [RowUnknown("the line was cut")],
    "speechless": lambda: [RowRefused(None)],  # type: ignore[arg-type]
    "sizeless": lambda: Uploaded("ab", "many"),  # type: ignore[arg-type]
    "hang": lambda: released.wait(60),
}


def strayed(at: str, options: Mapping[str, Any]) -> tuple[Any] | None:
    """What is returned there instead; None: nothing is wrong there."""
    how = turned.get(at) or (options["how"] if options.get("at") == at else None)
    return None if how is None else (_WAYS[how](),)


class StrayFiles:
    """A folder but for one function."""

    def __init__(self, folder: FileDestination, options: Mapping[str, Any]) -> None:
        self._folder, self._options = folder, options

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._folder, name)

        def call(*arguments: Any, **named: Any) -> Any:
            instead = strayed(name, self._options)
            return found(*arguments, **named) if instead is None else instead[0]

        return call


class StrayRecords:
    """Takes everything but for one function."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._options = options

    def send(self, deeds: Sequence[RowDeed]) -> Sequence[RowOutcome]:
        instead = strayed("send", self._options)
        if instead is not None:
            return instead[0]  # type: ignore[no-any-return]
        sent.extend(deed.properties["tardy"] for deed in deeds)
        return [RowDone("id") for _ in deeds]

    def look(self, deed: RowDeed) -> RowDone | None:
        instead = strayed("look", self._options)
        return None if instead is None else instead[0]

    def check(self, trial: Trial) -> None:
        strayed("check", self._options)


def _folder(options: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "directory", "path": options["path"]}


def _open_files(options: dict[str, Any], installation: Installation, secret: Secret) -> Any:
    instead = strayed("open", options)
    if instead is not None:
        return instead[0]
    made = StrayFiles(directory.KIND.open(_folder(options), installation, secret), dict(options))
    options.clear()  # it was given to keep
    return made


def _place(options: dict[str, Any], places: Places) -> Any:
    instead = strayed("place", options)
    where = directory.KIND.place(_folder(options), places) if instead is None else instead[0]
    options.clear()
    return where


def _open_records(options: dict[str, Any], _installation: Installation, _secret: Secret) -> Any:
    instead = strayed("open", options)
    return StrayRecords(dict(options)) if instead is None else instead[0]


_FIELDS = RecordFields(({"field": "tardy_id", "header": "tardy"},), required=("tardy",))


def _form(options: dict[str, Any]) -> Any:
    instead = strayed("form", options)
    looks = options.get("at") == "look"
    can = Capabilities("own" if looks else "natural", frozenset({"create", "update"}), reads_back=True)

    def problem(_properties: Mapping[str, Any]) -> Any:
        strange = strayed("problem", options)
        return None if strange is None else strange[0]

    options.pop("type")
    return RecordForm(can, _FIELDS, frozenset({"tardy"}), problem=problem) if instead is None else instead[0]


KINDS: Mapping[str, Kind] = {
    "stray_files": FileKind(Options, _open_files, _place),  # type: ignore[arg-type]  # it changes its options
    "stray_records": RecordKind(Options, _open_records, _form, examples=({"type": "stray_records"},)),  # type: ignore[arg-type]  # it changes its options
}


@contextmanager
def stray_kinds() -> Iterator[None]:
    """They are there as plug-ins as long as this lasts; what hangs comes back at its end."""
    released.clear()
    sent.clear()
    load_strays()
    try:
        yield
    finally:
        released.set()
        turned.clear()
        for name in KINDS:
            del DESTINATIONS[name]
            FORMS.pop(name, None)


def load_strays() -> None:
    """As a process that begins; nobody waits long for one that hangs."""
    for name, kind in KINDS.items():
        add(name, guest(kind, f"destination plug-in {name!r} of astray 1.0", seconds=0.3))
