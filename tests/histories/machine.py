"""Makes histories for Hypothesis: a beginning, then any steps, then the end of all faults, and after it every command
that was not asked for on the way.

There is one rule, and a step draws all it does from one number. With a rule for each step and a strategy for
each part of it, Hypothesis prefers to repeat a few steps and to leave others out, and most of its histories
deliver nothing; a list of numbers comes well mixed, and is still shortened when it fails.
"""

from __future__ import annotations

import functools
import shutil
from itertools import count
from pathlib import Path
from random import Random
from typing import ClassVar

from hypothesis import note
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from tests.histories.installation import Installation
from tests.histories.steps import Step, any_step, ask_the_rest, begin
from tests.histories.world import World
from worker.destinations.kinds import DESTINATIONS

_numbers = count()
_luck = st.integers(0, 2**32 - 1)


class Histories(RuleBasedStateMachine):
    """One history. `program` and `folder` are set by the test, for all of them."""

    program: ClassVar[Installation]
    folder: ClassVar[Path]

    def __init__(self) -> None:
        super().__init__()
        self.home = self.folder / f"history-{next(_numbers)}"
        self.kept_kind = DESTINATIONS["directory"]
        self.sound = True
        self.luck = Random(0)
        self.world = World(self.program, self.home, note)
        DESTINATIONS["directory"] = self.program.sis.kind()

    def teardown(self) -> None:
        try:
            if self.sound:
                self.world.end()
                self.take(ask_the_rest, self.luck)
                self.world.account()
        finally:
            DESTINATIONS["directory"] = self.kept_kind
            self.program.end()
            shutil.rmtree(self.home)

    @initialize(luck=_luck)
    def begin(self, luck: int) -> None:
        self.take(begin, Random(luck))

    @rule(luck=_luck)
    def step(self, luck: int) -> None:
        numbers = Random(luck)
        self.take(any_step(numbers), numbers)

    def take(self, step: Step, luck: Random) -> None:
        """After the step every invariant holds; a history in which a step failed has no proper ending."""
        self.sound, self.luck = False, luck
        note(f"# {step.__name__}")
        self.world.survive(functools.partial(step, self.world, luck), luck)
        self.world.look()
        self.sound = True
