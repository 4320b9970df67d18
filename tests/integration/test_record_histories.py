"""Random histories of an export of records beside an SIS that fails in every way, on both databases: never two
records of one tardy, and in the end the SIS has what this program says it has."""

from __future__ import annotations

import contextlib
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import date
from itertools import count
from pathlib import Path
from random import Random
from typing import Any, ClassVar

import orjson
import pytest
from hypothesis import HealthCheck, Phase, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from tests.builders import command, definition, save, school, tardy, void
from tests.integration.delivering import Crashed, meets
from tests.integration.record_sis import LedgerSis, ledger
from tests.integration.setting_aside import broken
from tests.program import SteppedProgram
from worker.actions.resyncing import Days, resync_export
from worker.actions.tardies import take_back
from worker.errors import RefusedError
from worker.failpoints import Arrow
from worker.store.audit.auditing import audit
from worker.store.audit.findings import Scope

_EXAMPLES = {"sqlite": 5, "postgresql": 3}
_SHAPES = ("natural", "own", "keyed", "batch", "proven", "replacing", "blind-replacing")
_FAULTS = ("refuse", "later", "cut", "lost", "busy", "login", "take", "take")
_DIES_AT = (
    Arrow.SEAL_COMMITTED,
    Arrow.RESEAL_COMMITTED,
    Arrow.ASK_BEFORE_COMMIT,
    Arrow.ASK_COMMITTED,
    Arrow.REQUEST_BEFORE,
    Arrow.REQUEST_DONE,
    Arrow.SETTLE_BEFORE_COMMIT,
    Arrow.SETTLE_COMMITTED,
    Arrow.WAIT_COMMITTED,
)
_DAYS = ("2026-10-05T08:07:00-05:00", "2026-10-06T08:07:00-05:00")
_NOTES = (None, "bus", "rain")
_numbers = count()


