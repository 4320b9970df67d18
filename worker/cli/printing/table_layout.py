"""How rows are laid out for a terminal: as a table where it fits, else record by record. What is to be read whole or
copied (an id, a file name, a time, a checksum) is never broken; only prose is wrapped, between its words."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

GAP = 2
_NARROWEST_PROSE = 20
_INDENT = "  "

#: Gives a piece of text its look: (text, what it is: `head` or the cell it stands in).
Paint = Callable[[str, str], str]


@dataclass(frozen=True, slots=True)
class Column:
    """A table's column. `prose`: a sentence, which may be wrapped between its words; all else stays whole."""

    title: str
    number: bool = False
    prose: bool = False


def laid_out(
    columns: Sequence[Column], cells: Sequence[Sequence[str]], width: int, paint: Paint = lambda text, _: text
) -> Iterator[str]:
    """The lines of a table of that width, or of records where it would be wider."""
    for chosen in (list(range(len(columns))), _filled(columns, cells)):
        some = [columns[index] for index in chosen]
        picked = [[line[index] for index in chosen] for line in cells]
        if (widths := _widths(some, picked, width)) is not None:
            yield from _table(some, picked, widths, paint)
            return
    yield from _records(columns, cells, width, paint)


def _filled(columns: Sequence[Column], cells: Sequence[Sequence[str]]) -> list[int]:
    """The columns in which anything stands: where room is short the others are left out."""
    return [index for index in range(len(columns)) if index == 0 or any(line[index] for line in cells)]


def _widths(columns: Sequence[Column], cells: Sequence[Sequence[str]], width: int) -> list[int] | None:
    """The columns' widths in a table that fits; None: it does not, however prose is wrapped."""
    natural = [
        max(_wide(column.title), *(_wide(line[index]) for line in cells))
        for index, column in enumerate(columns)
    ]
    room = width - GAP * (len(columns) - 1)
    if sum(natural) <= room:
        return natural
    prose = [index for index, column in enumerate(columns) if column.prose]
    least = {
        index: min(natural[index], max(_NARROWEST_PROSE, _longest_word(index, cells))) for index in prose
    }
    left = room - sum(wide for index, wide in enumerate(natural) if index not in least) - sum(least.values())
    if not prose or left < 0:
        return None
    for index in prose:
        more = min(left, natural[index] - least[index])
        natural[index], left = least[index] + more, left - more
    return natural


def _longest_word(index: int, cells: Sequence[Sequence[str]]) -> int:
    return max((_wide(word) for line in cells for word in line[index].split()), default=0)


def _wide(text: str) -> int:
    """How many columns of a terminal the text takes."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def _table(
    columns: Sequence[Column], cells: Sequence[Sequence[str]], widths: Sequence[int], paint: Paint
) -> Iterator[str]:
    titles = [column.title for column in columns]
    yield _line(columns, titles, widths, lambda text, _: paint(text, "head"))
    for line in cells:
        folded = [
            wrapped(cell, wide) if column.prose else [cell]
            for cell, wide, column in zip(line, widths, columns, strict=True)
        ]
        for depth in range(max(map(len, folded))):
            pieces = [piece[depth] if depth < len(piece) else "" for piece in folded]
            yield _line(columns, pieces, widths, paint)


def _line(columns: Sequence[Column], pieces: Sequence[str], widths: Sequence[int], paint: Paint) -> str:
    padded = []
    for column, piece, wide in zip(columns, pieces, widths, strict=True):
        blank = " " * (wide - _wide(piece))
        painted = paint(piece, piece)
        padded.append(blank + painted if column.number else painted + blank)
    return (" " * GAP).join(padded).rstrip()


def _records(
    columns: Sequence[Column], cells: Sequence[Sequence[str]], width: int, paint: Paint
) -> Iterator[str]:
    """Each row by itself: its first cell, and below it what else is known, by name."""
    named = max(_wide(column.title) for column in columns[1:])
    hanging = len(_INDENT) + named + GAP
    for number, line in enumerate(cells):
        if number:
            yield ""
        yield paint(line[0], "head")
        for column, cell in zip(columns[1:], line[1:], strict=True):
            if cell:
                first, *more = wrapped(cell, width - hanging) if column.prose else [cell]
                title = column.title.lower() + " " * (named - _wide(column.title))
                yield f"{_INDENT}{title}{' ' * GAP}{paint(first, cell)}"
                yield from (" " * hanging + paint(piece, cell) for piece in more)


def wrapped(text: str, width: int) -> list[str]:
    """The text in lines of that width, broken between words alone; one empty line for no text."""
    return textwrap.wrap(text, max(width, 1), break_long_words=False, break_on_hyphens=False) or [""]
