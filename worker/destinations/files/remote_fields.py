"""Options of destinations on another machine, each refused with the nearest right thing."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Any

from marshmallow import ValidationError

from schemas.fields.scalars import JsonSchema, Text

_is_host = re.compile(
    r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,251}[A-Za-z0-9_.])?|[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*"
).fullmatch
# What people write with a host, and where it belongs.
_BELONGS_ELSEWHERE = (
    (re.compile(r"^[A-Za-z][A-Za-z0-9+.-]*://"), "leave out what stands before and with ://"),
    (re.compile(r"@"), "put the user name in `username`"),
    (re.compile(r"/"), "put the folder in `path`"),
    (re.compile(r"^[^:]+:[0-9]+$|^\[.*\]"), "put the port in `port`, and an IPv6 address without brackets"),
)


class Host(Text):
    """A host's name or address alone, such as `sftp.example.org`."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(1, 253, single_line=True, **kwargs)

    def check(self, value: Any) -> str:
        text = super().check(value)
        for found, instead in _BELONGS_ELSEWHERE:
            if found.search(text):
                raise ValidationError(f"must be a host's name alone, such as sftp.example.org: {instead}")
        if _is_host(text) is None:
            raise ValidationError("must be a host's name or address, such as sftp.example.org or 192.0.2.7")
        return text


class RemoteFolder(Text):
    """A folder at the other end: absolute, or relative to where a login begins (`.` is that itself)."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(1, 1024, single_line=True, **kwargs)

    def check(self, value: Any) -> str:
        text = super().check(value)
        if "\\" in text:
            raise ValidationError("must have / between folders; a drive is written /C:/inbox")
        if ".." in PurePosixPath(text).parts:
            raise ValidationError("'..' is not accepted; name the folder itself")
        if text.startswith("~"):
            raise ValidationError(
                "~ is not known at the other end; a relative folder begins where a login does"
            )
        return text

    def json_schema(self) -> JsonSchema:
        return {**super().json_schema(), "pattern": r"^[^\\\u0000-\u001f\u007f]+$"}


def folder_name(path: str) -> str:
    """The folder as two definitions can be compared by it: without `.`, doubled and trailing slashes."""
    within = "/".join(part for part in path.split("/") if part not in ("", "."))
    return f"/{within}" if path.startswith("/") else within or "."
