"""Secrets by name: from the environment, its file of variables or a folder of secret files, never from a definition.

Each is looked up when it is used, so that one which has changed is in force without a restart. The environment of a
process cannot change from outside; the file that it was taken from can, and so can the folder, whose files may be
links that are turned to another place (as Kubernetes does it).
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from schemas.fields.scalars import Secret
from worker.env_file import ChangingFile
from worker.errors import DestinationError

PREFIX = "WRITEBACK_SECRET_"
LARGEST = 64 * 1024
"""Bytes of the largest secret file; a private key of 16,384 bits has 13 KiB."""
Source = Literal["environment", "env_file", "folder"]

_is_name = re.compile(Secret.NAME).fullmatch
_control = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """Where a secret is looked for, and whether it is there; its value is not here.

    `file` is where it would lie in the folder of secret files, None: there is no such folder. `problem` is what a
    person is told where it cannot be had.
    """

    name: str
    variable: str
    file: Path | None
    source: Source | None
    problem: str | None = None


def secret_names(options: Any) -> Iterator[str]:
    """The names of all secrets in a destination's options: objects {"secret": name}."""
    if isinstance(options, Mapping):
        if list(options) == ["secret"] and isinstance(options["secret"], str):
            yield options["secret"]
            return
        options = list(options.values())
    if isinstance(options, list):
        for inner in options:
            yield from secret_names(inner)


def variable_of(name: str) -> str:
    """The environment variable that a secret of this name may stand in."""
    return f"{PREFIX}{name.upper().replace('-', '_')}"


class Secrets:
    """Reads secrets by their names. Safe to use from several threads.

    `env_file` is the file that the environment was taken from: a variable which said the same in both when this was
    made is the file's, and follows it; any other of the environment wins over the file, as it did at the start.
    """

    def __init__(
        self, environment: Mapping[str, str], folder: Path | None = None, env_file: Path | None = None
    ) -> None:
        self._folder = folder
        self._env_file = None if env_file is None else ChangingFile(env_file)
        began = self._in_file()
        self._environment = {
            name: value
            for name, value in environment.items()
            if name.startswith(PREFIX) and began.get(name) != value
        }

    def __call__(self, name: str) -> str:
        """The secret. Raises DestinationError where there is none, with the places looked at and never a value."""
        value, _ = self._found(name)
        return value

    def whereabouts(self, name: str) -> Whereabouts:
        """Where the secret is, without its value."""
        file = None if self._folder is None else self._folder / name
        try:
            _, source = self._found(name)
        except DestinationError as error:
            return Whereabouts(name, variable_of(name), file, None, str(error))
        return Whereabouts(name, variable_of(name), file, source)

    def _found(self, name: str) -> tuple[str, Source]:
        if _is_name(name) is None:
            raise DestinationError(
                f"{name!r} is no name of a secret: a-z, 0-9 and - make one; put it right in the export"
            )
        variable = variable_of(name)
        if value := self._environment.get(variable):
            return value, "environment"
        if value := self._in_file().get(variable):
            return value, "env_file"
        if self._folder is not None and (value := _read(name, self._folder / name)):
            return value, "folder"
        raise DestinationError(
            f"secret {name!r} is not set: set {variable}, or put a file {name} in WRITEBACK_SECRETS_DIR, then retry"
        )

    def _in_file(self) -> Mapping[str, str]:
        return {} if self._env_file is None else self._env_file.variables()


def _read(name: str, file: Path) -> str | None:
    """What the file holds, without the line break at its end; None: it is not there. Raises DestinationError."""
    try:
        data = _bytes(file)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise _unusable(name, file, f"cannot be read ({error.strerror})") from None
    if data is None:
        raise _unusable(name, file, "is no file")
    if len(data) > LARGEST:
        raise _unusable(name, file, f"is larger than {LARGEST // 1024} KiB")
    try:
        text = data.decode("utf-8-sig").rstrip("\r\n")
    except UnicodeDecodeError:
        raise _unusable(name, file, "is not UTF-8") from None  # the error would quote the secret
    if not text.strip():
        raise _unusable(name, file, "is empty")
    if _control.search(text):
        raise _unusable(name, file, "holds control characters, which no secret has")
    return text


def _bytes(file: Path) -> bytes | None:
    """As much as is needed to see whether it is too much; None: a folder, a pipe. Raises OSError."""
    handle = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a pipe would be waited for
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            return None
        with open(handle, "rb", closefd=False) as stream:
            return stream.read(LARGEST + 1)
    finally:
        os.close(handle)


def _unusable(name: str, file: Path, wrong: str) -> DestinationError:
    return DestinationError(
        f"secret {name!r}: {file} {wrong}; have it hold the secret alone, readable by the worker, then retry"
    )
