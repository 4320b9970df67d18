"""How a worker is made to die at an arrow, what comes again because of it, and where there is which death."""

from __future__ import annotations

import signal
from collections import Counter
from contextlib import nullcontext
from dataclasses import dataclass

import pytest

from tests.acceptance.arrow_checks import check, parked
from tests.acceptance.arrows import SMALL_BATCHES, Site, time_passes
from tests.processes import Worker, wait_for
from worker.failpoints import VARIABLE, Arrow


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

# Up to the run, and behind it.
AROUND_RUNS: dict[Arrow, tuple[Scenario, ...]] = {
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
    Arrow.OUTBOX_CLAIMED: (LATE,),
    Arrow.OUTBOX_PUBLISHED: (Scenario(at_once=True, twice="told"),),
    Arrow.OUTBOX_COMMITTED: (LATE,),
    Arrow.REPLY_SENT: (AT_ONCE,),
}

# From sealing to settling.
OF_RUNS: dict[Arrow, tuple[Scenario, ...]] = {
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
}


# The same of records, and what the arrow's Nth time is; `after` as above.
OF_RECORDS: dict[Arrow, tuple[Scenario, ...]] = {
    Arrow.ASK_BEFORE_COMMIT: (LATE, Scenario(times=2)),
    Arrow.ASK_COMMITTED: (LATE, Scenario(times=3)),
    Arrow.REQUEST_BEFORE: (Scenario(times=5),),
    Arrow.REQUEST_DONE: (Scenario(times=5), Scenario(after=(Arrow.ASK_COMMITTED,))),
}


def each_of(scenarios: dict[Arrow, tuple[Scenario, ...]]) -> pytest.MarkDecorator:
    """Gives a test every death of these, one after the other, as `arrow` and `scenario`."""
    deaths = [
        pytest.param(arrow, scenario, id=f"{arrow}-{number}")
        for arrow, of_arrow in scenarios.items()
        for number, scenario in enumerate(of_arrow)
    ]
    return pytest.mark.parametrize(("arrow", "scenario"), deaths)


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
