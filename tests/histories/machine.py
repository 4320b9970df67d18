"""Makes histories: every rule is something that people, other services, the SIS or fate can do."""

from __future__ import annotations

import functools
import shutil
from collections.abc import Callable
from itertools import count
from pathlib import Path
from random import Random
from typing import ClassVar

from hypothesis import note
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from tests.histories import choices
from tests.histories.installation import Installation
from tests.histories.sis import Crashed
from tests.histories.world import World
from worker.destinations.registry import DESTINATIONS

Step = Callable[["Histories", Random], None]
_numbers = count()
_luck = st.integers(0, 2**32 - 1)  # what a step does is drawn from this: a few large steps, well mixed


def checked(step: Step) -> Callable[..., None]:
    """After the step every invariant holds; a history in which a step failed has no proper ending."""

    @functools.wraps(step)
    def wrapped(self: Histories, luck: int) -> None:
        self.sound = False
        self.world.program.surviving(functools.partial(step, self, Random(luck)))
        self.world.look()
        self.sound = True

    return wrapped


class Histories(RuleBasedStateMachine):
    """One history. `program` and `folder` are set by the test, for all of them."""

    program: ClassVar[Installation]
    folder: ClassVar[Path]

    def __init__(self) -> None:
        super().__init__()
        self.home = self.folder / f"history-{next(_numbers)}"
        self.world = World(self.program, self.home, note)
        self.sound = True
        self.kept_kind = DESTINATIONS["directory"]
        DESTINATIONS["directory"] = self.program.sis.kind()

    def teardown(self) -> None:
        try:
            if self.sound:
                self.world.end()
        finally:
            DESTINATIONS["directory"] = self.kept_kind
            self.program.end()
            shutil.rmtree(self.home)

    @initialize(luck=_luck)
    @checked
    def begin(self, luck: Random) -> None:
        """No history begins with nothing."""
        for _ in range(luck.randint(1, 3)):
            self.world.define(choices.document(luck))
        self.world.publish(choices.batch(luck))

    @rule(luck=_luck)
    @checked
    def publish(self, luck: Random) -> None:
        """New tardies, corrections, voids, versions that come late; perhaps sent twice, perhaps gone at once."""
        self.world.publish(choices.batch(luck), twice=luck.random() < 0.2)
        if luck.random() < 0.4:
            self.world.ask_for_runs(choices.some_exports(luck))
            self.program.work()

    @rule(luck=_luck)
    @checked
    def save(self, luck: Random) -> None:
        """A school, code or bell schedule is described anew; a definition is widened, narrowed, or another one."""
        if luck.random() < 0.5:
            self.world.refer(luck.choice(choices.DISTRICTS), choices.reference(luck))
        else:
            self.world.define(choices.document(luck), run_now=luck.random() < 0.5)

    @rule(luck=_luck)
    @checked
    def ask(self, luck: Random) -> None:
        """What an administrator asks of one export."""
        export_id, kind = choices.export_id(luck), luck.choice(choices.COMMANDS)
        note(f"{kind} {export_id}")
        match kind:
            case "save again":
                self.world.define_again(export_id)
            case "delete":
                self.world.delete(export_id)
            case "pause" | "resume":
                self.world.pause(export_id, paused=kind == "pause")
            case "retry":
                self.world.retry(export_id)
            case "abandon" | "abandon unsent":
                self.world.abandon(export_id, unsent=kind == "abandon unsent")

    @rule(luck=_luck)
    @checked
    def work(self, luck: Random) -> None:
        """Runs are asked for and worked on until nothing is left to do, and the SIS may fail meanwhile."""
        self.world.ask_for_runs(choices.some_exports(luck))
        if luck.random() < 0.6:
            self.program.sis.faults = choices.faults(luck)
            note(f"faults: {self.program.sis.faults}")
        self.program.work()

    @rule(luck=_luck)
    @checked
    def work_disturbed(self, luck: Random) -> None:
        """The same, and something happens between two steps. A dead worker's lease may run out at once."""
        self.world.ask_for_runs(choices.some_exports(luck))
        self.world.arm(choices.disturbance(luck, choices.DELIVERY))
        died = self.program.surviving(self.program.work)
        self.program.disarm()
        if died and luck.random() < 0.5:
            self.program.lease_ends()
            self.program.work()

    @rule(luck=_luck)
    @checked
    def disturb(self, luck: Random) -> None:
        """Something will happen when the program comes to a place, whichever step takes it there; or a worker
        sleeps past its lease and goes on."""
        if luck.random() < 0.5:
            self.world.arm(choices.disturbance(luck, choices.EVERYWHERE))
        else:
            self.world.ask_for_runs(choices.some_exports(luck))
            self.world.sleep_and_wake(others_work=luck.random() < 0.7, collects=luck.random() < 0.5)

    @rule(luck=_luck)
    @checked
    def go_on(self, luck: Random) -> None:
        """Time passes, the SIS collects, old messages come again, outcomes are told, the process dies."""
        event = luck.choice(
            ("time", "time", "time", "collected", "at once", "again", "again", "told", "dies")
        )
        note(event)
        match event:
            case "time":
                self.world.pass_time(luck.choice(choices.PASSING))
            case "collected" | "at once":
                self.program.sis.collect()
                self.program.sis.collects_at_once = event == "at once"
            case "again":
                self.world.redeliver(luck)
            case "told":
                self.program.outbox.publish_some(self.program.post)
            case "dies":
                raise Crashed
