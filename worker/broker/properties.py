"""AMQP message properties as they stand on the wire: read without ever failing, written back byte for byte.

Both client libraries break the connection over properties that RabbitMQ itself lets through (a message id
that is no UTF-8, a time stamp in milliseconds). Such a message would come again for ever, so the properties
are taken apart here. Text that is no UTF-8 keeps its bytes as lone surrogates (`surrogateescape`).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

# (flag, name, kind) in the order of the wire; kinds: s short string, F table, B octet, Q time stamp.
_FIELDS = (
    (0x8000, "content_type", "s"),
    (0x4000, "content_encoding", "s"),
    (0x2000, "headers", "F"),
    (0x1000, "delivery_mode", "B"),
    (0x0800, "priority", "B"),
    (0x0400, "correlation_id", "s"),
    (0x0200, "reply_to", "s"),
    (0x0100, "expiration", "s"),
    (0x0080, "message_id", "s"),
    (0x0040, "timestamp", "Q"),
    (0x0020, "type", "s"),
    (0x0010, "user_id", "s"),
    (0x0008, "app_id", "s"),
    (0x0004, "cluster_id", "s"),
)
_FLAGS = {name: flag for flag, name, _ in _FIELDS}
_KINDS = {name: kind for _, name, kind in _FIELDS}
_PERSISTENT = b"\x02"
# A content header must fit in one frame of 128 KiB; the rest is for what the broker adds.
_MOST_BYTES = 120_000

_SHORT = struct.Struct(">H").unpack_from
_LONG = struct.Struct(">I").unpack_from

# Field values of a table: how many bytes, and how to read them. What has a length of its own stands below.
_FIXED: dict[int, tuple[str, int]] = {
    ord("t"): (">?", 1),
    ord("b"): (">b", 1),
    ord("B"): (">B", 1),
    ord("s"): (">h", 2),
    ord("U"): (">h", 2),
    ord("u"): (">H", 2),
    ord("I"): (">i", 4),
    ord("i"): (">I", 4),
    ord("f"): (">f", 4),
    ord("l"): (">q", 8),
    ord("L"): (">q", 8),
    ord("d"): (">d", 8),
    ord("T"): (">Q", 8),
    ord("D"): (">Bi", 5),
    ord("V"): (">", 0),
}
_SIZED = frozenset(b"SxFA")
NESTED = frozenset(b"FA")
"""Type octets of what holds entries of its own: a table, an array."""

# As much as a person is shown of headers that nobody bounds (those of parked messages).
_MOST_SHOWN = 200
_DEEPEST_SHOWN = 8
_TOO_DEEP = "(nested too deeply to be shown)"
LEFT_OUT = "x-writeback-headers-left-out"
"""The header that tells how many did not fit into a frame beside those of ours."""

Entry = tuple[bytes, bytes]
"""One header as it stands on the wire: its name, and its value with the type octet."""


def decode(raw: bytes) -> dict[str, Any]:
    """The properties that are set, by name, `headers` as a dict. What can't be read is left out, what is nested
    too deeply is replaced by a text; never raises."""
    return decoded(split(raw))


def decoded(
    parts: Mapping[str, bytes], headers: Callable[[Entry], bool] = lambda _entry: True
) -> dict[str, Any]:
    """The same of a property list that was `split`, with those headers alone that `headers` chooses."""
    found: dict[str, Any] = {}
    for name, value in parts.items():
        kind = _KINDS[name]
        if kind == "s":
            found[name] = value[1:].decode("utf-8", "surrogateescape")
        elif kind == "F":
            found[name] = dict(_decoded(list(filter(headers, entries(value))), 1))
        else:
            found[name] = int.from_bytes(value, "big")
    return found


def at_most(most: int = _MOST_SHOWN, *, first: Callable[[bytes], bool]) -> Callable[[Entry], bool]:
    """Chooses headers for `decoded`: those whose name is one of the `first`, and of the others so many."""
    left = iter(range(most))
    return lambda entry: first(entry[0]) or next(left, None) is not None


def text_bytes(value: str) -> bytes:
    """The bytes that a text of `decode` stood for on the wire."""
    return value.encode("utf-8", "surrogateescape")


def respell(raw: bytes, *, drop: Callable[[str], bool], add: Mapping[str, str | int]) -> bytes:
    """The same properties for publishing again: persistent, without the headers that `drop` names, with those
    of `add`.

    Left out are `expiration` (a parked message must not go away by itself) and `user_id` (the broker accepts
    only the publisher's own). Headers too many for one frame are left out, the largest first, and counted in
    the header LEFT_OUT.
    """
    parts = split(raw)
    parts["delivery_mode"] = _PERSISTENT
    parts.pop("expiration", None)
    parts.pop("user_id", None)
    kept = [(name, value) for name, value in entries(parts.get("headers", b"")) if not drop(_name(name))]
    added = [(text_bytes(name), _encoded(value)) for name, value in add.items()]
    fitting = _fitting(kept, _MOST_BYTES - _size(added))
    if len(fitting) < len(kept):
        added.append((text_bytes(LEFT_OUT), _encoded(len(kept) - len(fitting))))
    parts["headers"] = _table([*fitting, *added])
    return _join(parts)


def with_user(raw: bytes, user: str) -> bytes:
    """The same properties with this user as their `user_id`."""
    text = text_bytes(user)[:255]
    return _join({**split(raw), "user_id": bytes([len(text)]) + text})


def entries(table: bytes) -> list[Entry]:
    """The entries of a table that stands with its length in front; as many as can be told apart."""
    found: list[Entry] = []
    offset = 4
    try:
        while offset < len(table):
            start = offset + 1 + table[offset]
            end = end_of_value(table, start)
            found.append((table[offset + 1 : start], table[start:end]))
            offset = end
    except (IndexError, struct.error, KeyError):
        pass
    return found


def split(raw: bytes) -> dict[str, bytes]:
    """The properties that are set, each as its bytes on the wire; as many as can be told apart."""
    found: dict[str, bytes] = {}
    try:
        (flags,) = _SHORT(raw)
        offset = 2
        for flag, name, kind in _FIELDS:
            if flags & flag:
                end = offset + _length(raw, offset, kind)
                if end > len(raw):
                    break
                found[name] = raw[offset:end]
                offset = end
    except (IndexError, struct.error):
        pass
    return found


def _length(raw: bytes, offset: int, kind: str) -> int:
    if kind == "s":
        return 1 + raw[offset]
    if kind == "F":
        return 4 + int(_LONG(raw, offset)[0])
    return 1 if kind == "B" else 8


def _join(parts: Mapping[str, bytes]) -> bytes:
    flags = sum(_FLAGS[name] for name in parts)
    return b"".join([struct.pack(">H", flags), *(parts[name] for _, name, _ in _FIELDS if name in parts)])


def end_of_value(table: bytes, start: int) -> int:
    """Where the value ends whose type octet stands at `start`. Raises IndexError, KeyError, struct.error."""
    kind = table[start]
    size = 4 + int(_LONG(table, start + 1)[0]) if kind in _SIZED else _FIXED[kind][1]
    end = start + 1 + size
    if end > len(table):
        raise IndexError(end)
    return end


def _decoded(pairs: Sequence[Entry], depth: int) -> list[tuple[str, Any]]:
    return [(_name(name), _value(value, depth)) for name, value in pairs]


def _name(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")


def _value(value: bytes, depth: int) -> Any:
    """A field value for Python; a time stamp that no datetime holds stays a number."""
    kind = value[0]
    if kind in NESTED and depth >= _DEEPEST_SHOWN:
        return _TOO_DEEP
    if kind == ord("S"):
        return value[5:].decode("utf-8", "surrogateescape")
    if kind == ord("x"):
        return value[5:]
    if kind == ord("F"):
        return dict(_decoded(entries(value[1:]), depth + 1))
    if kind == ord("A"):
        return _array(value, depth + 1)
    numbers = struct.unpack_from(_FIXED[kind][0], value, 1)
    if kind == ord("T"):
        return _instant(numbers[0])
    if kind == ord("D"):
        return Decimal(numbers[1]).scaleb(-numbers[0])
    return numbers[0] if numbers else None


def _array(value: bytes, depth: int) -> list[Any]:
    items, offset = [], 5
    try:
        while offset < len(value):
            end = end_of_value(value, offset)
            items.append(_value(value[offset:end], depth))
            offset = end
    except (IndexError, struct.error, KeyError):
        pass
    return items


def _instant(seconds: int) -> datetime | int:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return seconds


def _encoded(value: str | int) -> bytes:
    if isinstance(value, int):
        return b"l" + struct.pack(">q", value)
    text = text_bytes(value)
    return b"S" + struct.pack(">I", len(text)) + text


def _table(pairs: Sequence[Entry]) -> bytes:
    body = b"".join(bytes([len(name)]) + name + value for name, value in pairs)
    return struct.pack(">I", len(body)) + body


def _size(pairs: Sequence[Entry]) -> int:
    return sum(1 + len(name) + len(value) for name, value in pairs)


def _fitting(pairs: Sequence[Entry], most: int) -> list[Entry]:
    """The entries, without the largest where all together are more than `most` bytes."""
    excess = _size(pairs) - most
    left_out = set[int]()
    for index in sorted(range(len(pairs)), key=lambda index: -len(pairs[index][1])) if excess > 0 else ():
        left_out.add(index)
        excess -= _size([pairs[index]])
        if excess <= 0:
            break
    return [pair for index, pair in enumerate(pairs) if index not in left_out]
