"""Tardies without end, from one seed: any part can be made again, so nobody has to remember what was published."""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from tests.acceptance.tardies import Version, make_versions

BLOCK = 100  # tardies made at once
_REPEATED = 0.05  # of the messages
_JITTER = 200.0  # messages that one may be away from its place
_LATE = 0.5  # of later versions come long after the first
_MUCH_LATER = 2000.0  # messages, on average


@dataclass(frozen=True, slots=True)
class History:
    """The tardies of a seed, in blocks."""

    seed: int

    def block(self, number: int) -> list[Version]:
        """Every version of the block's tardies, those of one tardy in order."""
        return [_renamed(version, number) for version in make_versions(BLOCK, self.seed * 1_000_003 + number)]

    def tardies(self, blocks: int) -> Iterator[list[Version]]:
        """Of each tardy of the first blocks its versions, in order."""
        for number in range(blocks):
            for _, versions in itertools.groupby(self.block(number), key=lambda version: version.key):
                yield list(versions)


def _renamed(version: Version, block: int) -> Version:
    """Ids are unique within a district: the block's number tells its tardies from other blocks'."""
    district, tardy_id = version.key
    key = (district, f"{block}-{tardy_id}")
    data = None if version.data is None else {**version.data, "tardy_id": key[1]}
    return replace(version, key=key, data=data)


class Stream:
    """The versions of a history in disorder: shuffled, some twice, corrections soon or much later.

    Ends once told to, with everything that is still to come of the tardies begun: `blocks` tells how many blocks
    have been published whole.
    """

    def __init__(self, history: History, rng: random.Random) -> None:
        self._history = history
        self._rng = rng
        self._serials = itertools.count()
        self._waiting: list[tuple[float, int, Version]] = []
        self.blocks = 0
        self.repeats = 0

    def versions(self, ended: Callable[[], bool]) -> Iterator[Version]:
        """Versions to publish, in this order."""
        place = 0
        while not ended():
            for version in self._history.block(self.blocks):
                place += 1
                self._put(place, version)
            self.blocks += 1
            while self._waiting and self._waiting[0][0] < place:
                yield heapq.heappop(self._waiting)[2]
        while self._waiting:
            yield heapq.heappop(self._waiting)[2]

    def _put(self, place: float, version: Version) -> None:
        rng = self._rng
        if version.number > 1 and rng.random() < _LATE:
            place += rng.expovariate(1 / _MUCH_LATER)
        self._push(place + rng.uniform(0, _JITTER), version)
        if rng.random() < _REPEATED:
            self.repeats += 1
            self._push(place + rng.uniform(0, _JITTER * 4), version)

    def _push(self, place: float, version: Version) -> None:
        heapq.heappush(self._waiting, (place, next(self._serials), version))
