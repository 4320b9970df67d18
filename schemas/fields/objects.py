"""Schemas made of strict fields: objects, lists, and objects whose shape one word decides.

A schema is loaded on its straight path first. Whatever that path cannot take, marshmallow loads again from the
start, and finds every fault: it alone decides and explains.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from marshmallow import Schema, ValidationError, missing, validates_schema
from marshmallow.fields import Field

from schemas.fields.scalars import JsonSchema, Strict
from schemas.fields.straight import DOUBTS, Load, straight_path
from schemas.rejections import (
    MOST_PROBLEMS,
    counted,
    nearest,
    shown,
)

_MOST_COMPARED = 5  # unknown names for which the nearest known ones are looked for

Problems = dict[str, Any]
"""Faults as marshmallow nests them: field → texts, or field → index → field → texts."""


class StrictSchema(Schema):
    """An object with known fields only. `rules` holds what one field alone cannot judge.

    `json_extra` is laid over the generated JSON Schema: what of `rules` can be said there. Unknown names are
    counted, not repeated, since they are the sender's; with `tells_known` a person has written them, and is told
    which.
    """

    error_messages = {"type": "must be an object"}  # noqa: RUF012 -- as marshmallow
    json_extra: JsonSchema = {}  # noqa: RUF012 -- read only
    tells_known = False

    @property
    def keys(self) -> tuple[str, ...]:
        """The names an object of this schema may use."""
        return tuple(self.by_key)

    @cached_property
    def by_key(self) -> Mapping[str, Any]:
        """The fields by the names an object of this schema uses for them."""
        return {_key(name, field): field for name, field in self.load_fields.items()}

    @cached_property
    def straight(self) -> Load:
        """Loads what is plainly right, as `load` does, and raises one of the DOUBTS over anything else."""
        ruled = type(self).rules is not StrictSchema.rules
        return straight_path(self.by_key, self.rules if ruled else None)

    def unknown_option(self) -> str:
        """What an unknown name is answered with, where a person has chosen it."""
        return f"unknown option; known: {', '.join(self.keys)}"

    def rules(self, data: Mapping[str, Any]) -> Problems:
        """The faults of an object whose fields are each right by themselves; {} when there is none."""
        return {}

    @validates_schema
    def _judge(self, data: Mapping[str, Any], **_: Any) -> None:
        if problems := self.rules(data):
            raise ValidationError(problems)

    def load(self, data: Any, **options: Any) -> Any:
        """As marshmallow's `load`; raises ValidationError with every fault."""
        if not options:
            try:
                return self.straight(data)
            except DOUBTS:
                pass  # marshmallow says what is wrong, and with all of it at once
        if type(data) is dict and (unknown := [key for key in data if key not in self.by_key]):
            raise ValidationError(self._problems_beside(unknown, data, options))
        return super().load(data, **options)

    def _problems_beside(
        self, unknown: list[Any], data: dict[Any, Any], options: Mapping[str, Any]
    ) -> Problems:
        """All faults of an object that has unknown names. (Marshmallow would take the square of their number.)"""
        problems: Problems = {}
        try:
            super().load({key: data[key] for key in data.keys() & self.by_key.keys()}, **options)
        except ValidationError as error:
            problems = messages_of(error)
        if self.tells_known:
            problems |= {key: [self.unknown_option()] for key in unknown[:MOST_PROBLEMS]}
            unknown = unknown[MOST_PROBLEMS:]
        if unknown:
            texts = problems.get("_schema", [])
            problems["_schema"] = [self._unknown_fields(unknown), *texts]
        return problems

    def _unknown_fields(self, unknown: Sequence[Any]) -> str:
        near = {name for key in unknown[:_MOST_COMPARED] for name in nearest(key, self.keys)}
        meant = f" (near to {', '.join(sorted(near))})" if near else ""
        return f"{counted(len(unknown), 'unknown field')}{meant}; known: {', '.join(self.keys)}"


