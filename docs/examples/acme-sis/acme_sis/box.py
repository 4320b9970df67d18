"""A numbered box below one folder, as districts have it that give each school a box."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import Schema

from schemas.fields.scalars import Pattern, Text
from worker.destinations.file_port import FileDestination, FileKind, Installation, Secret
from worker.destinations.files import directory
from worker.destinations.places import Places


class BoxSchema(Schema):
    """Options of an `acme_box` destination."""

    type = Text(required=True)
    box = Pattern(r"[0-9]{1,4}", "one to four digits", required=True)


def _folder(options: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "directory", "path": f"boxes/{options['box']}"}


def _open(options: Mapping[str, Any], installation: Installation, secret: Secret) -> FileDestination:
    return directory.KIND.open(_folder(options), installation, secret)


def _place(options: Mapping[str, Any], places: Places) -> str:
    return directory.KIND.place(_folder(options), places)


KIND = FileKind(BoxSchema, _open, _place)
