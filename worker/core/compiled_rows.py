"""The rows of one definition, with all that it says of its columns worked out once.

What is seen at a glance to be right goes out as it stands; whatever is not is left to `worker.core.rows`, column by
column, and a row that cannot go out is left to `build_row`, which words why. So this decides nothing by itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import date
from functools import lru_cache
from typing import Any

from worker.core.definition import Definition, FieldSpec, FileSpec
from worker.core.formats import FORMATS
from worker.core.rows import (
    COMPUTED,
    Native,
    Tardy,
    Unwritable,
    Value,
    build_row,
    formatted,
    path_of,
    written_in,
)

Cell = Callable[[Native], Value]
Column = Callable[[Tardy, str, int], Value]

_REMEMBERED = 2048
"""Of a column the texts last written, where writing one is work: a file has few codes, periods and grades."""


class RowBuilder:
    """Builds the rows of one definition."""

    def __init__(self, definition: Definition) -> None:
        self._definition = definition
        self._columns = [_column(spec, definition.file) for spec in definition.fields]

    def row(self, tardy: Tardy, action: str, line: int) -> list[Value]:
        """As `build_row`. Raises Unwritable."""
        try:
            return [column(tardy, action, line) for column in self._columns]
        except Unwritable:
            return build_row(self._definition, tardy, action=action, line=line)


def _column(spec: FieldSpec, file: FileSpec) -> Column:
    cell, name, constant = _cell(spec, file), spec.field, spec.constant
    if name is None:
        return lambda tardy, action, line: cell(constant)
    if name == "action":
        return lambda tardy, action, line: cell(action)
    if name == "row_number":
        return lambda tardy, action, line: cell(line)
    rule = COMPUTED.get(name)
    if rule is None:
        return _plain(path_of(name), cell)
    if spec.default is None:
        return lambda tardy, action, line: cell(rule(tardy))
    return _with_default(rule, cell)


def _with_default(rule: Callable[[Tardy], Native], cell: Cell) -> Column:
    def column(tardy: Tardy, _action: str, _line: int) -> Value:
        try:
            native = rule(tardy)
        except Unwritable:
            native = None
        return cell(native)

    return column


def _plain(path: tuple[str, ...] | None, cell: Cell) -> Column:
    """What stands in the document itself."""
    if path is None:
        return _unknown
    *parts, last = path

    def column(tardy: Tardy, _action: str, _line: int) -> Value:
        value: Any = tardy.document
        for part in parts:
            value = value.get(part)
            if not isinstance(value, (dict, Mapping)):
                return cell(None)
        return cell(value.get(last))

    return column


def _unknown(_tardy: Tardy, _action: str, _line: int) -> Value:
    raise Unwritable("field-unknown", "")  # `build_row` says which


def _cell(spec: FieldSpec, file: FileSpec) -> Cell:
    """How a value of the column is written, and whether it may stand there. Raises Unwritable."""

    def asked(native: Native) -> Value:
        return written_in(spec, native, file)

    remembered = lru_cache(_REMEMBERED)(asked)
    if spec.map is not None or spec.case is not None:
        return lambda native: remembered(native) if type(native) is str or native is None else asked(native)
    room = _room(spec, file)

    def cell(native: Native) -> Value:
        if type(native) is str:
            is_plain = native.isascii() and native.isprintable() and 0 < len(native) <= room
            return native if is_plain else remembered(native)
        if native is None or type(native) is date:
            return remembered(native)
        if type(native) is int:
            return native if room == math.inf else asked(native)
        text = formatted(spec, native)
        is_plain = type(text) is str and text.isascii() and text.isprintable() and 0 < len(text) <= room
        return text if is_plain else asked(native)

    return cell


def _room(spec: FieldSpec, file: FileSpec) -> float:
    """How many characters of printable ASCII the column is sure to take."""
    room = FORMATS[file.format].room(spec, file)
    return room if spec.max_length is None else min(room, spec.max_length)
