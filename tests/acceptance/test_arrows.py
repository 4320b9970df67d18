"""SIGKILL at every arrow, then a fresh process: the same files, receipts, outcomes and parked messages."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.acceptance.amqp import Client
from tests.acceptance.arrow_checks import check, parked
from tests.acceptance.arrows import SMALL_BATCHES, Sis, Site, time_passes
from tests.processes import Processes, Worker, wait_for
from worker.broker.by_url import open_broker
from worker.failpoints import VARIABLE, Arrow
from worker.store.database.engine import Database


@dataclass(frozen=True, slots=True)
class Scenario:
    """How an arrow is reached, and what is seen twice because of the death there.

    `times`: it dies when it gets there for the Nth time. `after`: where earlier workers have died before it.
    `at_once`: the SIS collects each file a moment after its rename. `uncollected`: a file of the same name lies
    there until a run waits for it. `twice`: `event`, `parked` or `told`.
    """

    times: int = 1
    after: tuple[Arrow, ...] = ()
    at_once: bool = False
    uncollected: bool = False
    twice: str | None = None


LATE, AT_ONCE = Scenario(), Scenario(at_once=True)

SCENARIOS: dict[Arrow, tuple[Scenario, ...]] = {
    Arrow.BATCH_BEFORE_COMMIT: (Scenario(times=2),),
    Arrow.BATCH_COMMITTED: (Scenario(times=2, at_once=True, twice="event"),),
    Arrow.BATCH_ACKNOWLEDGED: (Scenario(times=2),),
    Arrow.REFERENCES_BEFORE_COMMIT: (AT_ONCE,),
    Arrow.REFERENCES_COMMITTED: (Scenario(twice="event"),),
    Arrow.PARK_BEFORE_PUBLISH: (LATE,),
    Arrow.PARK_PUBLISHED: (Scenario(at_once=True, twice="parked"),),
    Arrow.COMMAND_BEFORE_COMMIT: (AT_ONCE,),
    Arrow.COMMAND_COMMITTED: (Scenario(times=2, twice="event"),),
    Arrow.COMMAND_ACKNOWLEDGED: (AT_ONCE,),
    Arrow.SLOT_BEFORE_COMMIT: (LATE,),
    Arrow.SLOT_COMMITTED: (AT_ONCE,),
    Arrow.JUDGE_BEFORE_COMMIT: (Scenario(times=2),),
    Arrow.JUDGE_COMMITTED: (AT_ONCE,),
    Arrow.CONTINUOUS_COMMITTED: (LATE,),
    Arrow.SEAL_BEFORE_COMMIT: (AT_ONCE,),
    Arrow.SEAL_COMMITTED: (LATE,),
    Arrow.CLAIM_COMMITTED: (AT_ONCE,),
    Arrow.RESEAL_BEFORE_COMMIT: (Scenario(uncollected=True),),
    Arrow.RESEAL_COMMITTED: (Scenario(after=(Arrow.UPLOAD_HALF,), at_once=True),),
    Arrow.FENCE_BEFORE: (Scenario(after=(Arrow.DEPART_COMMITTED,)),),
    Arrow.FENCE_DONE: (
        Scenario(after=(Arrow.DEPART_COMMITTED,), at_once=True),
        Scenario(after=(Arrow.RENAME_DONE,), at_once=True),
    ),
    Arrow.UPLOAD_BEFORE: (LATE,),
    Arrow.UPLOAD_HALF: (AT_ONCE, Scenario(after=(Arrow.DEPART_COMMITTED,))),
    Arrow.UPLOAD_DONE: (LATE,),
    Arrow.DEPART_BEFORE_COMMIT: (AT_ONCE,),
    Arrow.DEPART_COMMITTED: (LATE, Scenario(after=(Arrow.DEPART_COMMITTED,), at_once=True)),
    Arrow.RENAME_BEFORE: (AT_ONCE,),
    Arrow.RENAME_DONE: (LATE, AT_ONCE),
    Arrow.SETTLE_BEFORE_COMMIT: (LATE, AT_ONCE),
    Arrow.SETTLE_COMMITTED: (AT_ONCE,),
    Arrow.WAIT_COMMITTED: (Scenario(uncollected=True),),
    Arrow.OUTBOX_CLAIMED: (LATE,),
    Arrow.OUTBOX_PUBLISHED: (Scenario(at_once=True, twice="told"),),
    Arrow.OUTBOX_COMMITTED: (LATE,),
    Arrow.REPLY_SENT: (AT_ONCE,),
}

# Where the embedded default goes ways of its own: what the dead process had claimed comes back by itself.
EMBEDDED: dict[Arrow, Scenario] = {
    Arrow.BATCH_BEFORE_COMMIT: AT_ONCE,
    Arrow.BATCH_COMMITTED: Scenario(twice="event"),
    Arrow.BATCH_ACKNOWLEDGED: AT_ONCE,
    Arrow.PARK_BEFORE_PUBLISH: LATE,
    Arrow.PARK_PUBLISHED: Scenario(twice="parked"),
    Arrow.COMMAND_BEFORE_COMMIT: Scenario(times=2, at_once=True),
    Arrow.COMMAND_COMMITTED: Scenario(twice="event"),
    Arrow.COMMAND_ACKNOWLEDGED: AT_ONCE,
}


@pytest.fixture
def site(writeback: Processes, client: Client, amqp_url: str, database: Database, home: Path) -> Site:
    """RabbitMQ and PostgreSQL; everything of the morning is in the queues."""
    return _ready(Site(database, home, writeback, open_broker(amqp_url, home), client, Sis(home / "sis")))


@pytest.fixture
def embedded_site(embedded: Processes, home: Path) -> Iterator[Site]:
    """The embedded default; everything of the morning is in the inbox."""
    database = Database(f"sqlite:///{home / 'writeback.sqlite3'}")
    yield _ready(Site(database, home, embedded, open_broker(None, home), None, Sis(home / "sis")))
    database.close()


def _ready(site: Site) -> Site:
    site.prepare()
    site.publish()
    return site


@pytest.mark.parametrize("arrow", Arrow)
def test_every_arrow_has_a_scenario(arrow: Arrow) -> None:
    assert SCENARIOS.get(arrow), f"nothing kills a worker at {arrow}: add a scenario"


@pytest.mark.parametrize("at_once", [False, True])
def test_a_morning_without_deaths_is_what_the_others_are_measured_by(site: Site, at_once: bool) -> None:
    worker = live_through(site, (), Scenario(at_once=at_once))
    assert worker.stop() == 0


@pytest.mark.parametrize(
    ("arrow", "scenario"),
    [
        pytest.param(arrow, scenario, id=f"{arrow}-{number}")
        for arrow, scenarios in SCENARIOS.items()
        for number, scenario in enumerate(scenarios)
    ],
)
def test_a_worker_that_dies_at_an_arrow_changes_nothing(site: Site, arrow: Arrow, scenario: Scenario) -> None:
    live_through(site, (*scenario.after, arrow), scenario)


@pytest.mark.parametrize(("arrow", "scenario"), EMBEDDED.items(), ids=list(EMBEDDED))
def test_an_embedded_worker_that_dies_at_an_arrow_changes_nothing(
    embedded_site: Site, arrow: Arrow, scenario: Scenario
) -> None:
    live_through(embedded_site, (arrow,), scenario)


def live_through(site: Site, deaths: tuple[Arrow, ...], scenario: Scenario) -> Worker:
    """The morning with a worker that dies at each of these arrows, and one that ends it: that one is returned."""
    if scenario.uncollected:
        site.leave_uncollected()
    with site.sis.collecting_at_once() if scenario.at_once else nullcontext():
        for arrow in deaths:
            times = scenario.times if arrow is deaths[-1] else 1
            die_at(site, arrow, times)
            time_passes(site.database)
        worker = site.processes.start(**SMALL_BATCHES)
        site.work(worker)
    check(site)
    check_repeated(site, worker, scenario.twice)
    if site.sis.leftovers():
        site.afternoon()
    return worker


def die_at(site: Site, arrow: Arrow, times: int) -> None:
    """One worker that is killed when it gets to the arrow for the Nth time."""
    worker = site.processes.start(**SMALL_BATCHES, **{VARIABLE: f"{arrow}:{times}"})
    site.work(worker)
    assert not worker.alive, f"{arrow} was not reached; {site.stand()}"
    assert worker.wait() == -signal.SIGKILL, worker.log.read_text(errors="replace")[-2000:]


def check_repeated(site: Site, worker: Worker, twice: str | None) -> None:
    """What the death made come again was seen to come again, or the test would have tested nothing."""
    if twice == "event":
        wait_for(lambda: worker.metric("writeback_events_total", result="duplicate"), "it to come again")
    elif twice == "parked":
        wait_for(lambda: len(parked(site)) > 1, "it to be parked again")
        assert len(parked(site)) == 2
    elif twice == "told":
        assert max(Counter(one["id"] for one in site.told()).values()) > 1
