"""Files of definitions, JSON or YAML: read whole, judged whole, every problem named with where it stands."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import yaml

from schemas.definition.document import DefinitionError
from schemas.definition.document import load as load_document
from schemas.rejections import shown
from worker.actions.saving import Valid
from worker.cli.exports.definition_yaml import Unquoted, read_documents
from worker.destinations.kinds import option_schemas, record_fields

LARGEST = 32 * 1024 * 1024
STANDARD_INPUT = "-"


@dataclass(frozen=True, slots=True)
class DefinitionFile:
    """One definition as it stands in a file; `where` is `FILE` or `FILE: document N`."""

    where: str
    raw: Any


class UnreadableFileError(Exception):
    """A file that is neither JSON nor YAML, or not there; the text says why."""


def judge_files(files: Sequence[str]) -> tuple[list[Valid], list[str]]:
    """The valid definitions of the files, and every problem as `FILE[: document N]: path: what`."""
    valid: list[Valid] = []
    problems: list[str] = []
    for file in files:
        try:
            given = read_file(file)
        except UnreadableFileError as error:
            problems.append(f"{_name(file)}: {error}")
            continue
        for one in given:
            problems += [f"{one.where}: {problem}" for problem in _judge(one, valid)]
    return valid, problems + _repeated(valid)


def read_file(file: str) -> list[DefinitionFile]:
    """The definitions of one file (`-`: standard input). Raises UnreadableError."""
    text = _text(file)
    documents = [
        inner for outer in _parsed(text, file) for inner in (outer if isinstance(outer, list) else [outer])
    ]
    if not documents:
        raise UnreadableFileError("there is no definition in it")
    name = _name(file)
    if len(documents) == 1:
        return [DefinitionFile(name, documents[0])]
    return [
        DefinitionFile(f"{name}: document {number}", raw) for number, raw in enumerate(documents, start=1)
    ]


def _name(file: str) -> str:
    return "standard input" if file == STANDARD_INPUT else file


def _text(file: str) -> str:
    try:
        if file == STANDARD_INPUT:
            data = sys.stdin.buffer.read(LARGEST + 1)
        else:
            with Path(file).open("rb") as stream:
                data = stream.read(LARGEST + 1)
    except OSError as error:
        raise UnreadableFileError(f"it cannot be read: {error.strerror}") from None
    if len(data) > LARGEST:
        raise UnreadableFileError(f"it is larger than {LARGEST // 2**20} MiB; split it")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnreadableFileError(f"it is not UTF-8 (byte {error.start + 1})") from None


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
        raise UnreadableFileError(f"it is not JSON: {error.msg} (line {error.lineno})") from None
    except ValueError as error:
        raise UnreadableFileError(f"it is not JSON: {error}") from None
    except RecursionError:
        raise UnreadableFileError("it is nested too deeply") from None


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
        raise UnreadableFileError(f"it is not YAML: {shown(error.problem or error.context)}{where}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        said = "it holds a character that YAML does not allow, or a number too long"
        raise UnreadableFileError(
            "it is nested too deeply" if isinstance(error, RecursionError) else said
        ) from None


def _judge(given: DefinitionFile, valid: list[Valid]) -> list[str]:
    """Every problem of a definition; one without any is added to `valid`."""
    raw, unquoted = _quoted(given.raw)
    try:
        document = load_document(raw, option_schemas(), record_fields)
    except DefinitionError as error:
        return unquoted + error.problems
    if not unquoted:
        valid.append(Valid(given.where, document))
    return unquoted


def _quoted(raw: Any) -> tuple[Any, list[str]]:
    """The same with every number with a leading zero as text, and where they stood.

    Anchors may make a list hold itself: each is looked into once.
    """
    top = [raw]
    problems: list[str] = []
    waiting: list[tuple[str, Any]] = [("", top)]
    seen: set[int] = set()
    while waiting:
        path, value = waiting.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        for key, inner_path, inner in _inner(path, value, outermost=value is top):
            if isinstance(inner, Unquoted):
                problems.append(_told_to_quote(inner_path, inner))
                value[key] = inner.text
            elif isinstance(inner, (dict, list)):
                waiting.append((inner_path, inner))
        if isinstance(value, dict):
            problems += [_told_to_quote(path, key) for key in value if isinstance(key, Unquoted)]
            _quote_names(value)
    return top[0], problems


def _inner(path: str, value: Any, *, outermost: bool) -> list[tuple[Any, str, Any]]:
    """(key or index, path, value) of what is in a list or object."""
    if isinstance(value, list):
        return [(index, path if outermost else f"{path}[{index}]", one) for index, one in enumerate(value)]
    names = {key: shown(key.text if isinstance(key, Unquoted) else key) for key in value}
    return [(key, f"{path}.{names[key]}" if path else names[key], one) for key, one in value.items()]


def _quote_names(value: dict[Any, Any]) -> None:
    if any(isinstance(key, Unquoted) for key in value):
        renamed = {key.text if isinstance(key, Unquoted) else key: one for key, one in value.items()}
        value.clear()
        value.update(renamed)


def _told_to_quote(path: str, found: Unquoted) -> str:
    where = f"{path}: " if path else ""
    return (
        f"{where}{found.text} without quotes is a number, whose leading zero means nothing;"
        f' if it is an id or a code, put it in quotes: "{found.text}"'
    )


def _repeated(valid: Sequence[Valid]) -> list[str]:
    first: dict[str, str] = {}
    return [
        f"{one.where}: export_id: {one.export_id} also stands in {earlier}; keep one of the two"
        for one in valid
        if (earlier := first.setdefault(one.export_id, one.where)) != one.where
    ]
