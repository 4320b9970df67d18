"""A file of environment variables as systemd's EnvironmentFile= reads it, so that a person's command speaks of the
same installation as the service."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field
from pathlib import Path

from worker.errors import ConfigurationError

_LARGEST = 1024 * 1024
_BLANK = " \t"
_NEWLINE = "\n\r"
_UNESCAPED = '"\\`$'  # what a backslash takes its meaning from between double quotes
_is_name = re.compile(r"[A-Za-z_][A-Za-z0-9_]*").fullmatch


@dataclass(frozen=True, slots=True)
class EnvFile:
    """What a file says: the variables, and the numbers of lines that say nothing (systemd passes over them, too)."""

    values: dict[str, str]
    unread: list[int]


def take_env_file(path: str, named_by: str, environment: MutableMapping[str, str]) -> Iterator[str]:
    """Adds the file's variables to the environment; what is set there already stays. Yields what a person should
    know, a line each: what the environment overrules, what could not be read.

    Raises ConfigurationError, naming `named_by`, where the file cannot be read.
    """
    found = read_env_file(_text(path, named_by))
    for number in found.unread:
        yield f"{path}: line {number} is no NAME=value and is passed over"
    for name, value in found.values.items():
        if environment.setdefault(name, value) != value:
            yield f"{name} is set in the environment, too: that one is used, not what {path} says"


def _text(path: str, named_by: str) -> str:
    try:
        with Path(path).open("rb") as stream:
            data = stream.read(_LARGEST + 1)
        if len(data) <= _LARGEST:
            return data.decode("utf-8-sig").replace("\x00", "")
        wrong = f"it is larger than {_LARGEST // 1024} KiB"
    except OSError as error:
        wrong = f"it cannot be read ({error.strerror})"
    except UnicodeDecodeError:
        wrong = "it is not UTF-8"
    raise ConfigurationError(f"{named_by}: {path}: {wrong}; name a file of NAME=value lines")


def read_env_file(text: str) -> EnvFile:
    """The variables of the text. Of a name that stands twice the last counts.

    A line that begins with `#` or `;` says nothing; a value may stand in quotes, single (as it is) or double (a
    backslash before `"`, `\\`, backtick and `$` goes); a backslash at the end of a line joins the next one to it.
    """
    reading = _Reading(text)
    while not reading.ended:
        reading.assignment()
    return EnvFile(reading.values, reading.unread)


@dataclass(slots=True)
class _Reading:
    text: str
    place: int = 0
    values: dict[str, str] = field(default_factory=dict)
    unread: list[int] = field(default_factory=list)

    @property
    def ended(self) -> bool:
        return self.place >= len(self.text)

    def assignment(self) -> None:
        """One line, or as many as its value takes."""
        self._pass(_BLANK + _NEWLINE)
        if self.ended:
            return
        line = self.text.count("\n", 0, self.place) + 1
        if self.text[self.place] in "#;":
            self._rest()
            return
        end = next((at for at in range(self.place, len(self.text)) if self.text[at] in "=" + _NEWLINE), None)
        if end is None or self.text[end] != "=":
            self._rest()
            self.unread.append(line)
            return
        name = self.text[self.place : end].strip(_BLANK)
        self.place = end + 1
        value = self._value()
        if _is_name(name):
            self.values[name] = value
        else:
            self.unread.append(line)

    def _pass(self, chars: str) -> None:
        while not self.ended and self.text[self.place] in chars:
            self.place += 1

    def _rest(self) -> None:
        while not self.ended and self.text[self.place] not in _NEWLINE:
            self.place += 1

    def _next(self) -> str:
        self.place += 1
        return self.text[self.place - 1]

    def _value(self) -> str:
        """Quoted pieces and bare words, to the end of the line; blanks around what is bare go."""
        value, bare = "", ""
        self._pass(_BLANK)
        while not self.ended and (char := self._next()) not in _NEWLINE:
            if char in "'\"" and not bare:
                value += self._quoted(char)
                self._pass(_BLANK)
            elif char == "\\" and not self.ended:
                # The blank is kept by a mark that no file has (NUL is taken out before).
                bare += "" if (escaped := self._next()) in _NEWLINE else f"{escaped}\x00"
            else:
                bare += char
        return value + bare.rstrip(_BLANK).replace("\x00", "")

    def _quoted(self, quote: str) -> str:
        found = ""
        while not self.ended and (char := self._next()) != quote:
            if char == "\\" and quote == '"' and not self.ended:
                found += self._escaped(self._next())
            else:
                found += char
        return found

    def _escaped(self, char: str) -> str:
        if char in _UNESCAPED:
            return char
        return "" if char == "\n" else f"\\{char}"


def env_file_of(option: str | None) -> tuple[str, str] | None:
    """The file to take, and what names it: the option before the variable; None: neither does."""
    if option is not None:
        return option, "--env-file"
    named = os.environ.get("WRITEBACK_ENV_FILE", "").strip()
    return (named, "WRITEBACK_ENV_FILE") if named else None


Stamp = tuple[int, int, int, int]


class ChangingFile:
    """The variables of a file that may change under a running process: read anew once it has.

    While it cannot be read, what was read last holds. Safe to use from several threads.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[Stamp | None, Mapping[str, str]] = (None, {})

    def variables(self) -> Mapping[str, str]:
        """What it says now."""
        stamp, values = self._seen
        try:
            now = self._stamp()
            if now != stamp:
                values = read_env_file(_text(str(self._path), "WRITEBACK_ENV_FILE")).values
                self._seen = (now, values)  # one assignment: another thread sees the old pair or the new one
        except (OSError, ConfigurationError):
            pass  # a person's commands say so; a worker goes on as it did
        return values

    def _stamp(self) -> Stamp:
        found = self._path.stat()
        return (found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
