"""Wrong options of each kind: refused by name, with the nearest right thing. To add some: a table, a line in TABLES."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from schemas.definition.document import DefinitionError, load
from tests.unit.schemas.builders import definition
from worker.destinations.kinds import option_schemas, record_fields

Wrong = tuple[dict[str, Any], str, str]
"""What is laid over a right `destination`, which option is named, and a part of what is said of it."""

TOKEN = {"secret": "sis"}
BASIC = {"type": "basic", "username": "hero", "password": TOKEN}
OAUTH = {
    "type": "oauth2",
    "token_url": "https://sis.example.org/token",
    "client_id": "hero",
    "client_secret": TOKEN,
}
HTTPS = {
    "type": "https",
    "url": "https://sis.example.org/in",
    "authentication": {"type": "bearer", "token": TOKEN},
}

WRONG_HTTPS: list[Wrong] = [
    ({"url": None}, "url", "must not be null"),
    ({"url": 7}, "url", "must be text"),
    ({"url": "sis.example.org"}, "url", "must begin with https://"),
    ({"url": "ftp://sis.example.org"}, "url", "must begin with https://"),
    ({"url": "https://"}, "url", "must name a host"),
    ({"url": "https://hero:word@sis.example.org"}, "url", "name secrets under authentication"),
    ({"url": "https://sis.example.org/a b"}, "url", "no blank"),
    ({"url": "https://sis.example.org:70000/"}, "url", "is no URL"),
    ({"url": "https://sis.example.org/#a"}, "url", "no #"),
    ({"url": "https://sis.example.org/?api_key=x"}, "url", "must hold no secret, as its api_key may be"),
    ({"url": "https://sis.example.org/{date}"}, "url", "{name} is the only thing in braces"),
    ({"url": "https://sis.example.org/{name}{name}"}, "url", "{name} is the only thing in braces, once"),
    ({"url": "https://sis.example.org/?f={name}", "method": "PUT"}, "url", "{name} belongs into the path"),
    ({"url": "https://sis.example.org/{name}"}, "url", '{name} goes with "method": "PUT"'),
    ({"url": "https://x.org/{name}", "mode": "records", "method": "PUT"}, "url", "records have none"),
    ({"method": "post"}, "method", "must be one of: POST, PUT"),
    ({"method": "GET"}, "method", "must be one of: POST, PUT"),
    ({"mode": "files"}, "mode", "must be one of: file, records"),
    ({"authentication": "Bearer x"}, "authentication", 'must be an object such as {"type": "bearer"'),
    ({"authentication": {}}, "authentication.type", "required; known: bearer, basic, api_key, oauth2"),
    (
        {"authentication": {"type": "token"}},
        "authentication.type",
        'unknown way to log in "token"; known: bearer',
    ),
    ({"authentication": {"type": "bearer"}}, "authentication.token", "required"),
    (
        {"authentication": {"type": "bearer", "token": "x"}},
        "authentication.token",
        "a secret is never written here",
    ),
    (
        {"authentication": {"type": "bearer", "token": {"secret": "A B"}}},
        "authentication.token",
        "1 to 63 of a-z",
    ),
    (
        {"authentication": {"type": "bearer", "key": TOKEN}},
        "authentication.key",
        "does not belong to the way",
    ),
    (
        {"authentication": {**BASIC, "user": "hero"}},
        "authentication.user",
        "unknown option; known: type, username",
    ),
    (
        {"authentication": {**BASIC, "username": "a:b"}},
        "authentication.username",
        "without a colon, or a secret",
    ),
    ({"authentication": {**BASIC, "username": ""}}, "authentication.username", "1 to 256 characters"),
    (
        {"authentication": {**BASIC, "password": "x"}},
        "authentication.password",
        "a secret is never written here",
    ),
    ({"authentication": {"type": "api_key", "key": TOKEN}}, "authentication.header", "required"),
    (
        {"authentication": {"type": "api_key", "key": TOKEN, "header": "X Key:"}},
        "authentication.header",
        "the name of a header, such as X-Api-Key",
    ),
    (
        {"authentication": {**OAUTH, "token_url": "/token"}},
        "authentication.token_url",
        "must begin with https://",
    ),
    (
        {"authentication": {**OAUTH, "client_secret": "x"}},
        "authentication.client_secret",
        "never written here",
    ),
    ({"authentication": {**OAUTH, "client_id": "a b"}}, "authentication.client_id", "without a blank"),
    ({"authentication": {**OAUTH, "scope": "a\nb"}}, "authentication.scope", "must not hold a line break"),
    ({"authentication": {**OAUTH, "credentials_in": "url"}}, "authentication.credentials_in", "header, body"),
    ({"headers": ["X-A: b"]}, "headers", "must be an object"),
    ({"headers": {"Authorization": "Bearer x"}}, "headers", "is a secret: give it under authentication"),
    ({"headers": {"X-Api-Key": "x"}}, "headers", "is a secret: give it under authentication"),
    ({"headers": {"Content-Type": "text/csv"}}, "headers", "Content-Type is set by the program itself"),
    ({"headers": {"Host": "x"}}, "headers", "Host is set by the program itself"),
    ({"headers": {"X A": "b"}}, "headers", "made of letters, digits and -"),
    ({"headers": {"X-A": "b\r\nX-B: c"}}, "headers", "plain (ASCII) characters"),
    ({"headers": {"X-A": 5}}, "headers", "plain (ASCII) characters"),
    ({"timeout_seconds": 0}, "timeout_seconds", "1 to 600"),
    ({"timeout_seconds": "30"}, "timeout_seconds", "whole number"),
    ({"retry_after_max_seconds": -1}, "retry_after_max_seconds", "86400"),
    ({"rows_a_request": 10}, "rows_a_request", 'goes with "mode": "records"'),
    ({"parallel": 2}, "parallel", 'goes with "mode": "records"'),
    ({"mode": "records", "rows_a_request": 0}, "rows_a_request", "1 to 500"),
    ({"token": TOKEN}, "token", "unknown option; known: "),
    ({"verify": False}, "verify", "unknown option; known: "),
    ({"if_exists": "replace"}, "if_exists", "unknown option; known: "),
]

TABLES: dict[str, tuple[dict[str, Any], list[Wrong]]] = {
    "https": (HTTPS, WRONG_HTTPS),
}


def _every() -> Iterator[Any]:
    for kind, (right, wrongs) in TABLES.items():
        for number, (over, option, told) in enumerate(wrongs):
            yield pytest.param({**right, **over}, option, told, id=f"{kind}-{number}-{option}")


@pytest.mark.parametrize(("destination", "option", "told"), list(_every()))
def test_a_wrong_option_is_refused_by_name_with_the_nearest_right_thing(
    destination: dict[str, Any], option: str, told: str
) -> None:
    with pytest.raises(DefinitionError) as refused:
        load(definition("destination", destination), option_schemas(), record_fields)
    problems = [
        problem for problem in refused.value.problems if problem.startswith(f"destination.{option}: ")
    ]
    assert len(problems) == 1, refused.value.problems
    assert told in problems[0]


@pytest.mark.parametrize("kind", TABLES)
def test_what_the_table_begins_from_is_right(kind: str) -> None:
    right, _ = TABLES[kind]
    load(definition("destination", right), option_schemas(), record_fields)
