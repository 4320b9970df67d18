"""The habits of the house that no linter knows: one name for one thing, and nothing too large to be read at once."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[2]
MODULES = [
    path
    for room in ("worker", "schemas")
    for path in sorted((ROOT / room).rglob("*.py"))
    if path.name not in ("__init__.py", "__main__.py") and path.parent.name != "versions"
]
LONGEST = 400


def _more_than_once(names: list[str]) -> list[str]:
    return [name for name, times in Counter(names).items() if times > 1]


def test_no_file_name_occurs_twice() -> None:
    assert _more_than_once([path.name for path in MODULES]) == []


def test_no_class_name_occurs_twice() -> None:
    classes = [
        node.name
        for path in MODULES
        for node in ast.parse(path.read_text("utf-8")).body
        if isinstance(node, ast.ClassDef)
    ]
    assert _more_than_once(classes) == []


def test_no_file_is_too_long_to_be_read_at_once() -> None:
    long = [str(path) for path in MODULES if path.read_text("utf-8").count("\n") > LONGEST]
    assert long == []
