"""Messages whose headers are made to harm whoever reads them, as bytes that a plain client can send."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import pika

DEEP = 2_000
TINY_ENTRIES = 43_500


class Raw(pika.BasicProperties):  # type: ignore[misc]  # pika has no types
    """Properties given as the bytes of the wire: what pika itself would refuse to write."""

    def __init__(self, raw: bytes) -> None:
        super().__init__()
        self.raw = raw

    def encode(self) -> list[bytes]:
        return [self.raw]


@dataclass(frozen=True)
class Hostile:
    """One message: what it is, its header table, its body, and the code it is to be parked with."""

    what: str
    table: bytes
    body: bytes = b"{"
    code: str = "oversize"

    @property
    def properties(self) -> pika.BasicProperties:
        sized = struct.pack(">I", len(self.table)) + self.table
        return Raw(b"\x30\x00" + sized + b"\x02")  # headers, delivery mode


def nested(depth: int, kind: bytes) -> bytes:
    """One header nested so deep, in tables (`F`) or arrays (`A`)."""
    value = b"V"
    for _ in range(depth):
        inner = b"\x01a" + value if kind == b"F" else value
        value = kind + struct.pack(">I", len(inner)) + inner
    return b"\x01a" + value


def text(name: bytes, value: bytes) -> bytes:
    return bytes([len(name)]) + name + b"S" + struct.pack(">I", len(value)) + value


def hostile_messages() -> list[Hostile]:
    """Each with a body that is no JSON, but for the last ones, which are bounded and parked for their body."""
    wide = b"t\x01" * 50_000
    forged = {
        b"x-writeback-reason": b"nothing is wrong",
        b"x-writeback-code": b"invalid",
        b"x-writeback-queue": b"writeback.commands",
        b"x-writeback-parked-id": b"0000000000000000",
        b"x-writeback-user-id": b"somebody else",
        b"x-death": b"no list",
        b"CC": b"no list either",
    }
    return [
        Hostile("tables two thousand deep", nested(DEEP, b"F")),
        Hostile("arrays twenty thousand deep", nested(20_000, b"A")),
        Hostile("tens of thousands of entries", b"\x01aV" * TINY_ENTRIES),
        Hostile("fifty thousand values in one array", b"\x01aA" + struct.pack(">I", len(wide)) + wide),
        Hostile("seventy kilobytes in one header", text(b"a", b"x" * 70_000)),
        Hostile("two hundred and one entries", b"".join(text(b"%d" % n, b"") for n in range(201)), b"{}"),
        Hostile(
            "headers in our own name",
            b"".join(text(name, value) for name, value in forged.items() if name != b"CC"),
            code="undecodable",
        ),
        Hostile("a time stamp beyond all calendars", b"\x01aT" + b"\xff" * 8, code="undecodable"),
        Hostile("a decimal of scale 255", b"\x01aD\xff\x7f\xff\xff\xff", code="undecodable"),
    ]
