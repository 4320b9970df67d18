"""What must come of the morning, worked out from the plan alone: no part of the program is asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from worker.demo.demo_exports import DemoExport
from worker.demo.demo_tardies import DemoTardy, Version
from worker.demo.district import UNMAPPED, clock_time
from worker.demo.messages import Post

_BEFORE = clock_time("00:00")
_QUARTERS = [f"{hour:02d}:{minute:02d}" for hour in (8, 9, 10) for minute in (0, 15, 30, 45)]
#: The moments of the demo. At each, what was sent since the last is taken in, then what is due goes out.
MOMENTS = tuple(map(clock_time, ("07:30", "07:45", *_QUARTERS[:-1], "10:35")))


@dataclass(frozen=True, slots=True)
class Expected:
    """Counts: `states` by export and entry state; the others are messages. `runs`: each export and why it runs.

    `repeats` had arrived before; `overtaken` came when a newer version of their tardy was there.
    """

    states: Mapping[str, Mapping[str, int]]
    runs: Sequence[tuple[str, str]]
    messages: int
    repeats: int
    overtaken: int


def expect(tardies: Sequence[DemoTardy], posts: Sequence[Post], exports: Sequence[DemoExport]) -> Expected:
    """What must come of these tardies and messages in these exports, in the order in which they run."""
    return Expected(
        states={export.export_id: _states(export, tardies) for export in exports},
        runs=[(export.export_id, export.trigger) for export in exports],
        messages=len(posts),
        repeats=sum(tardy.again_at is not None for tardy in tardies),
        overtaken=sum(len(tardy.versions) - len(_in_turn(tardy)) for tardy in tardies),
    )


def _in_turn(tardy: DemoTardy) -> dict[datetime, Version]:
    """The versions that came to be the newest, by the moment at which they did."""
    found: dict[datetime, Version] = {}
    newest = 0
    for before, moment in pairwise((_BEFORE, *MOMENTS)):
        arrived = [version for version in tardy.versions if before < version.sent_at <= moment]
        latest = max(arrived, key=lambda version: version.number, default=None)
        if latest is not None and latest.number > newest:
            newest = latest.number
            found[moment] = latest
    return found


def _states(export: DemoExport, tardies: Sequence[DemoTardy]) -> Counter[str]:
    ours = [tardy for tardy in tardies if tardy.school in export.schools]
    return Counter(state for tardy in ours for state in _fates(export, tardy))


def _fates(export: DemoExport, tardy: DemoTardy) -> list[str]:
    """The end of each version that mattered: a newer one takes the place of one that has not gone."""
    fates: list[str] = []
    newest = _in_turn(tardy)
    for moment in MOMENTS:
        if moment in newest:
            if fates and fates[-1] != "delivered":
                fates[-1] = "superseded"
            fates.append("held" if "delivered" in fates else _fate(export, tardy, newest[moment]))
        if moment == export.runs_at and fates and fates[-1] == "buffered":
            fates[-1] = "delivered"
    return fates


def _fate(export: DemoExport, tardy: DemoTardy, version: Version) -> str:
    if version.code is None:
        return "cancelled"
    unmapped = (tardy.school.school_id, version.code) == UNMAPPED
    return "held" if unmapped or (export.needs_period and tardy.bell is None) else "buffered"
