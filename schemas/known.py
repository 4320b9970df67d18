"""Whether a stored definition, or reference data, is of a kind that this version of the program understands.

Rules become stricter from version to version, so what was once saved is not judged by them again: only names and
words are looked at that a newer version may have brought, each of which would change what is sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from schemas.definition.columns import FieldName
from schemas.definition.document import DefinitionSchema
from schemas.definition.export_fields import find_field
from schemas.fields.objects import (
    AllOrSome,
    Items,
    Part,
    StrictSchema,
    Variant,
)
from schemas.fields.scalars import Choice
from schemas.messages.events import REFERENCE_SCHEMAS
from schemas.rejections import shown

_DEFINITION = DefinitionSchema()


def unknown_part(document: Any) -> str | None:
    """The first part of a stored definition that this version does not know, with its place, or None.

    The destination's options are not looked at: they are the destination's own.
    """
    return _in_object(document, _DEFINITION, "")


def unknown_in_reference(kind: str, document: Any) -> str | None:
    """The same of a stored school, behavior code or bell schedule."""
    schema = REFERENCE_SCHEMAS.get(kind)
    return None if schema is None else _in_object(document, schema, "")


def _in_object(value: Any, schema: StrictSchema, place: str) -> str | None:
    if not isinstance(value, Mapping):
        return f"{place or 'the definition'} is no object"
    fields = schema.by_key
    for key, inner in value.items():
        here = f"{place}{shown(str(key))}"
        if key not in fields:
            return f"{here} is not an option that this version knows"
        if inner is not None and (problem := _in_field(inner, fields[key], here)):
            return problem
    return None


def _in_field(value: Any, field: Any, place: str) -> str | None:
    if isinstance(field, Choice):
        known = isinstance(value, str) and value in field.words
        return None if known else _unknown_word(value, place)
    if isinstance(field, FieldName):
        known = isinstance(value, str) and find_field(value) is not None
        return None if known else _unknown_word(value, place)
    if isinstance(field, Variant):
        word = value.get(field.decider) if isinstance(value, Mapping) else None
        if not isinstance(word, str) or word not in field.variants:
            return _unknown_word(word, f"{place}.{field.decider}")
        return _in_object(value, field.variants[word], f"{place}.")
    if isinstance(field, Part):
        return _in_object(value, field.schema, f"{place}.")
    if isinstance(field, AllOrSome) and value != "all" and not isinstance(value, list):
        return _unknown_word(value, place)
    if isinstance(field, Items) and isinstance(value, list):
        inner = field.inner
        if isinstance(inner, (Choice, FieldName, Part, Variant)):
            found = (_in_field(item, inner, f"{place}[{index}]") for index, item in enumerate(value))
            return next((problem for problem in found if problem), None)
    return None


def _unknown_word(value: Any, place: str) -> str:
    word = f'"{shown(value)}"' if isinstance(value, str) else "this"
    return f"{place}: {word} is not known to this version"
