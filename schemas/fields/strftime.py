"""strftime patterns that render the same everywhere and bear no surprise.

A directive is `%`, at most one of the flags `-` `_` `0` `^` `#`, and a letter. Refused are widths (`%9999d`
fills the memory), `%s` and `%n` `%t`, the `E` and `O` modifiers, and letters the C library does not know.
"""

from __future__ import annotations

import re
from typing import Literal

from schemas.everyday import format_hint

Shape = Literal["date", "time", "instant"]

_DATE = "aAbBdeCDFgGhjmuUVwWxyY"
_TIME = "fHIklMpPrRSTX"
_ALLOWED: dict[Shape, frozenset[str]] = {
    "date": frozenset(_DATE + "%"),
    "time": frozenset(_TIME + "%"),
    "instant": frozenset(_DATE + _TIME + "czZ%"),
}
#: Python fills these in by itself, and knows no flags for them.
_WITHOUT_FLAG = frozenset("fzZ%")

_directive = re.compile(r"%([-_0^#]?)(.?)", re.DOTALL)
LONGEST_FORMAT = 100


def format_problem(pattern: str, shape: Shape) -> str | None:
    """What is wrong with a strftime pattern for a date, a time or an instant; None: nothing."""
    if not 0 < len(pattern) <= LONGEST_FORMAT:
        return f"must be a strftime pattern of 1 to {LONGEST_FORMAT} characters"
    if not pattern.isprintable():
        return "must hold printable characters only"
    found = _directive.findall(pattern)
    if all(letter == "%" for _, letter in found):
        hint = format_hint(pattern)
        return "must hold a strftime directive, like %Y" + (f"; {hint}" if hint else "")
    for flag, letter in found:
        if letter not in _ALLOWED[shape] or letter == "" or (flag and letter in _WITHOUT_FLAG):
            return _refused(f"%{flag}{letter}", letter, shape)
    return None


def _refused(directive: str, letter: str, shape: Shape) -> str:
    if letter and letter in _ALLOWED["instant"] and letter not in _ALLOWED[shape]:
        return f"{directive} says nothing about a {shape}; occurred_at takes dates and times alike"
    known = " ".join(f"%{letter}" for letter in sorted(_ALLOWED[shape]))
    return f"{directive} is not a strftime directive that is taken here; known: {known}"