class RecordHistories(RuleBasedStateMachine):
    """One history, of an export of its own. `program` is set by the test, for all of them."""

    program: ClassVar[SteppedProgram]
    told: ClassVar[Counter[str]] = Counter()

    def __init__(self) -> None:
        super().__init__()
        self.id = f"history-{next(_numbers)}"
        self.versions: dict[str, int] = {}
        self.heads: dict[str, dict[str, Any] | None] = {}  # None: void
        self.open = contextlib.ExitStack()
        self.sound = True

    @initialize(luck=st.integers(0, 2**32 - 1))
    def begin(self, luck: int) -> None:
        self.shape = Random(luck).choice(_SHAPES)
        note(f"# an SIS of shape {self.shape}")
        self.sis: LedgerSis = self.open.enter_context(ledger(self.shape))
        self.program.receive(school(self.id))
        self.save()

    @rule(luck=st.integers(0, 2**32 - 1))
    def step(self, luck: int) -> None:
        numbers = Random(luck)
        what: Callable[[Random], None] = numbers.choice(_STEPS).__get__(self)
        note(f"{what.__name__} {luck}")
        self.sound = False
        what(numbers)
        self.look()
        self.sound = True

    def teardown(self) -> None:
        with self.open:
            if self.sound and hasattr(self, "sis"):
                self.settle()
                self.account()
                self.say("export.delete")

    # steps

    def record(self, luck: Random) -> None:
        names = [f"{self.id}-{number}" for number in range(luck.randint(1, 4))]
        for name in names:
            self.tell(name, luck)

    def tell(self, name: str, luck: Random) -> None:
        version = self.versions[name] = self.versions.get(name, 0) + 1
        if version > 1 and luck.random() < 0.3:
            self.heads[name] = None
            self.program.receive(void(name, version, self.id))
            return
        said = {"occurred_at": luck.choice(_DAYS), "comment": luck.choice(_NOTES)}
        self.heads[name] = said
        self.program.receive(tardy(name, version, school_id=self.id, **said))

    def plan(self, luck: Random) -> None:
        for name in self.versions:
            self.sis.plan[name] += luck.choices(_FAULTS, k=luck.randint(1, 3))

    def run(self, _luck: Random) -> None:
        self.say("export.run_now")
        self.work()

    def die(self, luck: Random) -> None:
        self.say("export.run_now")
        with broken(meets(luck.choice(_DIES_AT), Crashed())), contextlib.suppress(Crashed):
            self.program.work()
        self.join()
        self.program.pass_time(seconds=31)

    def wait(self, luck: Random) -> None:
        self.program.pass_time(minutes=luck.choice((1, 5, 15, 45)))
        self.work()

    def give_up(self, luck: Random) -> None:
        for run in self.program.runs(self.id)[-1:]:
            if run["finished_at"] is None:
                not_sent = luck.random() < 0.3
                data = {"run_id": run["run_id"], "reason": "enough", "not_sent": not_sent}
                self.program.command(command("run.abandon", data))
                self.work()

    def decide(self, luck: Random) -> None:
        for entry in self.waiting():
            if luck.random() < 0.5:
                self.see_to(entry)

    def save(self, _luck: Random | None = None) -> None:
        to = {"type": "ledger", "parallel": 1}
        name = f"Saved {self.program.now}"
        document = definition(self.id, destination=to, corrections="send", name=name, schools=[self.id])
        del document["file"], document["fields"]
        self.program.command(save(document))

    def rest(self, luck: Random) -> None:
        self.say("export.pause", reason="lunch")
        self.program.pass_time(minutes=luck.choice((1, 20)))
        self.work()
        self.say("export.resume")

    def delete(self, luck: Random) -> None:
        self.say("export.delete")
        if luck.random() < 0.5:
            self.work()
        self.save()

    def retry(self, _luck: Random) -> None:
        self.say("export.retry")
        self.work()

    def once_more(self, _luck: Random) -> None:
        every = Days(date(2026, 10, 1), date(2026, 10, 31))
        with contextlib.suppress(RefusedError):
            now = self.program.now
            resync_export(
                self.program.database, self.id, every, None, who="tests", reason="restored", now=now
            )
        self.work()

    def take_back(self, luck: Random) -> None:
        """Of a version that has just come, by mistake; or, where it is in doubt, refused."""
        for name in [name for name, said in self.heads.items() if said is not None][:1]:
            before = self.heads[name]
            self.tell(name, luck)
            if luck.random() < 0.3:
                self.run(luck)
            now, version = self.program.now, self.versions[name]
            with contextlib.suppress(RefusedError):
                take_back(self.program.database, name, version, who="tests", reason="a mistake", now=now)
                self.heads[name] = before

    def prove(self, _luck: Random) -> None:
        self.program.parts.proving.prove(self.id)

    # what it is made of

    def say(self, kind: str, **data: Any) -> None:
        self.program.command(command(kind, {"export_id": self.id, **data}))

    def work(self) -> None:
        self.program.work()
        self.join()

    def join(self) -> None:
        """A killed process sends no more; this one's threads end their request first."""
        for thread in threading.enumerate():
            if thread.name.startswith("record"):
                thread.join()

    def waiting(self) -> list[Any]:
        """What a person may decide about."""
        refused = [entry for entry in self.program.entries(self.id) if entry["state"] == "refused"]
        held = [entry for entry in self.program.entries(self.id) if entry["state"] == "held"]
        return [*held, *(entry for entry in refused if not entry["released"])]

    def see_to(self, entry: Any) -> None:
        """A person looks in the SIS, removes what there is of the tardy where nobody knows, and has it sent."""
        same = [one for one in self.waiting() if one["tardy_id"] == entry["tardy_id"]]
        if any(one["reason_code"] == "sis-unknown" for one in same):
            gone = [key for key, one in self.sis.records.items() if one["tardy"] == entry["tardy_id"]]
            for key in gone:
                del self.sis.records[key]
        ids = [f"{self.id}/{entry['tardy_id']}"]
        self.program.command(command("entry.release", {"ids": ids, "reason": "seen to"}))

    def look(self) -> None:
        twice = [name for name, often in Counter(self.sis.tardies).items() if often > 1]
        assert not twice, f"two records of {twice}"
        report = audit(self.program.database, Scope(), self.program.now, lambda _what, _done: None)
        assert report.failed(strict=True) == []

    def settle(self) -> None:
        """Every fault ends, and people see to whatever waits for them."""
        self.sis.plan.clear()
        self.say("export.resume")
        self.save()
        for _ in range(12):
            self.say("export.retry")
            self.run(Random(0))
            self.program.pass_time(minutes=30)
            self.work()
            self.program.pass_time(hours=1)
            self.work()
            waiting = self.waiting()
            for entry in waiting:
                self.see_to(entry)
            if not waiting and all(run["finished_at"] is not None for run in self.program.runs(self.id)):
                return

    def account(self) -> None:
        """The SIS has each tardy as it was told last."""
        self.look()
        self.told["requests"] += len(self.sis.requests)
        there = {one["tardy"]: (one["date"], one["note"]) for one in self.sis.records.values()}
        owed = {
            name: (said["occurred_at"][:10], said["comment"])
            for name, said in self.heads.items()
            if said is not None
        }
        states = [
            (e["tardy_id"], e["version"], e["state"], e["reason"]) for e in self.program.entries(self.id)
        ]
        assert there == owed, states
        last = {}
        for entry in self.program.entries(self.id):
            if entry["state"] == "delivered":
                last[entry["tardy_id"]] = entry
        ours = {name for name, entry in last.items() if entry["action"] != "void"}
        assert ours == set(there), states
        assert all(orjson.loads(last[name]["row_values"])[2] == there[name][1] for name in ours)


_STEPS = (
    RecordHistories.record,
    RecordHistories.record,
    RecordHistories.plan,
    RecordHistories.plan,
    RecordHistories.run,
    RecordHistories.run,
    RecordHistories.die,
    RecordHistories.die,
    RecordHistories.wait,
    RecordHistories.give_up,
    RecordHistories.decide,
    RecordHistories.save,
    RecordHistories.rest,
    RecordHistories.delete,
    RecordHistories.retry,
    RecordHistories.once_more,
    RecordHistories.prove,
    RecordHistories.take_back,
)


@pytest.fixture
def program(database_url: str, tmp_path: Path) -> Iterator[SteppedProgram]:
    program = SteppedProgram(database_url, tmp_path)
    yield program
    program.database.close()


def test_whatever_the_sis_answers_it_has_one_record_of_each_tardy(program: SteppedProgram) -> None:
    RecordHistories.program = program
    RecordHistories.told.clear()
    run_state_machine_as_test(
        RecordHistories,
        settings=settings(
            max_examples=_EXAMPLES[program.database.engine.dialect.name],
            stateful_step_count=16,
            derandomize=True,
            database=None,
            deadline=None,
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate],  # whoever shrinks one waits for minutes: the steps are told as they are
        ),
    )
    assert RecordHistories.told["requests"] > 0, "nothing was asked of an SIS: this tested nothing"
