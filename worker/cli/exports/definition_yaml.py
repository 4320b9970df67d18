"""YAML for definitions: ids, dates, times and words stay the text that was typed.

PyYAML reads YAML 1.1, in which `10:30` is 630, `on` is true, `2026-08-01` a date and `0012` ten. Here a plain
scalar is null, `true`, `false`, a decimal number, or text. Digits after a leading zero are a school's number
as often as a slip: they are read as `Unquoted`, for the caller to refuse with a hint.
"""

from __future__ import annotations

import re
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import yaml

_UNQUOTED = "!unquoted"
_RESOLVERS = (
    ("tag:yaml.org,2002:null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("tag:yaml.org,2002:bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    (_UNQUOTED, r"[-+]?0[0-9]+(?:\.[0-9]*)?", list("-+0")),
    ("tag:yaml.org,2002:int", r"[-+]?(?:0|[1-9][0-9]*)", list("-+0123456789")),
    (
        "tag:yaml.org,2002:float",
        r"[-+]?(?:[0-9]+\.[0-9]*(?:[eE][-+]?[0-9]+)?|\.(?:inf|Inf|INF))|\.(?:nan|NaN|NAN)",
        list("-+.0123456789"),
    ),
    ("tag:yaml.org,2002:merge", r"<<", ["<"]),
)


@dataclass(frozen=True, slots=True)
class Unquoted:
    """Digits that begin with a zero and stand without quotes."""

    text: str


class DuplicateNameError(yaml.MarkedYAMLError):
    """A name stands twice in one object: one of the two values would be lost."""


class Loader(yaml.SafeLoader):
    """SafeLoader with the scalars above; a name that stands twice is an error."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 -- as PyYAML declares it

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """As SafeLoader's, but no name twice."""
        seen = set()
        for key, _ in node.value:
            if key.tag == "tag:yaml.org,2002:merge":
                continue
            name = self.construct_object(key, deep=True)
            if isinstance(name, Hashable) and name in seen:
                raise DuplicateNameError(problem=f"{key.value} stands twice", problem_mark=key.start_mark)
            if isinstance(name, Hashable):
                seen.add(name)
        return super().construct_mapping(node, deep=deep)

    def construct_unquoted(self, node: yaml.ScalarNode) -> Unquoted:
        """Digits behind a leading zero."""
        return Unquoted(node.value)

    def construct_decimal(self, node: yaml.ScalarNode) -> int:
        """A decimal number; Python declines to read one of thousands of digits (ValueError)."""
        return int(self.construct_scalar(node))


class Dumper(yaml.SafeDumper):
    """SafeDumper that quotes whatever either YAML 1.1 or `Loader` would not read as text."""


for _tag, _pattern, _first in _RESOLVERS:
    _regexp = re.compile(rf"^(?:{_pattern})$")
    Loader.add_implicit_resolver(_tag, _regexp, _first)
    Dumper.add_implicit_resolver(_tag, _regexp, _first)
Loader.add_constructor(_UNQUOTED, Loader.construct_unquoted)
Loader.add_constructor("tag:yaml.org,2002:int", Loader.construct_decimal)


def read_documents(text: str) -> list[Any]:
    """Every YAML document of the text that is not empty. Raises yaml.YAMLError, ValueError, RecursionError."""
    return [document for document in yaml.load_all(text, Loader) if document is not None]


def write_document(document: Any) -> str:
    """A definition as YAML that `read_documents` reads back as it was."""
    return yaml.dump(document, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=100)
