"""Bytes from a broker → a CloudEvents 1.0 envelope (structured mode), or a RejectedError.

What the contract leaves open: of a name that stands twice in one object the last counts; `id` and `source`
have at most 512 characters; attributes that are null count as absent, as CloudEvents says; an extension
attribute's name is made of a-z and 0-9, its value is a string, a whole number or a boolean. Data is never looked
at here: `data_base64` that holds no JSON is told by whoever reads the data.
"""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, NamedTuple, NoReturn

import orjson

from schemas.fields.scalars import is_storable, whole_of
from schemas.fields.times import instant
from schemas.rejections import RejectedError, counted, one_line

MAX_BODY = 256 * 1024
"""Bytes of the largest body that is read."""
MAX_NAME = 512
"""Characters of the longest `id` and `source`."""

CONTENT_TYPES = ("application/cloudevents+json", "application/json", "text/plain", "application/octet-stream")
"""The media types whose bodies are read, all in the same way; their parameters count for nothing."""
PLAIN_ENCODINGS = frozenset({"", "utf-8", "utf8", "binary", "identity"})

_NOTHING: Mapping[str, Any] = MappingProxyType({})
_NAMED = ("id", "source", "type")
_OPTIONAL = ("subject", "datacontenttype", "dataschema")
_TEXTS = (*_OPTIONAL, "data_base64")
_CORE = frozenset({"specversion", *_NAMED, "time", *_OPTIONAL, "data", "data_base64"})
_ORDINARY = frozenset({"specversion", *_NAMED, "time", "data"})
_BOM = b"\xef\xbb\xbf"
_is_attribute = re.compile("[a-z0-9]+").fullmatch


@dataclass(frozen=True, slots=True)
class UnreadableData:
    """Stands for data that was sent as `data_base64` and is no JSON; `reason` says why, without its text."""

    reason: str


class Envelope(NamedTuple):
    """A message whose envelope is right; `data` is JSON that nobody has looked at (None: absent or null), or
    UnreadableData."""

    id: str
    source: str
    type: str
    time: datetime | None
    subject: str | None
    data: object
    extensions: Mapping[str, str | int | bool]


class UnsoundError(RejectedError):
    """An envelope that can be read, but not taken as it is: who sent it can be told so. `envelope` has no data."""

    def __init__(self, reason: str, envelope: Envelope) -> None:
        super().__init__("invalid", reason)
        self.envelope = envelope


def read_envelope(
    body: bytes,
    content_type: str | None = None,
    content_encoding: str | None = None,
    headers: Mapping[str, object] = _NOTHING,
) -> Envelope:
    """Reads one message's body and properties.

    Raises RejectedError: `oversize`, `undecodable` (not UTF-8, not JSON, no CloudEvents 1.0 object,
    compressed, a foreign content type), or `invalid` (a NUL or lone surrogate in the envelope, an `id` or
    `source` too long: UnsoundError where `id`, `source` and `type` are text that can be stored and sent).
    """
    if len(body) > MAX_BODY:
        raise RejectedError("oversize", f"the body has {len(body)} bytes; at most {MAX_BODY} are read")
    _check_properties(content_type, content_encoding, headers)
    document = _parse(body)
    if type(document) is not dict:
        raise _undecodable("the body is JSON, but no CloudEvents 1.0 object")
    return _envelope(document)


def _check_properties(
    content_type: str | None, content_encoding: str | None, headers: Mapping[str, object]
) -> None:
    if content_type and content_type != CONTENT_TYPES[0] and not _is_read(content_type):
        raise _undecodable(f"the content type is foreign; read are {', '.join(CONTENT_TYPES)}, and none")
    if content_encoding and content_encoding.strip().lower() not in PLAIN_ENCODINGS:
        raise _undecodable(
            "the content encoding is foreign; bodies are plain UTF-8, neither compressed nor recoded"
        )
    if headers and headers.get("compression"):
        raise _undecodable("the body is compressed (header compression); compressed bodies are not read")


def _is_read(content_type: str) -> bool:
    return content_type.partition(";")[0].strip().lower() in ("", *CONTENT_TYPES)


