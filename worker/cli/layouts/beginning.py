"""A definition begun with a layout: put together, judged where nothing is left to fill in, written with comments."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schemas.definition.document import DefinitionError
from schemas.definition.document import load as load_document
from schemas.layouts.draft import Given, blanks
from schemas.layouts.layout import SURE_WORDS
from worker.cli.exports.definition_yaml import write_document
from worker.cli.printing.output import dump, emit, note
from worker.destinations.kinds import option_schemas, record_fields
from worker.errors import RefusedError
from worker.views.exports.known_layouts import KnownLayout, one_layout, started
from worker.views.words import counted

_WIDTH = 100


@dataclass(frozen=True, slots=True)
class Start:
    """What was typed; `destination` as JSON."""

    export_id: str | None
    schools: Sequence[str]
    codes: Sequence[str]
    time_zone: str | None
    at: Sequence[str]
    destination: str | None


def start(name: str, typed: Start, output: str | None, *, as_json: bool) -> None:
    """Prints the definition, or writes it to the file. Raises RefusedError: no such layout, a definition that is
    whole and wrong, a file that is there already."""
    known = one_layout(name)
    document = started(known, _given(typed))
    left = list(blanks(document))
    if not left:
        _judge(document)
    written = dump(document) if _is_json(output, as_json=as_json) else "\n".join(_commented(known, document))
    if output is None:
        emit(written)
    else:
        _write(output, written + "\n")
    if left:
        note(f"writeback: to fill in: {', '.join(left)}")


def _given(typed: Start) -> Given:
    where = None if typed.destination is None else _destination(typed.destination)
    return Given(typed.export_id, typed.schools, typed.codes, typed.time_zone, typed.at, where)


def _destination(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise RefusedError(
            '--destination: must be a JSON object, such as {"type": "directory", "path": "outbox"}'
        )
    return found


def _judge(document: Mapping[str, Any]) -> None:
    try:
        load_document(dict(document), option_schemas(), record_fields)
    except DefinitionError as error:
        for problem in error.problems:
            note(problem)
        raise RefusedError(f"{counted(len(error.problems), 'problem')}; nothing was written") from None


def _is_json(output: str | None, *, as_json: bool) -> bool:
    """`exports apply` reads a file by its ending."""
    return as_json or (output is not None and Path(output).suffix.lower() == ".json")


def _write(output: str, text: str) -> None:
    try:
        with Path(output).open("x", encoding="utf-8") as stream:
            stream.write(text)
    except FileExistsError:
        raise RefusedError(f"{output} is there already; name another file") from None
    except OSError as error:
        raise RefusedError(f"{output} cannot be written: {error.strerror}") from None
    emit(f"{output} is written; `writeback exports apply {output} --check` says what is left to do")


def _commented(known: KnownLayout, document: Mapping[str, Any]) -> Iterator[str]:
    """The definition as YAML, a part at a time, under what is to be known of it."""
    yield from _head(known)
    for name, part in document.items():
        yield ""
        yield from _comments(known, name, part)
        yield from write_document({name: part}).rstrip("\n").split("\n")


def _head(known: KnownLayout) -> Iterator[str]:
    layout = known.layout
    yield from _comment(layout.title)
    yield from _comment(f"How sure: {layout.sure} ({SURE_WORDS[layout.sure]}). {layout.grounds}")
    for title, steps in (("On the receiver's side:", layout.setup), ("For you to see to:", layout.supply)):
        if steps:
            yield "#"
            yield from _comment(title)
        for number, step in enumerate(steps, start=1):
            yield from _comment(f"{number}. {step}", indent="  ")


def _comments(known: KnownLayout, name: str, part: Any) -> Iterator[str]:
    left = list(blanks(part, name))
    if left:
        yield from _comment(f"FILL IN {', '.join(left)}.")
    if name in known.remarks:
        yield from _comment(known.remarks[name])
    if name == "destination" and known.example is not None:
        yield from _comment(f"For example: {json.dumps(known.example)}")


def _comment(text: str, indent: str = "") -> list[str]:
    return textwrap.wrap(
        text,
        _WIDTH,
        initial_indent=f"# {indent}",
        subsequent_indent=f"# {indent}{'   ' if indent else ''}",
        break_long_words=False,
        break_on_hyphens=False,
    )
