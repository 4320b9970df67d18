"""What a layout is: parts of a definition, how sure they are, and what a person has to do beside them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Sure = Literal["high", "fairly", "agree", "kind"]

SURE_WORDS: Mapping[Sure, str] = {
    "high": "as the receiver's own pages have it",
    "fairly": "published, but not by the receiver",
    "kind": "as sure as its kind of destination, which fills these by itself",
    "agree": "no fixed layout is published: agree it with the receiver before you rely on it",
}


@dataclass(frozen=True, slots=True)
class Layout:
    """One layout.

    `sure` says how far to trust it, `grounds` where it is from and what is not certain. `parts` are those of a
    definition that it fills; `destination` is an example, in which None is what only the district knows. `setup` are
    the steps on the receiver's side, `supply` what the district still has to see to, a sentence each.
    """

    name: str
    title: str
    sure: Sure
    grounds: str
    parts: Mapping[str, Any]
    destination: Mapping[str, Any]
    setup: tuple[str, ...]
    supply: tuple[str, ...]


def sftp(secret: str, **options: Any) -> dict[str, Any]:
    """An example of an SFTP destination that logs in with a password by that name."""
    return {
        "type": "sftp",
        "host": None,
        "username": None,
        "password": {"secret": secret},
        "known_host_key": None,
        "path": None,
        **options,
    }


def column(field: str, header: str, **options: Any) -> dict[str, Any]:
    """An entry of `fields`."""
    return {"field": field, "header": header, **options}


def needed(field: str, header: str, **options: Any) -> dict[str, Any]:
    """An entry of `fields` without whose value no row goes."""
    return column(field, header, required=True, **options)
