"""What is known of a server for a while: tokens, and ids that were looked up."""

from __future__ import annotations

import copy
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from worker.errors import WritebackError

_MOST = 20_000


@dataclass(slots=True)
class _Place:
    lock: threading.Lock = field(default_factory=threading.Lock)
    value: Any = None
    loaded: float | None = None
    ends: float = 0.0
    error: WritebackError | None = None
    failed: float = 0.0


class AgingCache:
    """By keys, the least recently used forgotten first. Safe to use from several threads: one loads, the others wait
    and get what it got, an error too (or each would wait for a silent server anew)."""

    def __init__(self, clock: Callable[[], float] = monotonic, most: int = _MOST) -> None:
        self._clock, self._most = clock, most
        self._places: OrderedDict[Hashable, _Place] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable, load: Callable[[], tuple[Any, float]], *, fresh: bool = False) -> Any:
        """The value, loaded where it is not known or its time is over. `load` returns it and for how many seconds it
        holds; what it raises goes through, and nothing changes. `fresh`: none from before this call will do."""
        asked = self._clock()
        place = self._place(key)
        with place.lock:
            if place.loaded is None or place.ends <= self._clock() or (fresh and place.loaded < asked):
                if place.error is not None and place.failed >= asked:
                    raise copy.copy(place.error)
                self._load(place, load)
            return place.value

    def renew(self, key: Hashable, load: Callable[[], tuple[Any, float]]) -> Any:
        """The value, loaded now; whoever asks meanwhile gets what was known and waits for nothing. What `load` raises
        goes through, and nothing changes."""
        value, seconds = load()
        place = self._place(key)
        with place.lock:
            self._keep(place, value, seconds)
        return value

    def _load(self, place: _Place, load: Callable[[], tuple[Any, float]]) -> None:
        try:
            value, seconds = load()
        except WritebackError as error:
            place.error, place.failed = error, self._clock()
            raise
        self._keep(place, value, seconds)

    def _keep(self, place: _Place, value: Any, seconds: float) -> None:
        place.value, place.error, place.loaded = value, None, self._clock()
        place.ends = place.loaded + seconds

    def last(self, key: Hashable) -> Any:
        """The value that was loaded last, however old; None: none was."""
        return self._place(key).value

    def forget(self, key: Hashable, value: Any) -> None:
        """Has it loaded anew, unless another value has come meanwhile."""
        place = self._place(key)
        with place.lock:
            if place.value == value:
                place.ends = self._clock()

    def _place(self, key: Hashable) -> _Place:
        with self._lock:
            place = self._places.setdefault(key, _Place())
            self._places.move_to_end(key)
            if len(self._places) > self._most:
                self._places.popitem(last=False)
            return place
