"""What has to happen before an entry that is held, or that the SIS refused, goes: as a person reads it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from worker.core.judgement.remedies import in_sis, remedy
from worker.views.tardies.held_entries import entry_id


def what_frees(entry: Mapping[Any, Any], *, tells_action: bool) -> str:
    """The way out, with the commands to type; `tells_action` as of `remedy`."""
    name = entry_id(entry)
    release, dismiss = f"`writeback held release {name}`", f"`writeback held dismiss {name}`"
    if entry["state"] == "refused":
        return f"{release} sends it once more, `held dismiss` gives it up"
    code, action = entry["reason_code"], entry["action"]
    frees = remedy(code, action, tells_action=tells_action)
    first = in_sis(code, action, tells_action=tells_action)
    if frees == "dismiss":
        return f"it can only be dismissed: {dismiss}"
    if frees == "by-hand":
        return f"{first}, then {dismiss}"
    if code == "sis-later":
        return f"it is asked for again by itself; {release} sends it with the next run"
    if frees == "release":
        return f"{f'{first}; ' if first else ''}{release} sends it, {dismiss} does not"
    mapped = " (`writeback codes map` can)" if frees == "map" else ""
    return f"it goes by itself once that is put right{mapped}"
