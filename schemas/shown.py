"""Text that somebody else wrote, on its way to a person: nothing in it may command a terminal, break its line, turn
the reading order round, or be there unseen. Every text that is printed, logged or put in a header passes here."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

# Controls (ESC, NUL, C1), formats (bidirectional, of no width), halves of a pair, private use, line separators.
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
# Fillers and joiners that show nothing, although Unicode counts them among letters and marks.
_BLANK = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0]")
_WORD = re.compile(r'://((?:(?!;[a-z+]+://)[^\s"])*)')
_MASK = "***"


def plain(text: str, *, keep: str = "") -> str:
    """The text with every character that cannot be seen written out (`\\x1b`, `\\u202e`), but for those in `keep`."""
    if text.isprintable() and _BLANK.search(text) is None:
        return text
    return "".join(char if char in keep or not _is_unseen(char) else _escaped(char) for char in text)


@lru_cache(maxsize=4096)
def _is_unseen(char: str) -> bool:
    return unicodedata.category(char) in _UNSEEN or _BLANK.match(char) is not None


def _escaped(char: str) -> str:
    return char.encode("unicode_escape").decode()


def mask_passwords(text: str) -> str:
    """The text with `***` for the password of every URL in it.

    A password may hold `@`, `/`, `?` and `#` that nobody escaped: all from the user's `:` to the last `@` of the word
    goes, rather too much than too little.
    """
    return _WORD.sub(lambda found: f"://{_masked(found[1])}", text) if "://" in text else text


def _masked(rest: str) -> str:
    login, at, place = rest.rpartition("@")
    user, colon, _password = login.partition(":")
    if not at or not colon or "/" in user:
        return rest
    return f"{user}:{_MASK}@{place}"
