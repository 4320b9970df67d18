"""What `writeback publish` does: every line read and placed first, then all published with confirms."""

from __future__ import annotations

import json
import sys
import tempfile
from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, overload

import orjson

from schemas.topology import EVENTS_EXCHANGE, QUEUES, exchange_for
from worker.bootstrap import Program
from worker.broker.ports import Outgoing
from worker.cli.printing.output import emit, note, progress
from worker.errors import RefusedError, WritebackError
from worker.views.words import counted

_RAW_KEY = "tardy.recorded"
_LONGEST_NAME = 255  # bytes: what AMQP allows a routing key and a message id
_MOST_PROBLEMS = 20
_BOM = b"\xef\xbb\xbf"


def publish_file(program: Program, file: str, *, raw: bool) -> None:
    """Publishes the lines. Raises RefusedError (a line is wrong), WritebackError (no queue took a message)."""
    with _opened(file) as stream:
        lines = Lines(stream, raw=raw)
        problems = lines.problems()
        if problems:
            _refuse("standard input" if file == "-" else file, problems)
        program.broker.prepare()
        with progress("publishing", len(lines)) as advance:
            lost = program.broker.operator().publish_all(lines, advance)
    emit(f"{counted(len(lines) - lost, 'message')} published")
    if lost:
        taken = ", ".join(pattern for queue in QUEUES for pattern in queue.patterns if pattern)
        raise WritebackError(
            f"{counted(lost, 'message')} of {len(lines)} went to no queue: no queue takes that type ({taken})"
        )


def _refuse(file: str, problems: Sequence[str]) -> None:
    for problem in problems[:_MOST_PROBLEMS]:
        note(f"{file}: {problem}")
    more = f" ({len(problems) - _MOST_PROBLEMS} more not shown)" if len(problems) > _MOST_PROBLEMS else ""
    raise RefusedError(f"{file}: {counted(len(problems), 'line')} cannot be published{more}; nothing was")


@contextmanager
def _opened(file: str) -> Iterator[IO[bytes]]:
    """The file; standard input by way of a nameless temporary file, since it is read twice."""
    if file != "-":
        with _open(Path(file)) as stream:
            yield stream
        return
    given = sys.stdin.buffer
    with tempfile.TemporaryFile() as spool:
        while chunk := given.read(1024 * 1024):
            spool.write(chunk)
        yield spool


def _open(file: Path) -> IO[bytes]:
    try:
        return file.open("rb")
    except OSError as error:
        raise RefusedError(f"{file}: it cannot be read: {error.strerror}") from None


class Lines(Sequence[Outgoing]):
    """The messages of a file, read from it when they are asked for: a large file needs little memory."""

    def __init__(self, stream: IO[bytes], *, raw: bool) -> None:
        """Finds where each line begins. Lines that are blank are none, but for `raw`. Raises RefusedError."""
        self._stream = stream
        self._raw = raw
        self._starts = array("Q")
        self._numbers = array("Q")
        try:
            self._find()
        except OSError as error:
            raise RefusedError(f"the file cannot be read: {error.strerror}") from None

    def _find(self) -> None:
        start = 0
        self._stream.seek(0)
        for number, line in enumerate(self._stream, start=1):
            if self._raw or line.strip():
                self._starts.append(start)
                self._numbers.append(number)
            start += len(line)

    def problems(self) -> list[str]:
        """What is wrong, a text `line N: …` for each line that is no JSON object with a type."""
        if self._raw:
            return []
        return [
            f"line {number}: {problem}"
            for index, number in enumerate(self._numbers)
            if isinstance(problem := _document(self._line(index)), str)
        ]

    def __len__(self) -> int:
        return len(self._starts)

    @overload
    def __getitem__(self, index: int) -> Outgoing: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Outgoing]: ...
    def __getitem__(self, index: int | slice) -> Outgoing | Sequence[Outgoing]:
        if isinstance(index, slice):
            return [self[one] for one in range(*index.indices(len(self)))]
        line = self._line(index)
        if self._raw:
            return Outgoing(EVENTS_EXCHANGE, _RAW_KEY, line, vouched=True)
        document = _document(line)
        if isinstance(document, str):
            raise RefusedError(f"line {self._numbers[index]} has changed since it was read; publish it anew")
        return _outgoing(line, document)

    def _line(self, index: int) -> bytes:
        start = self._starts[index]
        self._stream.seek(start)
        line = self._stream.readline()
        line = line.removesuffix(b"\n").removesuffix(b"\r")
        return line.removeprefix(_BOM) if start == 0 and not self._raw else line


def _document(line: bytes) -> dict[str, Any] | str:
    """The line's object, or what is wrong with it; only its type is looked at."""
    try:
        document = _parsed(line)
    except (ValueError, RecursionError):
        return "it is not JSON"
    if not isinstance(document, dict):
        return "it is JSON, but no object"
    kind = document.get("type")
    if not isinstance(kind, str) or not kind:
        return "it has no type"
    if not _fits(kind):
        return f"its type has more than {_LONGEST_NAME} bytes or a character that has no UTF-8 form"
    return document


def _parsed(line: bytes) -> Any:
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        return json.loads(line)  # also takes what no double or UTF-8 can hold: judging that is not done here


def _fits(name: str) -> bool:
    try:
        return len(name.encode()) <= _LONGEST_NAME
    except UnicodeEncodeError:
        return False


def _outgoing(line: bytes, document: dict[str, Any]) -> Outgoing:
    kind, message_id = document["type"], document.get("id")
    named = isinstance(message_id, str) and message_id and _fits(message_id)
    return Outgoing(exchange_for(kind), kind, line, message_id=message_id if named else None, vouched=True)
