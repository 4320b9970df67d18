"""What has to happen before a held entry goes: one rule, whoever tells of it or acts on it."""

from __future__ import annotations

from typing import Literal

Remedy = Literal["release", "by-hand", "dismiss", "map", "put-right"]
"""`release`: a person lets it go. `by-hand`: the file cannot tell of it; a person sees to it in the SIS, then dismisses
it. `dismiss`: nothing else is left. `map`: reference data, or the administrator's word on its code, and it goes by
itself. `put-right`: it goes by itself once its cause is gone."""

BY_POLICY = frozenset({"correction", "closed", "too-old", "ahead", "sis-later", "sis-unknown"})
"""Codes of what a person may release: it could be written, but the definition, or what the SIS has said, does not let
it go by itself."""

_BY_HAND = {"void": "remove it in the SIS", "change": "correct it in the SIS"}
_MAPPED = "code-"  # how the codes begin of what lacks something of its behavior code


def by_hand(action: str | None, *, tells_action: bool) -> str | None:
    """What a person does in the SIS about a row that the file cannot tell of; None: it can."""
    return None if tells_action else _BY_HAND.get(action or "")


def in_sis(code: str | None, action: str | None, *, tells_action: bool) -> str | None:
    """What a person does in the SIS before deciding about a held entry, in words; None: nothing."""
    if code == "sis-unknown":
        return "look in the SIS whether the record is there"
    if code == "sis-cannot":
        return _BY_HAND.get(action or "", "put it right in the SIS")
    return by_hand(action, tells_action=tells_action)


def remedy(code: str | None, action: str | None, *, tells_action: bool) -> Remedy:
    """What frees an entry that is held for the reason of this code, and would go out as this action; `tells_action`:
    the file has a column to say so."""
    if code == "purged":
        return "dismiss"
    if code == "sis-cannot":
        return "by-hand"
    if by_hand(action, tells_action=tells_action) is not None:
        return "by-hand"
    if code in BY_POLICY:
        return "release"
    return "map" if (code or "").startswith(_MAPPED) else "put-right"
