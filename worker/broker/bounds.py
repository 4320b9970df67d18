"""How much of a message is read, whatever its sender put there: judged before any work that grows with it.

Names that the broker and this program themselves put among the headers count for nothing, each once, so that
a message that is handed out again is judged as it was the first time.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any

from worker.broker.properties import NESTED, end_of_value

MOST_BYTES = 64 * 1024
"""Bytes of headers and properties together."""
MOST_ENTRIES = 200
"""Entries of the headers, those of tables and arrays within them included."""
DEEPEST = 8
"""Levels of tables and arrays, the headers themselves being the first."""

_NOT_THE_SENDERS = frozenset(
    (b"x-delivery-count", b"x-acquired-count", b"x-writeback-replayed", b"x-writeback-user-id")
)
_WHATEVER_THEY_WEIGH = 512
_ARRAY = ord("A")


def excess(size: int, table: bytes) -> str | None:
    """Why a property list of `size` bytes with this header table is not read; None: it is within bounds.

    One pass without recursion, which ends at the first entry too many. What can't be told apart ends the
    table it stands in, as it does for who reads it.
    """
    walk = _Walk(table)
    reason = walk.reason()
    if reason is None and size - walk.uncounted > MOST_BYTES:
        return _too_large(size)
    return reason


def excess_of(properties: Mapping[str, Any], size: int) -> str | None:
    """The same of properties that are already values, stored in `size` bytes."""
    if size > MOST_BYTES + _WHATEVER_THEY_WEIGH:
        return _too_large(size)
    headers = properties.get("headers")
    named: Mapping[str, Any] = headers if isinstance(headers, dict) else {}
    counted = -sum(name.decode() in named for name in _NOT_THE_SENDERS)
    waiting: list[tuple[Any, int]] = [(named, 1)]
    while waiting:
        value, depth = waiting.pop()
        if depth > DEEPEST:
            return _too_deep()
        counted += len(value)
        if counted > MOST_ENTRIES:
            return _too_many()
        inner = value.values() if isinstance(value, dict) else value
        waiting += [(one, depth + 1) for one in inner if isinstance(one, dict | list)]
    return None


class _Walk:
    """One pass over a header table; `uncounted` are the bytes of what is not the sender's."""

    def __init__(self, table: bytes) -> None:
        self._table = table
        self._offset = 4
        self._counted = 0
        self._open: list[tuple[int, bool]] = [(len(table), False)]  # where it ends, whether it is an array
        self._seen: set[bytes] = set()
        self.uncounted = 0

    def reason(self) -> str | None:
        """The first bound that is broken, in words."""
        while self._open:
            end, is_array = self._open[-1]
            if self._offset >= end:
                self._offset = self._open.pop()[0]
                continue
            try:
                self._step(end, is_array)
            except (IndexError, KeyError, struct.error):
                self._offset = self._open.pop()[0]
            if self._counted > MOST_ENTRIES:
                return _too_many()
            if len(self._open) > DEEPEST:
                return _too_deep()
        return None

    def _step(self, end: int, is_array: bool) -> None:
        """Passes one entry, or enters it."""
        start = self._offset if is_array else self._offset + 1 + self._table[self._offset]
        after = end_of_value(self._table, start)
        if after > end:
            raise IndexError(after)
        kind = self._table[start]
        name = self._table[self._offset + 1 : start] if len(self._open) == 1 else b""
        if name in _NOT_THE_SENDERS and name not in self._seen and kind not in NESTED:
            self._seen.add(name)
            self.uncounted += min(after - self._offset, _WHATEVER_THEY_WEIGH)
        else:
            self._counted += 1
        if kind in NESTED:
            self._offset = start + 5
            self._open.append((after, kind == _ARRAY))
        else:
            self._offset = after


def _too_large(size: int) -> str:
    return f"headers and properties have {size} bytes together; at most {MOST_BYTES} are read"


def _too_many() -> str:
    return f"the headers have over {MOST_ENTRIES} entries; no more are read"


def _too_deep() -> str:
    return f"the headers are nested over {DEEPEST} deep; no deeper ones are read"
