"""Random load: tardies in disorder, reference data that changes, broken messages; as fast as was asked for."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from schemas.topology import EVENTS_QUEUE
from tests.acceptance import district
from tests.acceptance.broken_messages import ORIGINAL, Broken, broken_messages
from tests.acceptance.district import School
from tests.builders import tardy
from tests.soak.exports import churned
from tests.soak.history import History, Stream
from tests.soak.journal import Journal
from tests.soak.plan import Plan, Stage
from tests.soak.publishing import GaveUpError, Insistent

CONFLICT_DISTRICT = "elsewhere"  # no export is there
_PUBLISHERS = 2
_AHEAD = 6000  # messages that may be ready in the queue before the load waits
_LOOK = 1.0  # seconds between two looks at the queue
_CALM_BLOCKS = 4  # of tardies at the end, once nothing fails any more
_BROKEN_ONE_IN = 250
_REFERENCE_ONE_IN = 300
_HUGE = 1_000_000  # bytes; broken messages larger than this are left out
_FIRST_CHURN = 10  # the first version that the churn gives: above all of district.reference_messages()

Publication = tuple[str, str, bytes, Mapping[str, Any]]
"""Exchange, routing key, body, properties."""


def conflict_original() -> dict[str, Any]:
    """A tardy that is known before the load begins; later its version comes with other content."""
    return tardy(ORIGINAL, district_id=CONFLICT_DISTRICT)


@dataclass
class Certain:
    """What has been published for certain, besides tardies: broken messages by body, with the code expected."""

    broken: Counter[str] = field(default_factory=Counter)
    codes: dict[str, str] = field(default_factory=dict)
    references: int = 0


def fingerprint(body: bytes) -> str:
    """A body's name in an account."""
    return hashlib.sha256(body).hexdigest()


class Load:
    """Publishes from threads of its own until told to end; then what has been begun is published to its end."""

    def __init__(self, plan: Plan, stage: Stage, journal: Journal, given_up: threading.Event) -> None:
        self._plan = plan
        self._journal = journal
        self._rng = plan.dice("load")
        self._ended = threading.Event()
        self._given_up = given_up
        self._lock = threading.Lock()
        self._calm_left = _CALM_BLOCKS
        self._next_at = time.monotonic()
        self._next_look = 0.0
        self._churn = _FIRST_CHURN
        self._broken = _usable_broken()
        self.history = History(plan.seed)
        self.stream = Stream(self.history, plan.dice("disorder"))
        self.sent = Certain()
        self._publications = self._all()
        self._threads = [
            threading.Thread(target=self._run, args=(stage.amqp_url,), name=f"load-{number}", daemon=True)
            for number in range(_PUBLISHERS)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def finish(self, timeout: float) -> bool:
        """Ends the load; False: what was begun could not be published in time."""
        self._ended.set()
        deadline = time.monotonic() + timeout
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads) and not self._given_up.is_set()

    def _run(self, url: str) -> None:
        publisher = Insistent(url, self._journal, self._given_up)
        try:
            while (publication := self._next(publisher)) is not None:
                publisher.publish_raw(*publication)
        except GaveUpError:
            return
        except Exception as error:  # noqa: BLE001  # a soak whose load has stopped proves nothing
            self._journal.violation("the load broke off", repr(error))
            self._given_up.set()
        publisher.close()

    def _next(self, publisher: Insistent) -> Publication | None:
        """The next message, when it is time for it; None: there is none any more."""
        with self._lock:
            self._wait(publisher)
            return next(self._publications, None)

    def _wait(self, publisher: Insistent) -> None:
        now = time.monotonic()
        if not self._ended.is_set() and now >= self._next_look:
            while publisher.depth(EVENTS_QUEUE) > _AHEAD and not self._ended.wait(_LOOK / 2):
                continue
            self._next_look = time.monotonic() + _LOOK
        self._next_at = max(self._next_at + 1 / self._plan.rate, time.monotonic() - 0.2)
        self._ended.wait(max(0.0, self._next_at - time.monotonic()))

    # what is published

    def _all(self) -> Iterator[Publication]:
        for version in self.stream.versions(self._is_over):
            self._journal.count("events published")
            yield _event(version.message())
            yield from self._others()
        yield _event(district.late_mapping())

    def _is_over(self) -> bool:
        """Some more comes after the end, while nothing fails: so every export has something to send then."""
        if self._ended.is_set():
            self._calm_left -= 1
        return self._calm_left <= 0

    def _others(self) -> Iterator[Publication]:
        if self._rng.randrange(_BROKEN_ONE_IN) == 0 and not self._ended.is_set():
            broken = self._rng.choice(self._broken)
            name = fingerprint(broken.body)
            self.sent.broken[name] += 1
            self.sent.codes[name] = broken.code
            self._journal.count("broken messages published")
            yield ("behavior", "tardy.recorded", broken.body, broken.properties)
        if self._rng.randrange(_REFERENCE_ONE_IN) == 0:
            self.sent.references += 1
            self._journal.count("reference data published")
            yield _event(self._reference())

    def _reference(self) -> dict[str, Any]:
        """Some reference data in a later version: a code with another External Reference Code, else the same."""
        message = self._rng.choice(_references())
        self._churn += 1
        data = {**message["data"], "version": self._churn}
        if message["type"] == "behavior_code.saved":
            school = School(data["district_id"], 1)
            reference = district.behavior_code(school, data["code"], all_mapped=True)
            assert reference is not None
            data["external_reference_code"] = churned(reference, self._churn)
        else:
            data["name"] = f"{data['name']}, version {self._churn}"
        return {**message, "id": uuid4().hex, "data": data}


def _references() -> list[dict[str, Any]]:
    """Reference data that may change while a soak runs: not what is unmapped until its end."""
    kept = []
    for message in district.reference_messages():
        data = message["data"]
        own = message["type"] == "behavior_code.saved" and data["school_id"] is not None
        unmapped = (data["district_id"], data.get("code")) == district.UNMAPPED
        if not own and not unmapped:
            kept.append(message)
    return kept


def _usable_broken() -> list[Broken]:
    usable = [one for one in broken_messages() if len(one.body) < _HUGE and ORIGINAL.encode() not in one.body]
    conflict = tardy(ORIGINAL, district_id=CONFLICT_DISTRICT, comment="other content")
    return [*usable, Broken("other content", "invalid", json.dumps(conflict).encode())]


def _event(message: Mapping[str, Any]) -> Publication:
    return ("behavior", message["type"], json.dumps(message).encode(), {})


def calls_until(done: Callable[[], bool], deadline: float, pause: float = 0.5) -> bool:
    """Looks until something is true; False: it was not by the deadline (on the monotonic clock)."""
    while not done():
        if time.monotonic() > deadline:
            return False
        time.sleep(pause)
    return True
