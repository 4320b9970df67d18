"""A plug-in's kind, held to its port.

Judging, saving and listing ask its pure functions, in a thread beside their own, and wait so long and no longer; what
they answered is kept, since the same options have the same answer. A destination's methods are called as they are: one
that never returns keeps one attempt, and one place among those that a flusher has.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, TypeVar

import orjson
from marshmallow import Schema, ValidationError

from worker.core.record_rules import RecordForm
from worker.destinations.file_port import FileDestination, FileKind, Installation, Secret
from worker.destinations.guests.blame import Blame
from worker.destinations.guests.guest_files import GuestFiles
from worker.destinations.guests.guest_records import GuestRecords, guest_form
from worker.destinations.kinds import Kind
from worker.destinations.patience import Patience, SilentError
from worker.destinations.places import Places
from worker.destinations.record_port import RecordDestination, RecordKind, RowDeed, Writes, WrittenRequest

T = TypeVar("T")
Options = Mapping[str, Any]

SECONDS = 5.0
"""How long is waited for what should only compute."""
_KEPT = 256  # answers, each of other options
_FILES = (
    "require_free",
    "upload",
    "publish",
    "last_given",
    "note_given",
    "fence",
    "discard",
    "check",
    "close",
)
_RECORDS = ("send", "look", "check")


def guest(kind: Kind, plug_in: str, *, seconds: float = SECONDS) -> Kind:
    """The kind as it is used. `plug_in` names it to a person."""
    return _Guest(Blame(plug_in), seconds).kind(kind)


class _Guest:
    def __init__(self, blame: Blame, seconds: float) -> None:
        self._blame = blame
        self._patience = Patience(seconds)
        self._seconds = seconds

    def kind(self, kind: Kind) -> Kind:
        schema = _schema(kind.schema, self._blame)
        if isinstance(kind, FileKind):
            return replace(
                kind, schema=schema, open=self._opens_files(kind.open), place=self._places(kind.place)
            )
        if isinstance(kind, RecordKind):
            return replace(
                kind,
                schema=schema,
                open=self._opens_records(kind.open),
                form=self._forms(kind.form),
                place=self._places(kind.place),
                written=None if kind.written is None else self._writes(kind.written),
            )
        return replace(kind, schema=schema, choose=self._chooses(kind.choose))

    def _opens_files(
        self, opens: Callable[[Options, Installation, Secret], FileDestination]
    ) -> Callable[[Options, Installation, Secret], FileDestination]:
        def open_files(options: Options, installation: Installation, secret: Secret) -> FileDestination:
            with self._blame.during("open"):
                opened = opens(_copied(options), installation, secret)
            self._require(opened, _FILES)
            return GuestFiles(opened, self._blame)

        return open_files

    def _opens_records(
        self, opens: Callable[[Options, Installation, Secret], RecordDestination]
    ) -> Callable[[Options, Installation, Secret], RecordDestination]:
        def open_records(options: Options, installation: Installation, secret: Secret) -> RecordDestination:
            with self._blame.during("open"):
                opened = opens(_copied(options), installation, secret)
            self._require(opened, _RECORDS)
            return GuestRecords(opened, self._blame)

        return open_records

    def _writes(self, writes: Writes) -> Writes:
        def written(
            options: Options, installation: Installation, deeds: Sequence[RowDeed]
        ) -> Sequence[WrittenRequest]:
            copied = [replace(deed, properties=dict(deed.properties)) for deed in deeds]
            found = self._asked("written", options, lambda given: writes(given, installation, copied))
            self._blame.require(found, (list, tuple), "written")
            for one in found:
                self._blame.require(one, WrittenRequest, "written, as a request,")
            return found

        return written

    def _forms(self, forms: Callable[[Options], RecordForm]) -> Callable[[Options], RecordForm]:
        def form(options: Options) -> RecordForm:
            return guest_form(self._asked("form", options, forms), self._blame)

        return _kept(form)

    def _chooses(
        self, chooses: Callable[[Options], FileKind | RecordKind]
    ) -> Callable[[Options], FileKind | RecordKind]:
        def choose(options: Options) -> FileKind | RecordKind:
            chosen = self._asked("choose", options, chooses)
            self._blame.require(chosen, (FileKind, RecordKind), "choose")
            return self.kind(chosen)  # type: ignore[return-value]  # a kind of one port stays one

        return _kept(choose)

    def _places(self, places: Callable[[Options, Places], str]) -> Callable[[Options, Places], str]:
        def place(options: Options, seen: Places) -> str:
            found = self._asked("place", options, lambda given: places(given, seen))
            self._blame.require(found, str, "place")
            return found

        return place

    def _asked(self, doing: str, options: Options, question: Callable[[Options], T]) -> T:
        """Raises PlugInError, also where there is no answer in time; DeliveryError as the plug-in does."""

        def guarded() -> T:
            with self._blame.during(doing):
                return question(_copied(options))

        try:
            return self._patience.ask(f"{self._blame.plug_in} {doing} {_text(options)!r}", guarded)
        except SilentError:
            raise self._blame.of(
                f"does not come back from `{doing}` within {self._seconds:g} seconds"
            ) from None

    def _require(self, opened: object, methods: tuple[str, ...]) -> None:
        missing = [name for name in methods if not callable(getattr(opened, name, None))]
        if missing:
            raise self._blame.of(f"opened a {type(opened).__name__}, which lacks `{missing[0]}`")


def _kept(answer: Callable[[Options], T]) -> Callable[[Options], T]:
    """The function, each answer kept; errors are not."""
    by_text = lru_cache(_KEPT)(lambda text: answer(orjson.loads(text)))
    return lambda options: by_text(_text(options))


def _text(options: Options) -> bytes:
    return orjson.dumps(dict(options), option=orjson.OPT_SORT_KEYS)


def _copied(options: Options) -> dict[str, Any]:
    """What a plug-in does to its options changes nobody's definition."""
    return copy.deepcopy(dict(options))


def _schema(schema: type[Schema], blame: Blame) -> type[Schema]:
    """The options, refused in a line where the schema does not work."""

    class GuestSchema(schema):  # type: ignore[misc,valid-type]  # a class that is known only now
        def __init__(self, *arguments: Any, **named: Any) -> None:
            with blame.during("schema"):
                super().__init__(*arguments, **named)

        def load(self, data: Any, *arguments: Any, **named: Any) -> Any:
            wrong: ValidationError | None = None
            with blame.during("schema"):
                try:
                    return super().load(copy.deepcopy(data), *arguments, **named)
                except ValidationError as error:
                    wrong = error
            raise wrong

    GuestSchema.__doc__ = schema.__doc__
    return GuestSchema
