"""A destination tried step by step, as `writeback check` does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic

from worker.errors import DeliveryError


@dataclass(frozen=True, slots=True)
class TrialStep:
    """One step: its name, such as `connect`, how many seconds it took, and what was wrong, None: nothing."""

    name: str
    seconds: float
    problem: str | None = None


class Trial:
    """What a destination tells while it is tried; `masked` takes the secrets it was given out of a text."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self.masked: Callable[[str], str] = str
        self.steps: list[TrialStep] = []
        self.lacks: list[str] = []
        self._under_way: tuple[str, float] | None = None

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """One of: resolve, connect, certificate, host key, log in, token, look up, folder, write, rename, remove,
        read. Takes down how long it took, and what was wrong; a destination's last step is the one that failed."""
        begun = self._clock()
        self._under_way = (name, begun)
        try:
            yield
        except DeliveryError as error:
            self.steps.append(TrialStep(name, self._clock() - begun, self.masked(str(error))))
            raise
        finally:
            self._under_way = None
        self.steps.append(TrialStep(name, self._clock() - begun))

    def so_far(self, problem: str) -> list[TrialStep]:
        """The steps of a trial that is waited for no longer; the one under way has this problem. Any thread may ask."""
        done, under_way = list(self.steps), self._under_way
        if under_way is None:
            return done
        name, begun = under_way
        return [*done, TrialStep(name, self._clock() - begun, problem)]

    def lack(self, what: str) -> None:
        """Something that cannot be had there, a clause; no reason to stop."""
        if (said := self.masked(what)) not in self.lacks:
            self.lacks.append(said)
