"""The published files, made from the marshmallow schemas: AsyncAPI, and JSON Schemas (draft 07).

What JSON Schema cannot say stays out of them (and of a format `date-time` the pattern beside it says more exactly
what is taken): that a moment, a day or a time zone exists, that a period ends
after it starts and overlaps no other, that no string holds a lone surrogate.
"""

from __future__ import annotations

import json

import yaml

from schemas.definition.document import DefinitionSchema
from schemas.fields.objects import object_schema
from schemas.fields.scalars import NO_NUL, JsonSchema, whole
from schemas.fields.times import Rfc3339
from schemas.messages.envelope import MAX_NAME
from schemas.publishing.asyncapi import document
from schemas.publishing.examples import DEFINITION, examples
from schemas.topology import COMMANDS, EVENTS, OUTCOMES

DRAFT = "http://json-schema.org/draft-07/schema#"
DEFINITION_FILE = "export-definition.json"
ASYNCAPI_FILE = "asyncapi.yaml"


def published() -> dict[str, str]:
    """Every published file's text by its name."""
    files = {DEFINITION_FILE: _json(definition_schema())}
    for type, schema in message_schemas().items():
        files[f"{type}.json"] = _json(schema)
    files[ASYNCAPI_FILE] = yaml.safe_dump(
        document(examples()), sort_keys=False, allow_unicode=True, width=100, default_flow_style=False
    )
    return files


def definition_schema() -> JsonSchema:
    """The JSON Schema of an export definition."""
    title = {"$schema": DRAFT, "title": "Export definition"}
    return {**title, **object_schema(DefinitionSchema()), "examples": [DEFINITION]}


def message_schemas() -> dict[str, JsonSchema]:
    """The JSON Schema of every message, envelope included, by type."""
    types = (*EVENTS, *COMMANDS, *OUTCOMES)
    whole = {type.name: _message(type.name, object_schema(type.schema)) for type in types}
    saved = whole["export.save"]["properties"]["data"]["properties"]["definition"]
    saved["description"] = f"As {DEFINITION_FILE} says."
    return whole


def _message(type: str, data: JsonSchema) -> JsonSchema:
    name = {"type": "string", "minLength": 1, "maxLength": MAX_NAME, "pattern": NO_NUL}
    text = {"type": ["string", "null"], "pattern": NO_NUL}
    return {
        "$schema": DRAFT,
        "title": type,
        "description": "CloudEvents 1.0, structured mode; other attributes are extensions and are carried.",
        "type": "object",
        "properties": {
            "specversion": {"const": "1.0"},
            "id": name,
            "source": name,
            "type": {"const": type},
            "time": {"anyOf": [Rfc3339().json_schema(), {"type": "null"}]},
            "subject": text,
            "datacontenttype": text,
            "dataschema": text,
            "data": data,
        },
        "required": ["specversion", "id", "source", "type", "data"],
        "propertyNames": {"pattern": whole("[a-z0-9]+|data_base64")},
        "additionalProperties": {"type": ["string", "integer", "boolean", "null"], "pattern": NO_NUL},
        "examples": [examples()[type]],
    }


def _json(made: JsonSchema) -> str:
    return json.dumps(made, indent=2, ensure_ascii=False) + "\n"
