"""The keys by which a server is known: pinned in the definition, and never learnt from the server itself."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from marshmallow import ValidationError

from schemas.fields.scalars import Text

# Each kind of key a server may have, by the algorithms that are asked for to be shown it.
ALGORITHMS: dict[str, tuple[str, ...]] = {
    "ssh-ed25519": ("ssh-ed25519",),
    "ecdsa-sha2-nistp256": ("ecdsa-sha2-nistp256",),
    "ecdsa-sha2-nistp384": ("ecdsa-sha2-nistp384",),
    "ecdsa-sha2-nistp521": ("ecdsa-sha2-nistp521",),
    "ssh-rsa": ("rsa-sha2-512", "rsa-sha2-256"),
}

_FORMS = (
    "a line of known_hosts, a public key such as `ssh-ed25519 AAAA…`, or a fingerprint such as `SHA256:…`"
)
_fingerprint = re.compile(r"SHA256:([A-Za-z0-9+/]{43})=?").fullmatch
_md5 = re.compile(r"(?:MD5:)?(?:[0-9a-fA-F]{2}:){15}[0-9a-fA-F]{2}").fullmatch


@dataclass(frozen=True, slots=True)
class PinnedKey:
    """One key: its fingerprint (`SHA256:…`) and its kind, None where only the fingerprint is given."""

    fingerprint: str
    kind: str | None = None


@dataclass(frozen=True, slots=True)
class PinnedKeys:
    """The keys of one server, any of which it may show."""

    keys: tuple[PinnedKey, ...]

    def has(self, fingerprint: str) -> bool:
        return any(key.fingerprint == fingerprint for key in self.keys)

    @property
    def shown(self) -> str:
        """As a person compares them."""
        return " or ".join(key.fingerprint for key in self.keys)

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds to ask the server for: others it need not show. A fingerprint alone may be of any."""
        named = {key.kind for key in self.keys}
        return tuple(kind for kind in ALGORITHMS if None in named or kind in named)


class HostKeys(Text):
    """One key in any of its usual forms; of several lines, each is one."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(1, 8192, **kwargs)

    def check(self, value: Any) -> str:
        text = super().check(value)
        parsed(text)
        return text


def pinned(texts: Iterable[str]) -> PinnedKeys:
    """Raises ValidationError."""
    return PinnedKeys(tuple(key for text in texts for key in parsed(text)))


def parsed(text: str) -> list[PinnedKey]:
    """The keys of a text. Raises ValidationError."""
    lines = [line.strip() for line in text.splitlines()]
    keys = [_key(line) for line in lines if line and not line.startswith("#")]
    if not keys:
        raise ValidationError(f"must be {_FORMS}")
    return keys


def _key(line: str) -> PinnedKey:
    words = line.split()
    if words[0].startswith("@"):
        raise ValidationError(f"{words[0]} lines are not understood; give the server's own key: {_FORMS}")
    for word in words:
        if found := _fingerprint(word):
            return PinnedKey(f"SHA256:{found[1]}")
        if _md5(word):
            raise ValidationError(
                "an MD5 fingerprint proves too little; give the one that begins with SHA256:"
            )
    for kind, blob in pairwise(words):
        if kind in ALGORITHMS:
            return PinnedKey(_fingerprint_of(kind, blob), kind)
    if "ssh-dss" in words:
        raise ValidationError("a DSA key (ssh-dss) proves nothing any more; give another key of that server")
    raise ValidationError(f"must be {_FORMS}")


def _fingerprint_of(kind: str, blob: str) -> str:
    try:
        raw = base64.b64decode(blob, validate=True)
    except binascii.Error:
        raw = b""
    if not raw.startswith(len(kind).to_bytes(4, "big") + kind.encode()):
        raise ValidationError(f"what follows {kind} is no such key; copy the whole line")
    return fingerprint(raw)


def fingerprint(raw: bytes) -> str:
    """As `ssh-keygen -l` shows it."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(raw).digest()).decode().rstrip("=")
