"""How a message is turned down, and how many faults become one line that shows no student's data."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Literal, get_args

RejectionCode = Literal["oversize", "unauthorised", "undecodable", "unknown-type", "invalid"]
REJECTION_CODES: tuple[str, ...] = get_args(RejectionCode)

#: How many faults one line names, and how long it may get; the rest is counted.
MOST_PROBLEMS = 20
LONGEST_LINE = 4000

_PLAIN_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_SHOWN_LENGTH = 64


class RejectedError(Exception):
    """A message cannot be taken: `code` for a program, `reason` one line for a person.

    The reason names every field that is wrong and why, and never repeats a value of the message.
    """

    def __init__(self, code: RejectionCode, reason: str) -> None:
        super().__init__(reason)
        self.code: RejectionCode = code
        self.reason = reason


def shown(text: object) -> str:
    """A name that someone else chose, made safe for one line: printable characters only, at most 64."""
    whole = text if isinstance(text, str) else type(text).__name__
    kept = "".join(char if char.isprintable() else "?" for char in whole[: _SHOWN_LENGTH + 1])
    return kept if len(kept) <= _SHOWN_LENGTH else kept[: _SHOWN_LENGTH - 1] + "…"


def plain_name(key: object) -> str:
    """A field's name where it looks like one (letters, digits, `_`, `.`, `-`), else a stand-in.

    A key of a message is chosen by its sender and could hold anything, a student's name included.
    """
    if isinstance(key, str) and _PLAIN_NAME.fullmatch(key):
        return key
    return "(a name not shown)"


def counted(number: int, one: str) -> str:
    """`1 unknown field`, `2 unknown fields`."""
    return f"{number} {one}{'' if number == 1 else 's'}"


def nearest(name: object, known: Sequence[str], *, most: int = 1) -> list[str]:
    """The known names that come near to one that is not known; never the name itself."""
    return get_close_matches(name[:_SHOWN_LENGTH], known, most) if isinstance(name, str) else []


def unknown_type(noun: str, given: str, known: Sequence[str]) -> RejectedError:
    """Turns down a message of a type that there is not, without repeating it."""
    near = nearest(given, known)
    meant = f" (near to {near[0]})" if near else ""
    return RejectedError("unknown-type", f"no {noun} has the type it names{meant}; known: {', '.join(known)}")


def flatten(messages: Any, *, name: Callable[[object], str] = plain_name, path: str = "") -> Iterator[str]:
    """Marshmallow's nested messages as lines `student.id: required`, in the order they were found."""
    if isinstance(messages, Mapping):
        for key, inner in messages.items():
            yield from flatten(inner, name=name, path=_step(path, key, name))
    elif isinstance(messages, Sequence) and not isinstance(messages, str):
        for inner in messages:
            yield from flatten(inner, name=name, path=path)
    else:
        yield f"{path}: {messages}" if path else str(messages)


def one_line(problems: Sequence[str], *, most: int = MOST_PROBLEMS, longest: int = LONGEST_LINE) -> str:
    """All problems in one line; those beyond `most`, or beyond `longest` characters, are only counted."""
    named: list[str] = []
    length = 0
    for problem in problems[:most]:
        length += len(problem) + 2
        if length > longest and named:
            break
        named.append(problem)
    left = len(problems) - len(named)
    return "; ".join([*named, f"and {left} more"] if left else named)


def _step(path: str, key: object, name: Callable[[object], str]) -> str:
    if key == "_schema":
        return path
    if type(key) is int:
        return f"{path}[{key}]"
    return f"{path}.{name(key)}" if path else name(key)
