"""How a text is made fit for a file: composed, in the case that is wanted, on one line. And what a date reads like."""

from __future__ import annotations

import re
from datetime import date, datetime, time
from functools import lru_cache
from itertools import pairwise
from unicodedata import normalize

# C0 and C1 controls, with them every line break of ASCII and NEL; then the two line breaks of Unicode.
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_controls = re.compile(f"{CONTROL.pattern}+")

#: Straight and curly apostrophes, and what is an okina or stands for one.
_APOSTROPHES = "'\u2019\u2018\u02bb\u02bc"
# A word: letters, digits, what is written over them, and apostrophes between them.
_word = re.compile(
    rf"[^\W_]['\u0300-\u036f\u2019\u2018\u02bb\u02bc]*(?:[^\W_]|[{_APOSTROPHES}\u0300-\u036f])*"
)
_particle = re.compile(r"([^\W\d_][\u0300-\u036f]*)(['\u2019])(?=[^\W\d_])")
_ordinal = re.compile(r"(\d+)(st|nd|rd|th)", re.IGNORECASE).fullmatch
_CONTRACTED = frozenset({"s", "t", "d", "m", "ll", "re", "ve"})


def composed(text: str) -> str:
    """In the form (NFC) in which it is measured and encoded: an accent and its letter are one character."""
    return text if text.isascii() else normalize("NFC", text)


def on_one_line(text: str) -> str:
    """With each run of line breaks and control characters as one blank."""
    return text if text.isprintable() else _controls.sub(" ", text)


def is_on_one_line(text: str) -> bool:
    """Whether it holds no line break and no control character."""
    return text.isprintable() or CONTROL.search(text) is None


def title_case(text: str) -> str:
    """Each word with a capital, as names are written: `María O'Neil's`, `3rd`, `Smith-Jones`.

    A word that has capitals within it already stays as it is: `McDonald`, `DeShawn`.
    """
    return _word.sub(lambda found: _titled(found[0]), text)


def _titled(word: str) -> str:
    if _is_mixed(word):
        return word
    ordinal = _ordinal(word)
    if ordinal:
        return f"{ordinal[1]}{ordinal[2].lower()}"
    name = _particle.match(word)
    rest = word[name.end() :] if name else ""
    if name and rest.lower() not in _CONTRACTED:
        return f"{_capital(name[1])}{name[2]}{_capital(rest)}"
    return _capital(word)


def _is_mixed(word: str) -> bool:
    """A capital, and later another one behind a small letter."""
    letters = [char for char in word if char.isalpha()]
    if not letters or not letters[0].isupper():
        return False
    return any(before.islower() and char.isupper() for before, char in pairwise(letters))


def _capital(word: str) -> str:
    """The first letter that has a capital as one, all that follows small."""
    for place, char in enumerate(word):
        if char.title() != char.lower():
            return f"{word[:place]}{char.title()}{word[place + 1 :].lower()}"
    return word


def dated(moment: date | datetime | time, pattern: str) -> str:
    """`strftime` with years of four digits always: the C library leaves out their leading zeros."""
    if type(moment) is date:
        return _dated_day(moment, pattern)
    if type(moment) is time and moment.tzinfo is None and _is_of_minutes(pattern):
        return _dated_minute(moment.hour, moment.minute, pattern)
    if isinstance(moment, date) and moment.year < 1000:
        pattern = _four_digits(moment, pattern)
    return moment.strftime(pattern)


@lru_cache(maxsize=1024)  # a file has few days, and many rows of each
def _dated_day(day: date, pattern: str) -> str:
    return day.strftime(_four_digits(day, pattern) if day.year < 1000 else pattern)


@lru_cache(maxsize=2048)  # nor has a day many minutes in which students arrive
def _dated_minute(hour: int, minute: int, pattern: str) -> str:
    return time(hour, minute).strftime(pattern)


@lru_cache(maxsize=256)
def _is_of_minutes(pattern: str) -> bool:
    return _minutes.fullmatch(pattern) is not None


_minutes = re.compile(r"(?:[^%]|%%|%[-_0^#]?[HIklMpPR])*", re.DOTALL)
_year = re.compile(r"%(%|[YGF])")


def _four_digits(moment: date, pattern: str) -> str:
    years = {"%": "%%", "Y": f"{moment.year:04d}", "G": f"{moment.isocalendar().year:04d}"}
    years["F"] = f"{years['Y']}-%m-%d"
    return _year.sub(lambda found: years[found[1]], pattern)
