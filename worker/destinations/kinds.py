"""The kinds of destination there are; which port one serves, its class says. To add one: one file, one line here.

Packages of others add theirs by entry points (`plug_ins`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, MutableMapping
from functools import partial
from typing import Any

from marshmallow import Schema

from schemas.definition.records import RecordFields
from worker.core.record_rules import FORMS, RecordForm
from worker.destinations.chosen_kind import ChosenKind
from worker.destinations.file_port import FileKind
from worker.destinations.files import directory
from worker.destinations.files.ftp import ftps
from worker.destinations.files.sftp import sftp
from worker.destinations.https import https_kind
from worker.destinations.record_port import RecordKind
from worker.destinations.records import blackbaud, managebac, powerschool, skyward, sycamore, wonde
from worker.destinations.records.ed_fi import ods
from worker.errors import UnreadableError

Kind = FileKind | RecordKind | ChosenKind

DESTINATIONS: dict[str, Kind] = {
    "directory": directory.KIND,
    "ftps": ftps.KIND,
    "https": https_kind.KIND,
    "ed_fi": ods.KIND,
    "powerschool": powerschool.KIND,
    "wonde": wonde.KIND,
    "managebac": managebac.KIND,
    "sycamore": sycamore.KIND,
    "blackbaud": blackbaud.KIND,
    "skyward": skyward.KIND,
    "sftp": sftp.KIND,
}


def chosen(kind: Kind, options: Mapping[str, Any]) -> FileKind | RecordKind:
    """The kind that serves one port, by the definition's `destination`."""
    return kind.choose(options) if isinstance(kind, ChosenKind) else kind


def record_fields(options: Mapping[str, Any]) -> RecordFields | None:
    """What a definition's `fields` are at this destination; None: it takes files, or is not known here."""
    form = FORMS[options["type"]](options) if options["type"] in FORMS else None
    return None if form is None else form.fields


def option_schemas() -> dict[str, type[Schema]]:
    """The options of each kind."""
    return {name: kind.schema for name, kind in DESTINATIONS.items()}


def add(name: str, kind: Kind, kinds: MutableMapping[str, Kind] = DESTINATIONS) -> None:
    """Adds a kind, and what judging asks of it."""
    kinds[name] = kind
    if not isinstance(kind, FileKind):
        FORMS[name] = partial(_form, kind)


def _form(kind: Kind, options: Mapping[str, Any]) -> RecordForm | None:
    one = chosen(kind, options)
    return one.form(options) if isinstance(one, RecordKind) else None


for _name, _kind in list(DESTINATIONS.items()):
    add(_name, _kind)


def unknown_type(name: str, kinds: Iterable[str] = DESTINATIONS) -> str:
    """What a person is told of a type that is not known."""
    return f"destination type {name!r} is not known to this version; known: {', '.join(kinds)}"


def require_known(options: Mapping[str, Any]) -> None:
    """Raises UnreadableError where a stored destination is of a kind, or has an option, that is not known here."""
    kind = DESTINATIONS.get(options["type"])
    if kind is None:
        raise UnreadableError(unknown_type(options["type"]))
    known = {field.data_key or name for name, field in kind.schema().fields.items()} | {"type"}
    if unknown := sorted(options.keys() - known):
        raise UnreadableError(f"destination: this version does not know the option {unknown[0]!r}")
