"""Files of definitions, JSON or YAML: read whole, judged whole, every problem named with where it stands."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import click
import yaml

from schemas.definition import DefinitionError
from schemas.definition import load as load_document
from schemas.errors import shown
from worker.cli.definition_yaml import Unquoted, read_documents
from worker.destinations.registry import DESTINATIONS

LARGEST = 32 * 1024 * 1024
STANDARD_INPUT = "-"


@dataclass(frozen=True, slots=True)
class Given:
    """One definition as it stands in a file; `where` is `FILE` or `FILE: document N`."""

    where: str
    raw: Any


@dataclass(frozen=True, slots=True)
class Valid:
    """One definition that may be saved."""

    where: str
    document: dict[str, Any]


class UnreadableError(Exception):
    """A file that is neither JSON nor YAML, or not there; the text says why."""


def judge_files(files: Sequence[str]) -> tuple[list[Valid], list[str]]:
    """The valid definitions of the files, and every problem as `FILE[: document N]: path: what`."""
    valid: list[Valid] = []
    problems: list[str] = []
    for file in files:
        try:
            given = read_file(file)
        except UnreadableError as error:
            problems.append(f"{_name(file)}: {error}")
            continue
        for one in given:
            found = list(_unquoted(one.raw)) or _judge(one, valid)
            problems += [f"{one.where}: {problem}" for problem in found]
    return valid, problems + _repeated(valid)


def read_file(file: str) -> list[Given]:
    """The definitions of one file (`-`: standard input). Raises UnreadableError."""
    text = _text(file)
    documents = [
        inner for outer in _parsed(text, file) for inner in (outer if isinstance(outer, list) else [outer])
    ]
    if not documents:
        raise UnreadableError("there is no definition in it")
    name = _name(file)
    if len(documents) == 1:
        return [Given(name, documents[0])]
    return [Given(f"{name}: document {number}", raw) for number, raw in enumerate(documents, start=1)]


def _name(file: str) -> str:
    return "standard input" if file == STANDARD_INPUT else file


def _text(file: str) -> str:
    try:
        if file == STANDARD_INPUT:
            data = click.get_binary_stream("stdin").read(LARGEST + 1)
        else:
            with Path(file).open("rb") as stream:
                data = stream.read(LARGEST + 1)
    except OSError as error:
        raise UnreadableError(f"it cannot be read: {error.strerror}") from None
    if len(data) > LARGEST:
        raise UnreadableError(f"it is larger than {LARGEST // 2**20} MiB; split it")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnreadableError(f"it is not UTF-8 (byte {error.start + 1})") from None


def _parsed(text: str, file: str) -> list[Any]:
    """By the file's ending; where that says nothing JSON is tried first, and what begins like it must be it."""
    ending = Path(file).suffix.lower()
    if ending in (".yaml", ".yml"):
        return _yaml(text)
    looks_like_json = text.lstrip()[:1] in ("{", "[")
    if ending == ".json" or looks_like_json:
        return [_json(text)]
    return _yaml(text)


def _json(text: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_no_name_twice, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise UnreadableError(f"it is not JSON: {error.msg} (line {error.lineno})") from None
    except ValueError as error:
        raise UnreadableError(f"it is not JSON: {error}") from None
    except RecursionError:
        raise UnreadableError("it is nested too deeply") from None


def _no_name_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{shown(twice)} stands twice in one object")
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number in JSON")


def _yaml(text: str) -> list[Any]:
    try:
        return read_documents(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f" (line {mark.line + 1})" if mark is not None else ""
        raise UnreadableError(f"it is not YAML: {shown(error.problem or error.context)}{where}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        said = "it holds a character that YAML does not allow, or a number too long"
        raise UnreadableError(
            "it is nested too deeply" if isinstance(error, RecursionError) else said
        ) from None


def _judge(given: Given, valid: list[Valid]) -> list[str]:
    try:
        document = load_document(given.raw, {name: kind.schema for name, kind in DESTINATIONS.items()})
    except DefinitionError as error:
        return error.problems
    valid.append(Valid(given.where, document))
    return []


def _unquoted(raw: Any) -> Iterator[str]:
    """Every number with a leading zero, with its path; anchors that hold themselves end the search."""
    waiting: list[tuple[str, Any]] = [("", raw)]
    seen: set[int] = set()
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, Unquoted):
            yield (
                f"{path}: {value.text} without quotes is a number, whose leading zero means nothing;"
                f' if it is an id or a code, put it in quotes: "{value.text}"'
            )
        elif isinstance(value, (dict, list)) and id(value) not in seen:
            seen.add(id(value))
            waiting.extend(reversed(list(_inner(path, value))))


def _inner(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, list):
        yield from ((f"{path}[{index}]", inner) for index, inner in enumerate(value))
        return
    for key, inner in value.items():
        if isinstance(key, Unquoted):
            yield path, key
        name = shown(key.text if isinstance(key, Unquoted) else key)
        yield (f"{path}.{name}" if path else name), inner


def _repeated(valid: Sequence[Valid]) -> list[str]:
    first: dict[str, str] = {}
    return [
        f"{one.where}: export_id: {one.document['export_id']} also stands in {earlier}; keep one of the two"
        for one in valid
        if (earlier := first.setdefault(one.document["export_id"], one.where)) != one.where
    ]