def _parse(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return _parse_slowly(body)


def _parse_slowly(body: bytes) -> Any:
    """For what orjson refuses: passes over a byte order mark, and tells JSON that Unicode or a double cannot hold
    from what is no JSON."""
    if body.startswith(_BOM):
        return _parse(body[len(_BOM) :]) if not body.startswith(_BOM * 2) else _not_json()
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        raise _undecodable("the body is not UTF-8") from None
    try:
        return json.loads(text, parse_constant=_no_constant, parse_int=_whole)
    except (ValueError, RecursionError):
        _not_json()


def _not_json() -> NoReturn:
    raise _undecodable("the body is not JSON, or nested too deeply") from None


def _no_constant(_: str) -> NoReturn:
    raise ValueError("JSON has no NaN and no Infinity")


def _whole(digits: str) -> int | float:
    """No field takes a number of 20 digits, so nobody pays for reading one."""
    return int(digits) if len(digits) < 20 else math.inf


def _envelope(document: dict[str, Any]) -> Envelope:
    return _sound(document) or _judged(document)


def _sound(document: dict[str, Any]) -> Envelope | None:
    """The envelope of an ordinary document, whose attributes are all text that can be stored. None: it may be wrong,
    or right in a way that is seldom; then it is judged attribute by attribute."""
    id, source, type_ = names = document.get("id"), document.get("source"), document.get("type")
    for text in names:
        if type(text) is not str or not 0 < len(text) <= MAX_NAME or not is_storable(text):
            return None
    further = _NOTHING if document.keys() <= _ORDINARY else _texts(document)
    if further is None or document.get("specversion") != "1.0":
        return None
    time = document.get("time")
    try:
        moment = None if time is None else instant(time)
    except (ValueError, TypeError):
        return None
    subject = document.get("subject")
    return Envelope(id, source, type_, moment, subject, document.get("data"), further)  # type: ignore[arg-type]


def _texts(document: dict[str, Any]) -> Mapping[str, str] | None:
    """The extension attributes, where all that is seldom is plain text; else None."""
    found = {key: document[key] for key in document.keys() - _ORDINARY}
    for key, text in found.items():
        if type(text) is not str or not is_storable(text) or _is_attribute(key) is None:
            return None
    return {key: text for key, text in found.items() if key not in _OPTIONAL}


def _judged(document: dict[str, Any]) -> Envelope:
    """The envelope of any document. Raises RejectedError with all that is wrong."""
    problems = _shape_problems(document)
    time = document.get("time")
    moment = None
    if time is not None:
        try:
            moment = instant(time)
        except (ValueError, TypeError):
            problems.append("time: must be a date and time with offset as in RFC 3339")
    if problems:
        raise _undecodable(f"the body is no CloudEvents 1.0 object: {one_line(problems)}")
    extensions = _extensions(document)
    _check_text(document, extensions)
    subject = document.get("subject")
    data = document.get("data")
    if data is None and (encoded := document.get("data_base64")) is not None:
        data = _decoded(encoded)
    return Envelope(document["id"], document["source"], document["type"], moment, subject, data, extensions)


def _decoded(encoded: str) -> Any:
    """The data in a `data_base64`."""
    try:
        raw = base64.b64decode(encoded, validate=True)
    except ValueError:
        return UnreadableData("data_base64: must be base64")
    try:
        return _parse(raw)
    except RejectedError:
        return UnreadableData("data_base64: must hold JSON in UTF-8")


def _shape_problems(document: dict[str, Any]) -> list[str]:
    problems = []
    if document.get("specversion") != "1.0":
        problems.append('specversion: must be "1.0"')
    for name in _NAMED:
        value = document.get(name)
        if type(value) is not str or not value:
            problems.append(f"{name}: must be text that is not empty")
    for name in _TEXTS:
        value = document.get(name)
        if value is not None and type(value) is not str:
            problems.append(f"{name}: must be text")
    if document.get("data") is not None and document.get("data_base64") is not None:
        problems.append("data_base64: must not stand beside data")
    problems.extend(_extension_problems(document))
    return problems


def _extension_problems(document: dict[str, Any]) -> list[str]:
    """What is wrong with extension attributes: counted, not named, since a name could be a student's."""
    extensions = document.keys() - _CORE
    misnamed = sum(_is_attribute(key) is None for key in extensions)
    mistyped = sum(document[key] is not None and _attribute(document[key]) is None for key in extensions)
    problems = []
    if misnamed:
        problems.append(f"{counted(misnamed, 'attribute')}: an attribute's name is made of a-z and 0-9")
    if mistyped:
        told = counted(mistyped, "extension attribute")
        problems.append(f"{told}: must be text, a whole number, true or false")
    return problems


def _extensions(document: dict[str, Any]) -> Mapping[str, str | int | bool]:
    if document.keys() <= _CORE:
        return _NOTHING
    attributes = {key: _attribute(value) for key, value in document.items() if key not in _CORE}
    return {key: value for key, value in attributes.items() if value is not None}


def _attribute(value: object) -> str | int | bool | None:
    """What an extension attribute holds, a whole number however JSON writes it; None: no value of one."""
    return value if isinstance(value, (str, int)) else whole_of(value)


def _check_text(document: dict[str, Any], extensions: Mapping[str, object]) -> None:
    problems = [
        f"{name}: must not hold a NUL character or a lone surrogate"
        for name in (*_NAMED, *_OPTIONAL)
        if type(value := document.get(name)) is str and not is_storable(value)
    ]
    if bad := sum(type(value) is str and not is_storable(value) for value in extensions.values()):
        told = counted(bad, "extension attribute")
        problems.append(f"{told}: must not hold a NUL character or a lone surrogate")
    problems += [
        f"{name}: must have at most {MAX_NAME} characters"
        for name in ("id", "source")
        if len(document[name]) > MAX_NAME
    ]
    if not problems:
        return
    if all(is_storable(document[name]) for name in _NAMED):
        bare = Envelope(document["id"], document["source"], document["type"], None, None, None, _NOTHING)
        raise UnsoundError(one_line(problems), bare)
    raise RejectedError("invalid", one_line(problems))


def _undecodable(reason: str) -> RejectedError:
    return RejectedError("undecodable", reason)