class Part(Strict):
    """An object within an object."""

    def __init__(self, schema: type[StrictSchema], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.schema = schema()

    def check(self, value: Any) -> Any:
        return self.schema.load(value)

    def json_schema(self) -> JsonSchema:
        return object_schema(self.schema)


class Items(Strict):
    """A list of `minimum` to `maximum` items, each as `inner` says; `unique` refuses the same item twice."""

    def __init__(
        self, inner: Strict, *, minimum: int = 0, maximum: int = 1000, unique: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.inner, self.minimum, self.maximum, self.unique = inner, minimum, maximum, unique

    def check(self, value: Any) -> list[Any]:
        if type(value) is not list or not self.minimum <= len(value) <= self.maximum:
            raise ValidationError(f"must be a list of {self.minimum} to {self.maximum} items")
        loaded, problems = [], {}
        for index, item in enumerate(value):
            try:
                loaded.append(self.inner.item(item))
            except ValidationError as error:
                problems[index] = error.messages
        problems |= self._repeated(loaded) if self.unique and not problems else {}
        if problems:
            raise ValidationError(problems)
        return loaded

    def _repeated(self, loaded: list[Any]) -> dict[int, list[str]]:
        first: dict[Any, int] = {}
        return {
            index: [f"the same as item [{first[item]}]"]
            for index, item in enumerate(loaded)
            if first.setdefault(item, index) != index
        }

    def json_schema(self) -> JsonSchema:
        listed = {
            "type": "array",
            "items": self.inner.json_schema(),
            "minItems": self.minimum,
            "maxItems": self.maximum,
        }
        return {**listed, "uniqueItems": True} if self.unique else listed


class OneOrMore(Items):
    """A list, or a single item that stands for a list of one; loads as a list."""

    def check(self, value: Any) -> list[Any]:
        return super().check(value) if type(value) is list else [self.inner.item(value)]

    def json_schema(self) -> JsonSchema:
        return {"anyOf": [self.inner.json_schema(), super().json_schema()]}


class AllOrSome(Items):
    """The word "all", or a list that is not empty."""

    def __init__(self, inner: Strict, **kwargs: Any) -> None:
        super().__init__(inner, minimum=1, unique=True, **kwargs)

    def check(self, value: Any) -> Any:
        if value == "all":
            return value
        if type(value) is not list or not value:
            raise ValidationError('must be "all" or a list that is not empty')
        return super().check(value)

    def json_schema(self) -> JsonSchema:
        return {"anyOf": [{"const": "all"}, super().json_schema()]}


class Variant(Strict):
    """An object whose field `decider` says which options it may have; `noun` is what that word is called."""

    def __init__(
        self, decider: str, variants: Mapping[str, type[StrictSchema]], *, noun: str, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.decider, self.noun = decider, noun
        self.variants = {word: schema() for word, schema in variants.items()}
        self._all_keys = {key for schema in self.variants.values() for key in schema.keys}

    def check(self, value: Any) -> Any:
        if type(value) is not dict:
            raise ValidationError("must be an object")
        word = value.get(self.decider)
        if type(word) is not str or word not in self.variants:
            said = "required" if word is None else f'unknown {self.noun} "{shown(word)}"'
            raise ValidationError({self.decider: [f"{said}; known: {', '.join(self.variants)}"]})
        return self._load(word, self.variants[word], value)

    def _load(self, word: str, schema: StrictSchema, value: dict[str, Any]) -> Any:
        try:
            return schema.load(value)
        except ValidationError as error:
            messages = messages_of(error)
            known = ", ".join(schema.keys)
            for key in messages.keys() & self._all_keys - set(schema.keys):
                messages[key] = [f"does not belong to the {self.noun} {word}; known there: {known}"]
            raise ValidationError(messages) from None

    def json_schema(self) -> JsonSchema:
        return {"oneOf": [object_schema(schema) for schema in self.variants.values()]}


def messages_of(error: ValidationError) -> Problems:
    """A schema's faults by field; what concerns the object as a whole under `_schema`."""
    messages = error.messages
    return dict(messages) if isinstance(messages, dict) else {"_schema": messages}


def object_schema(schema: Schema) -> JsonSchema:
    """The JSON Schema of an object with the schema's fields, all strict, and no others."""
    named = {_key(name, field): field for name, field in schema.load_fields.items()}
    made: JsonSchema = {
        "description": _about(schema),
        "type": "object",
        "properties": {key: _described(field) for key, field in named.items()},
        "required": [key for key, field in named.items() if field.required],
        "additionalProperties": False,
    }
    return {**made, **getattr(schema, "json_extra", {})}


def given(name: str) -> JsonSchema:
    """The JSON Schema of an object in which that field is there and not null."""
    return {"required": [name], "properties": {name: {"not": {"type": "null"}}}}


def _about(schema: Schema) -> str:
    return " ".join((type(schema).__doc__ or "").split())


def _described(field: Field[Any]) -> JsonSchema:
    assert isinstance(field, Strict)
    made = field.json_schema()
    if field.allow_none or not field.required:
        made = (
            {**made, "type": [made["type"], "null"]}
            if _is_simple(made)
            else {"anyOf": [made, {"type": "null"}]}
        )
    default = field.default()
    if default is not missing and default is not None:
        made = {**made, "default": default}
    return {**made, "description": field.about} if field.about else made


def _is_simple(made: JsonSchema) -> bool:
    return isinstance(made.get("type"), str) and "enum" not in made


def _key(name: str, field: Field[Any]) -> str:
    return field.data_key or name
