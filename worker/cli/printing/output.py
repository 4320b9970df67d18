"""What commands print: JSON for programs, tables for people; complete when piped, sized to a terminal."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from schemas.shown import mask_passwords, plain
from worker.cli.printing.table_layout import Column as Column
from worker.cli.printing.table_layout import laid_out
from worker.errors import RefusedError, WritebackError
from worker.views.words import instant

if TYPE_CHECKING:
    from rich.console import Console

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
yes_option = click.option("--yes", is_flag=True, help="Do not ask (asked is only on a terminal).")

_PIPED = 80  # columns of a paragraph that no terminal shows
_WIDEST = 110
_COMMAND = re.compile("`[^`]*`")
_KEPT_BLANK = "\ue000"  # of private use: no text has it
_ALARMING: dict[str, Any] = {"fg": "red", "bold": True}
_WAITING: dict[str, Any] = {"fg": "yellow"}
_FINE: dict[str, Any] = {"fg": "green"}
_LIVELY = {
    **dict.fromkeys(("failed", "guarded", "refused", "wrong"), _ALARMING),
    **dict.fromkeys(("waiting", "paused", "held"), _WAITING),
    **dict.fromkeys(("delivered", "ok"), _FINE),
}


class UnreadError(Exception):
    """Whoever read the output has gone (`| head`): nothing more can be said to them, and that is no failure."""


def emit(text: str) -> None:
    """Prints to standard output, at once. Raises UnreadError, WritebackError where it cannot be written there."""
    _echo(plain(text, keep="\n"))


def _echo(text: str) -> None:
    """What is fit to be shown, and colours."""
    with _writing():
        click.echo(text)


def note(text: str) -> None:
    """Prints one line for a person to standard error, without the password of any URL."""
    click.echo(plain(mask_passwords(text)), err=True)


def emit_object(value: Mapping[str, Any]) -> None:
    """One JSON object."""
    emit(dump(value))


def emit_list(items: Iterable[Mapping[str, Any]]) -> None:
    """One flat JSON array, an object a line, written as the items come."""
    separator = "[\n"
    for item in items:
        emit_raw(f"{separator}{dump(item, indent=None)}".encode())
        separator = ",\n"
    emit("\n]" if separator != "[\n" else "[]")


def emit_raw(data: bytes) -> None:
    """Bytes as they are to standard output. Raises as `emit` does."""
    with _writing():
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.flush()


@contextmanager
def _writing() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        _forget_output()
        if isinstance(error, BrokenPipeError):
            raise UnreadError from None
        raise WritebackError(f"the output cannot be written: {error.strerror}") from None


def _forget_output() -> None:
    """What could not be written is still buffered, and the interpreter would try again at its end."""
    with suppress(OSError):
        sink = os.open(os.devnull, os.O_WRONLY)
        os.dup2(sink, sys.stdout.fileno())
        os.close(sink)


def dump(value: object, *, indent: int | None = 2, ascii_only: bool = True) -> str:
    """A value as JSON; instants as RFC 3339 in UTC with Z. Only printable characters (a DEL is none of what JSON
    escapes by itself)."""
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only, default=_json_value)
    return text.replace("\x7f", "\\u007f")


def _json_value(value: object) -> Any:
    if isinstance(value, datetime):
        return instant(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return str(value)


def emit_table(columns: Sequence[Column], rows: Iterable[Sequence[object]], *, empty: str) -> None:
    """A table, or the line `empty`. Piped: every value whole, columns two blanks apart."""
    cells = [["" if value is None else plain(str(value)) for value in row] for row in rows]
    if not cells:
        emit(empty)
    elif on_terminal():
        for line in laid_out(columns, cells, _width(), _painted if _has_colours() else lambda text, _: text):
            _echo(line)
    else:
        for line in _plain_lines(columns, cells):
            emit(line)


def emit_facts(facts: Sequence[tuple[str, object]]) -> None:
    """Lines `name  value`; a fact whose value is None is left out."""
    known = [(name, plain(str(value))) for name, value in facts if value is not None]
    width = max((len(name) for name, _ in known), default=0)
    for name, value in known:
        emit_line(f"{name.ljust(width)}  {value}", hanging=width + 2)


def emit_wrapped(text: str, *, indent: int = 0, hanging: int = 2) -> None:
    """A paragraph, broken between words to fit a terminal (piped: 80 columns), each further line `hanging` deeper.

    No word is broken, nor a command in backticks: what is to be copied is whole.
    """
    lines = textwrap.wrap(
        _COMMAND.sub(lambda found: found[0].replace(" ", _KEPT_BLANK), plain(text)),
        _width(),
        initial_indent=" " * indent,
        subsequent_indent=" " * (indent + hanging),
        break_long_words=False,
        break_on_hyphens=False,
    )
    for line in lines:
        emit(line.replace(_KEPT_BLANK, " "))


def emit_line(text: str, *, hanging: int = 2) -> None:
    """One line; a terminal gets it broken between words, as `emit_wrapped` does."""
    if on_terminal():
        emit_wrapped(text, hanging=hanging)
    else:
        emit(plain(text))


def _width() -> int:
    return min(shutil.get_terminal_size().columns, _WIDEST) if on_terminal() else _PIPED


def _plain_lines(columns: Sequence[Column], cells: list[list[str]]) -> Iterator[str]:
    lines = [[column.title for column in columns], *cells]
    widths = [max(len(line[index]) for line in lines) for index in range(len(columns))]
    for line in lines:
        padded = (
            cell.rjust(width) if column.number else cell.ljust(width)
            for cell, width, column in zip(line, widths, columns, strict=True)
        )
        yield "  ".join(padded).rstrip()


def _has_colours() -> bool:
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _painted(text: str, what: str) -> str:
    """Titles are bold, states in the colour that says whether a person should look."""
    if what == "head":
        return click.style(text, bold=True)
    return click.style(text, **_LIVELY[what]) if what in _LIVELY else text


def console(*, err: bool = False) -> Console:
    """A rich console that takes text as it is; colours only on a terminal, none with NO_COLOR."""
    from rich.console import Console

    return Console(stderr=err, highlight=False, markup=False, emoji=False)


@contextmanager
def spinning(text: str) -> Iterator[Callable[[str], None]]:
    """Shows that something is waited for, on a terminal only; the function given changes the text."""
    if not sys.stderr.isatty():
        yield lambda _text: None
        return
    with console(err=True).status(plain(text)) as status:
        yield lambda changed: status.update(plain(changed))


@contextmanager
def progress(text: str, total: int) -> Iterator[Callable[[int], None] | None]:
    """A progress bar on a terminal; the function given is told how many are done. None: there is no terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.progress import Progress

    with Progress(console=console(err=True), transient=True) as bar:
        task = bar.add_task(text, total=total)
        yield lambda done: bar.update(task, completed=done)


def on_terminal() -> bool:
    """Whether a person reads standard output directly."""
    return sys.stdout.isatty()


def asks(*, yes: bool) -> bool:
    """Whether somebody is there who can be asked, and wants to be."""
    return not yes and sys.stdin.isatty() and sys.stderr.isatty()


def confirm(question: str, *, yes: bool) -> None:
    """Asks on a terminal; where nobody can be asked, or with `yes`, what was typed stands.

    Raises RefusedError where the answer is no.
    """
    if not asks(yes=yes):
        return
    click.echo(f"{plain(question)} [y/N] ", err=True, nl=False)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise RefusedError("not confirmed; nothing was changed")
