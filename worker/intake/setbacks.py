"""What a consumer keeps in mind of what it could not put away, so that no outage and no defect uses deliveries up.

Each time a connection closes, everything handed out to it comes again and has used up one delivery of the broker's
limit: innocents too, at the end of which they would be parked. So what was not taken is tried from memory before
anything is taken in hand again, and what meets a defect by itself stays in hand while the others go on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import monotonic

from worker import defects
from worker.broker.ports import Delivery
from worker.errors import UnavailableError

DEFECT = "defect"
_IN_A_ROW = 10  # so many messages that meet a defect and none that does not: it is not theirs
_MOST_LEFT = 200  # messages left in hand before the connection is opened anew: they take up its prefetch
_LEFT_SECONDS = 300.0  # after so long what was left is tried again, by way of the broker, which counts
_PROBES = 12  # tries from memory of what met a defect, before messages are taken in hand all the same
_LONGEST_PAUSE = 30.0

Store = Callable[[], object]


class Untaken:
    """What could not be stored, to be tried from memory. (Storing it twice does no harm: it comes again.)"""

    def __init__(self) -> None:
        self._stores: list[Store] = []
        self._defect = False
        self._probes = 0

    def note(self, store: Store) -> None:
        """The database could not do what `store` asks of it."""
        self._stores, self._defect, self._probes = [store], False, 0

    def note_defect(self, stores: Sequence[Store]) -> None:
        """Each of these met a defect. One of them that goes through will show that it is gone."""
        self._stores, self._defect, self._probes = list(stores), True, 0

    def take(self) -> None:
        """Tries it again; returns where it went through. Raises UnavailableError.

        What still meets a defect may be several messages' own: after some tries they are taken in hand all the same.
        """
        self._probes += 1
        if not any(self._goes(store) for store in self._stores) and self._stores and self._probes <= _PROBES:
            raise UnavailableError("an error of the program in every message, still", kind=DEFECT)
        self._stores = []

    def _goes(self, store: Store) -> bool:
        try:
            store()
        except UnavailableError:
            raise
        except Exception:  # noqa: BLE001 - it was logged when it was met first
            return not self._defect  # another error than the database's: met, and logged, where it is handled
        return True


class Left:
    """Messages of one connection that met a defect each by itself. They are parked by nobody but the broker, once
    they have been handed out as often as its limit says; each new version of the program is handed them again."""

    def __init__(self, untaken: Untaken, *, patience: float = _LEFT_SECONDS) -> None:
        """`patience`: seconds after which they are handed out again."""
        self._untaken = untaken
        self._patience = patience
        self._left = 0
        self._in_a_row: list[Store] = []
        self._others_went = False
        self._since = 0.0

    def add(self, delivery: Delivery, store: Store, error: Exception) -> None:
        """Leaves it in hand; `store` is what failed. Raises UnavailableError where every message meets a defect."""
        defects.noted("store", error, handed_out=delivery.delivery_count + 1, left_for_later=True)
        self._since = self._since or monotonic()
        self._left += 1
        self._in_a_row.append(store)
        if len(self._in_a_row) >= _IN_A_ROW:
            self._stand_still()

    def went_well(self) -> None:
        """Something was stored: the defects before it were those messages' own."""
        self._in_a_row, self._others_went = [], True

    def is_due(self) -> bool:
        """Whether the connection is to be opened anew, so that they are handed out again. Raises UnavailableError
        where nothing else was stored meanwhile: then it may not be theirs."""
        if not self._left:
            return False
        if self._left < _MOST_LEFT and monotonic() - self._since < self._patience:
            return False
        if not self._others_went:
            self._stand_still()
        return True

    def _stand_still(self) -> None:
        self._untaken.note_defect(self._in_a_row)
        raise UnavailableError("an error of the program in every message; the log tells where", kind=DEFECT)


@dataclass(frozen=True, slots=True)
class Postponed:
    """A command that met a defect so many times, kept in hand to be tried again; none other comes meanwhile."""

    delivery: Delivery
    tries: int
    again_at: float

    @classmethod
    def after(cls, delivery: Delivery, tries: int) -> Postponed:
        """The next try comes later each time: after half a second, half a minute at the most."""
        return cls(delivery, tries, monotonic() + min(_LONGEST_PAUSE, 0.25 * 2.0**tries))

    def is_due(self) -> bool:
        return monotonic() >= self.again_at
