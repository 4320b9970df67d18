"""The workers of a soak: each has its place, is killed, stopped, put to sleep, armed to die between two steps, and
started again. One thread looks after them all."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import text

from tests.processes import STOP_SECONDS, Processes, Worker, processes
from tests.soak.deck import Deck
from tests.soak.journal import Journal
from tests.soak.logbook import Logbook
from tests.soak.plan import Plan, Stage
from worker.errors import UnavailableError
from worker.failpoints import STOP_VARIABLE, VARIABLE, Arrow
from worker.store.database.engine import Database

_ROLES: tuple[tuple[str, ...], ...] = ((), ("flusher",), ("consumer",))
_LOOK = 0.1  # seconds between two looks at the workers
_SMALL_BATCHES = {"WRITEBACK_BATCH_SIZE": "100"}
_OFTEN = 4  # an armed place takes effect when it is reached for up to the so-manieth time
_ARMED = 20.0  # seconds after which an armed worker may be anybody's victim: what it waits for may never come
# What a worker of one role alone never comes to.
_NOT_REACHED: Mapping[tuple[str, ...], tuple[str, ...]] = {
    ("flusher",): ("batch", "references", "park", "command"),
    ("consumer",): (
        *("slot", "judge", "continuous", "seal", "claim", "reseal"),
        *("fence", "upload", "depart", "rename", "settle", "wait"),
    ),
}
_CLAIMS_END = (
    text(
        "UPDATE runs SET lease_until = now() - interval '1 hour' WHERE run_id IN"
        " (SELECT run_id FROM runs WHERE lease_until IS NOT NULL FOR UPDATE SKIP LOCKED)"
    ),
    text(
        "UPDATE outbox SET claimed_until = now() - interval '1 hour' WHERE outbox_id IN"
        " (SELECT outbox_id FROM outbox WHERE claimed_until IS NOT NULL FOR UPDATE SKIP LOCKED)"
    ),
    text(
        "UPDATE replies SET due_at = now() - interval '1 hour' WHERE outbox_id IN"
        " (SELECT outbox_id FROM replies FOR UPDATE SKIP LOCKED)"
    ),
)


@dataclass(slots=True)
class Usage:
    """What the workers of one place have used, all together."""

    cpu: float = 0.0
    seconds: float = 0.0
    peak_memory: int = 0
    started: int = 0


@dataclass(slots=True)
class Place:
    """One worker after the other. `state`: up, asleep, ending or down; `until`: when that ends by itself."""

    number: int
    roles: tuple[str, ...]
    worker: Worker | None = None
    state: str = "down"
    until: float = 0.0
    since: float = 0.0
    armed: str | None = None
    killed: bool = False
    last: Usage = field(default_factory=Usage)
    usage: Usage = field(default_factory=Usage)

    @property
    def name(self) -> str:
        return f"worker {self.number} ({' and '.join(self.roles) or 'both roles'})"


class Crew:
    """All workers. As long as the `with` lasts they are looked after; `calm` ends what is done to them."""

    def __init__(self, plan: Plan, stage: Stage, journal: Journal, interrupted: threading.Event) -> None:
        self._plan = plan
        self._stage = stage
        self._journal = journal
        self._rng = plan.dice("workers")
        self._deck = Deck(
            [self._kill, self._kill_between, self._stop_orderly, self._sleep, self._sleep_between], self._rng
        )
        self._arrows = {roles: Deck(_reached_in(roles), self._rng) for roles in _ROLES}
        self._logbook = Logbook(journal)
        self._database = Database(stage.database_url)
        self._raging = threading.Event()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look_after, name="crew", daemon=True)
        self._stack = contextlib.ExitStack()
        self._interrupted = interrupted
        self.places = [Place(number, _ROLES[number % len(_ROLES)]) for number in range(plan.workers)]

    def __enter__(self) -> Crew:
        environment = {**self._stage.environment, **_SMALL_BATCHES}
        self._stage.logs.mkdir()
        self.processes: Processes = self._stack.enter_context(
            processes(self._stage.janitor, self._stage.logs, environment, cold=True)
        )
        for place in self.places:
            self._start(place)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self._stack.close()
        self._database.close()

    def rage(self) -> None:
        """From now on things are done to the workers."""
        self._raging.set()

    def calm(self) -> None:
        """Nothing more is done to them: sleepers are woken, and who is armed is started anew."""
        self._raging.clear()

    def all_up(self) -> bool:
        """Whether everybody works, unarmed."""
        return all(place.state == "up" and place.armed is None for place in self.places)

    def working(self) -> list[Worker]:
        """The workers that can answer now."""
        return [
            place.worker for place in list(self.places) if place.state == "up" and place.worker is not None
        ]

    def dismiss(self) -> None:
        """Ends all workers in order. What they do not do in time is a violation."""
        self._ended.set()
        self._thread.join()
        for place in self.places:
            if place.worker is not None and place.worker.alive:
                os.kill(place.worker.pid, signal.SIGTERM)
        for place in self.places:
            self._wait_for_end(place)

    def _wait_for_end(self, place: Place) -> None:
        if place.worker is None:
            return
        self._measure(place)
        try:
            status = place.worker.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._journal.violation("SIGTERM was not obeyed", f"{place.name} runs after {STOP_SECONDS:g} s")
            place.worker.kill()
        else:
            if status != 0:
                self._journal.violation("SIGTERM ended badly", f"{place.name}: status {status}")
        self._logbook.close(place.worker.log)

    # looking after them

    def _look_after(self) -> None:
        due = 0.0
        first = [self._kill_between, self._sleep_between]  # it takes a while until they come to their place
        while not self._ended.wait(_LOOK):
            try:
                for place in self.places:
                    self._see_to(place)
                if self._raging.is_set() and time.monotonic() >= due:
                    act = first.pop() if first else self._deck.deal()
                    act()
                    due = 0.0 if first else time.monotonic() + self._pause()
            except Exception as error:  # noqa: BLE001  # the soak goes on, its report says so
                self._journal.violation("the crew is not looked after", repr(error))

    def _pause(self) -> float:
        return self._rng.expovariate(1 / self._plan.between) + 0.2

    def _see_to(self, place: Place) -> None:
        now = time.monotonic()
        if place.state == "down":
            if now >= place.until or not self._raging.is_set():
                self._start(place)
            return
        assert place.worker is not None
        if not place.worker.alive:
            self._note_end(place)
        elif place.state == "asleep":
            if now >= place.until or not self._raging.is_set():
                self._wake(place)
        elif place.state == "ending":
            if now > place.until:
                self._journal.violation(
                    "SIGTERM was not obeyed", f"{place.name} runs after {STOP_SECONDS:g} s"
                )
                self._kill_now(place)
        elif place.armed is not None:
            self._see_to_armed(place)
        if place.worker.alive and place.state != "asleep":
            self._measure(place)

    def _see_to_armed(self, place: Place) -> None:
        assert place.worker is not None
        if _is_stopped(place.worker.pid):
            self._note_hit(place, "worker stopped between two steps (SIGSTOP)")
            self._fall_asleep(place)
        elif not self._raging.is_set():
            self._kill_now(place)

    def _note_hit(self, place: Place, kind: str) -> None:
        assert place.armed is not None
        self._journal.fault(kind, f"{place.name} at {place.armed}")
        self._journal.hit(place.armed)

    def _start(self, place: Place, **environment: str) -> None:
        place.worker = self.processes.start(*place.roles, **environment)
        place.armed = next(iter(environment.values()), None)
        place.state, place.killed, place.since = "up", False, time.monotonic()
        place.last = Usage()
        place.usage.started += 1
        self._journal.note(f"{place.name} started as {place.worker.pid}, armed: {place.armed}")

    def _note_end(self, place: Place) -> None:
        """It has ended: as it should have?"""
        assert place.worker is not None
        status = place.worker.wait()
        by_itself = not place.killed and not (place.state == "ending" and status == 0)
        if by_itself and place.armed is not None and status == -signal.SIGKILL:
            self._note_hit(place, "worker killed between two steps (SIGKILL)")
        elif by_itself and status == -signal.SIGTERM and not place.worker.logged("running"):
            self._journal.note(f"{place.name} was told to end before it listened")
        elif by_itself and not (self._interrupted.is_set() and status == 0):  # Ctrl-C reaches them as well
            words = place.worker.last_words()[-300:]
            self._journal.violation("a worker ended by itself", f"{place.name}: status {status}: {words}")
        self._journal.note(f"{place.name} has ended: status {status}")
        self._logbook.close(place.worker.log)
        place.state, place.armed = "down", None
        place.until = time.monotonic() + self._rng.uniform(0, 3)

    def _measure(self, place: Place) -> None:
        """Adds what has been used since the last look. A process that ends meanwhile is not asked."""
        assert place.worker is not None
        with contextlib.suppress(OSError, IndexError, StopIteration):
            cpu, memory = place.worker.cpu_seconds(), place.worker.peak_memory()
            seconds = time.monotonic() - place.since
            place.usage.cpu += cpu - place.last.cpu
            place.usage.seconds += seconds - place.last.seconds
            place.usage.peak_memory = max(place.usage.peak_memory, memory)
            place.last = Usage(cpu, seconds)

    # what is done to them

    def _victim(self, *, armed: bool = False) -> Place | None:
        """A worker that works; `armed`: it may be one that has waited long for the place it is to end at."""
        patient = time.monotonic() - _ARMED
        up = [place for place in self.places if place.state == "up"]
        fit = [place for place in up if place.armed is None or (armed and place.since < patient)]
        return self._rng.choice(fit) if fit else None

    def _kill(self) -> None:
        if place := self._victim(armed=True):
            self._journal.fault("worker killed (SIGKILL)", place.name)
            self._kill_now(place)

    def _kill_now(self, place: Place) -> None:
        assert place.worker is not None
        place.killed = True
        place.worker.kill()

    def _kill_between(self) -> None:
        self._restart_armed(VARIABLE)

    def _sleep_between(self) -> None:
        self._restart_armed(STOP_VARIABLE)

    def _restart_armed(self, variable: str) -> None:
        if place := self._victim(armed=True):
            self._kill_now(place)
            self._note_end(place)
            arrow = self._arrows[place.roles].deal()
            self._start(place, **{variable: f"{arrow}:{self._rng.randint(1, _OFTEN)}"})

    def _stop_orderly(self) -> None:
        if (place := self._victim()) and place.worker is not None:
            self._journal.fault("worker told to end (SIGTERM)", place.name)
            os.kill(place.worker.pid, signal.SIGTERM)
            place.state, place.until = "ending", time.monotonic() + STOP_SECONDS + 1

    def _sleep(self) -> None:
        if (place := self._victim()) and place.worker is not None:
            self._journal.fault("worker asleep past its lease (SIGSTOP)", place.name)
            os.kill(place.worker.pid, signal.SIGSTOP)
            self._fall_asleep(place)

    def _fall_asleep(self, place: Place) -> None:
        """It sleeps past its lease; in a short soak the lease is ended for it."""
        self._measure(place)
        place.state, place.until = "asleep", time.monotonic() + self._rng.uniform(*self._plan.asleep)
        if self._plan.short or self._rng.random() < 0.3:
            self.end_claims()

    def end_claims(self) -> None:
        """What waiting would do if nobody could renew: whatever somebody works on may be taken over by others."""
        with contextlib.suppress(UnavailableError), self._database.write() as connection:
            for statement in _CLAIMS_END:
                connection.execute(statement)
            self._journal.fault("every lease ended early")

    def _wake(self, place: Place) -> None:
        assert place.worker is not None
        os.kill(place.worker.pid, signal.SIGCONT)
        self._journal.note(f"{place.name} wakes")
        place.state, place.armed = "up", None


def _reached_in(roles: tuple[str, ...]) -> list[Arrow]:
    """The places between two steps that a worker of these roles comes to."""
    return [arrow for arrow in Arrow if not arrow.startswith(_NOT_REACHED.get(roles, ()))]


def _is_stopped(pid: int) -> bool:
    """Whether SIGSTOP has stopped the process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"
    except (OSError, IndexError):
        return False
