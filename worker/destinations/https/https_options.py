"""Options of an `https` destination, each refused with the nearest right thing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from marshmallow import ValidationError, validates_schema

from schemas.fields.scalars import Choice, ScalarMap, Whole
from worker.destinations.http.authentication import HEADER_NAME, Authentication
from worker.destinations.http.web_options import Url
from worker.destinations.records.record_options import RecordSchema

NAME = "{name}"
_RECORDS_ONLY = ("rows_a_request", "parallel")

_is_header_name = re.compile(HEADER_NAME).fullmatch
_is_header_value = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,498}[\x21-\x7e])?").fullmatch
_sounds_secret = re.compile(
    "key|token|secret|passw|pwd|signature|^sig$|auth|credential", re.IGNORECASE
).search
_OURS = frozenset(
    {
        *("accept-encoding", "connection", "content-digest", "content-disposition", "content-encoding"),
        *(
            "content-length",
            "content-type",
            "cookie",
            "expect",
            "host",
            "idempotency-key",
            "keep-alive",
            "te",
        ),
        *("trailer", "transfer-encoding", "upgrade", "user-agent"),
    }
)


class HttpsUrl(Url):
    """An address with, for PUT, `{name}` where the file's name goes, and no secret in its query."""

    def check(self, value: Any) -> str:
        text = super().check(value)
        if {"{", "}"} & set(text.replace(NAME, "", 1)):
            raise ValidationError("{name} is the only thing in braces, once, where the file's name goes")
        query = urlsplit(text).query
        if NAME in text and NAME not in urlsplit(text).path:
            raise ValidationError(
                "{name} belongs into the path, such as https://sis.example.org/inbox/{name}"
            )
        if found := [name for name, _ in parse_qsl(query, keep_blank_values=True) if _sounds_secret(name)]:
            raise ValidationError(
                f"must hold no secret, as its {found[0][:40]} may be; give secrets by name under authentication"
            )
        return text


class Headers(ScalarMap):
    """Header → value; none that is ours to say, none that is a secret."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(nulls=False, longest_key=100, most=20, longest=500, **kwargs)

    def check(self, value: Any) -> dict[str, Any]:
        headers = super().check(value)
        for name, given in headers.items():
            if problem := _header_problem(name, given):
                raise ValidationError(problem)
        return headers


def _header_problem(name: str, value: Any) -> str | None:
    if _is_header_name(name) is None:
        return "a header's name is made of letters, digits and -"
    if name.lower() in _OURS:
        return f"{name} is set by the program itself; leave it out"
    if _sounds_secret(name):
        return f"{name} is a secret: give it under authentication"
    if type(value) is not str or _is_header_value(value) is None:
        return f"{name}: a header's value is text of 1 to 500 plain (ASCII) characters"
    return None


class HttpsSchema(RecordSchema):
    """Options of an `https` destination; without `authentication` nobody logs in."""

    url = HttpsUrl(required=True, about="Where requests go. For PUT of files it may hold {name}.")
    method = Choice("POST", "PUT", about="Default POST.")
    mode = Choice("file", "records", about="A run as one file (default), or its rows as JSON.")
    authentication = Authentication(about="How to log in; docs/https.md has the options of each way.")
    headers = Headers(about="Further headers of each request; no secrets.")
    rows_a_request = Whole(1, 500, about="Records in one request at the most; default 1.")

    @validates_schema
    def _judge(self, data: Mapping[str, Any], **_: Any) -> None:
        problems = {}
        if NAME in data.get("url", ""):
            if takes_records(data):
                problems["url"] = ["{name} is a file's name: records have none; leave it out"]
            elif data.get("method", "POST") != "PUT":
                problems["url"] = ['{name} goes with "method": "PUT"; with POST the name is in a header']
        if not takes_records(data):
            for option in _RECORDS_ONLY:
                if option in data:
                    problems[option] = ['goes with "mode": "records"; a file is one request']
        if problems:
            raise ValidationError(problems)


def takes_records(options: Mapping[str, Any]) -> bool:
    """Whether rows go as records."""
    return bool(options.get("mode") == "records")


def place(options: Mapping[str, Any], _places: object) -> str:
    """Which place it is: the address."""
    return str(options["url"])
