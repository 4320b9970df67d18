"""Everybody around the program: publishers, administrators, other workers. Each verb is noted in the record."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

from tests.builders import NOON, command, envelope, save, tardy_data
from tests.histories import choices
from tests.histories.choices import Change, Disturbance, Meanwhile
from tests.histories.documents import EXPORTS
from tests.histories.ending import Ending
from tests.histories.installation import Installation
from tests.histories.invariants import Facts, Invariants
from tests.histories.office import Office
from tests.histories.payload import Payloads
from tests.histories.sis import Crashed, Fault
from worker.failpoints import Arrow
from worker.store.audit.auditing import audit
from worker.store.audit.findings import Scope


class World:
    """One history's world, at its beginning: two districts, each with a known school and a mapped code."""

    def __init__(self, program: Installation, home: Path, note: Callable[[str], None]) -> None:
        self.program = program
        self.note = note
        program.begin(home, NOON)
        self.record = program.record
        self.claims = Invariants(program)
        self.payloads = Payloads(self.record)
        self.office = Office(program, self.claims, self.payloads, note)
        self.messages: list[dict[str, Any]] = []
        self._versions = count(1)
        self._looked_at = 0
        self.discards_lost = False
        for district in choices.DISTRICTS:
            self.refer(district, choices.school_data("A"), choices.code_data("TARDY"))

    def look(self) -> Facts:
        """Every invariant, and every file that has arrived since the last look. Raises AssertionError."""
        assert not self.program.problems, self.program.problems
        assert not self.program.post.parked, self.program.post.parked
        arrivals = self.program.arrivals
        for arrival in arrivals[self._looked_at :]:
            if arrival.run_id not in self.claims.disowned:
                self.payloads.take(arrival)
        self._looked_at = len(arrivals)
        return self.claims.check()

    # the behavior system

    def publish(self, batch: Iterable[Change], *, twice: bool = False) -> None:
        """`twice`: the publisher is not sure whether it was heard and sends it all again."""
        messages = [self._message(change) for change in batch]
        self.note(f"publish {[message['data'] for message in messages]}")
        self.messages += messages
        for message in messages * (1 + twice):
            self.program.post.put(message)
        self.program.take_in()
        for message in messages:
            data = message["data"]
            self.record.hear((data["district_id"], data["tardy_id"]), data["version"], self.program.now)

    def redeliver(self, luck: Random) -> None:
        """The broker delivers some old messages, or all of them, once more, in another order."""
        for message in luck.sample(self.messages, luck.randint(1, len(self.messages))):
            self.program.post.put(message, redelivered=True)
        self.program.take_in()

    def _message(self, change: Change) -> dict[str, Any]:
        known = self.record.tardies.get((change.district, change.tardy_id), {})
        highest = max(known, default=0)
        late = next((number for number in range(1, highest) if number not in known), None)
        number = highest + 1
        if change.kind == "late":  # where there is none to come late, one is left out for that
            number = late if late is not None else highest + 2
        whole = [known[number].data for number in sorted(known) if known[number].data is not None]
        before = (
            whole[-1] if whole else tardy_data(change.tardy_id, school_id="A", student=choices.STUDENTS[0])
        )
        content = {**(before or {}), **change.changes, "version": number, "district_id": change.district}
        given = {name: value for name, value in content.items() if value is not None}
        return self._published(change, number, given)

    def _published(self, change: Change, number: int, content: dict[str, Any]) -> dict[str, Any]:
        is_void = change.kind.startswith("void")
        key = (change.district, change.tardy_id)
        data = None if is_void else content
        if change.kind == "void":
            content = {name: content[name] for name in ("tardy_id", "version", "district_id", "school_id")}
        told = content.get("occurred_at")
        self.record.publish(
            key,
            number,
            data,
            self.program.time,
            told_at=None if told is None else datetime.fromisoformat(told),
            clock=self.program.now,
        )
        kind = "voided" if is_void else "recorded" if change.kind == "again" else "amended"
        return envelope(f"tardy.{kind}", content)

    def refer(self, district: str, *references: choices.Reference) -> None:
        """A school, a code or a bell schedule is described anew."""
        for kind, content in references:
            content = content | {"version": next(self._versions), "district_id": district}
            self.record.refer(kind, district, content, self.program.time)
            self.note(f"{kind}: {content}")
            self.messages.append(envelope(f"{kind}.saved", content))
            self.program.post.put(self.messages[-1])
        self.program.take_in()

    # administrators and other services

    def is_paused(self, export_id: str) -> bool:
        """Whether it is there and paused."""
        self.program.notice_pauses()
        return self.record.is_active(export_id) and self.record.exports[export_id].paused

    def define(self, document: dict[str, Any], *, run_now: bool = False) -> None:
        """Saves a definition."""
        self.note(f"save {document}{' and run' * run_now}")
        is_refused = run_now and self.is_paused(document["export_id"])
        if not is_refused:
            self.record.save(document, self.program.time, self.program.now)
        refused = self.program.ask(save(document, run_now=run_now))
        assert (refused is not None) == is_refused, refused

    def define_again(self, export_id: str) -> None:
        """Saves the same once more; where it was deleted it comes back."""
        if export := self.record.exports.get(export_id):
            self.define(dict(export.now.document))

    def say(self, word: choices.Word) -> None:
        """An administrator's word on a code, or its end; refused where there is none to end."""
        place = {"district_id": word.district, "code": word.code, "school_id": word.school_id}
        self.note(f"an administrator says {word}")
        moment, school_id = self.record.moment, word.school_id or ""
        before = self.record.reference(moment, "word", word.district, school_id, word.code)
        is_refused = word.kind == "unmap" and (before is None or before["ended"])
        if not is_refused:
            said = {"version": next(self._versions), "ended": word.kind == "unmap"}
            content = place | said | {"external_reference_code": word.reference}
            self.record.refer("word", word.district, content, self.program.time)
        meaning: dict[str, Any] = {}
        if word.kind == "map":
            meaning = {"never_send": True}
            if word.reference is not None:
                meaning = {"external_reference_code": word.reference}
        refused = self.program.ask(command(f"code.{word.kind}", place | meaning | {"reason": "so"}))
        assert (refused is not None) == is_refused, refused

    def delete(self, export_id: str) -> None:
        """Deletes a definition."""
        was_active = self.record.is_active(export_id)
        if was_active:
            self.record.delete(export_id, self.program.time)
        refused = self.program.ask(command("export.delete", {"export_id": export_id}))
        assert (refused is None) == was_active, refused

    def pause(self, export_id: str, *, paused: bool = True) -> None:
        """Pauses an export, or resumes it."""
        is_active = self.record.is_active(export_id)
        if is_active:
            self.record.exports[export_id].paused = paused
        kind = "export.pause" if paused else "export.resume"
        refused = self.program.ask(command(kind, {"export_id": export_id, "reason": "so"}))
        assert (refused is None) == is_active, refused

    def retry(self, export_id: str) -> None:
        """Has the open run tried again, if there is one."""
        self.program.ask(command("export.retry", {"export_id": export_id}))

    def ask_for_runs_of(self, district: str, school_id: str) -> None:
        """Asks for a run of every export that names the school."""
        self.program.notice_pauses()
        exports = [one for one in self.record.exports.values() if one.active and one.district == district]
        naming = [
            one
            for one in exports
            if one.now.document["schools"] == "all" or school_id in one.now.document["schools"]
        ]
        place = {"district_id": district, "school_id": school_id}
        refused = self.program.ask(command("export.run_now", place))
        assert (refused is None) == any(not one.paused for one in naming), refused

    def ask_for_runs(self, export_ids: Iterable[str]) -> None:
        """Asks for runs now."""
        for export_id in sorted(export_ids):
            self.note(f"run {export_id} now")
            runs_now = self.record.is_active(export_id) and not self.is_paused(export_id)
            refused = self.program.ask(command("export.run_now", {"export_id": export_id}))
            assert (refused is None) == runs_now, refused

    # other workers, and fate

    def survive(self, step: Callable[[], None], luck: Random) -> None:
        """Takes a step. If the process dies in it, mostly the next thing is that its leases run out."""
        if self.program.surviving(step) and luck.random() < 0.8:
            self.program.lease_ends()

    def sleep_and_wake(self, *, others_work: bool, collects: bool) -> None:
        """A worker claims a run, sleeps past its lease, and goes on whatever others did meanwhile."""
        self.program.forget_barriers()
        self.program.tick()
        sleeper = self.program.claim()
        if sleeper is None:
            return
        self.program.lease_ends()
        if others_work:
            self.program.work()
        if collects:
            self.program.sis.collect()
        self.program.flush.attempt(sleeper)

    def pass_time(self, amount: Mapping[str, float]) -> None:
        """Time passes; or the clock is set back."""
        self.note(f"time: {amount}")
        if min(amount.values()) < 0:
            self.program.set_clock(**amount)
        else:
            self.program.pass_time(**amount)

    def fail(self, faults: list[Fault]) -> None:
        """The SIS will fail, once in each of these ways."""
        self.note(f"faults: {faults}")
        self.program.sis.faults = faults
        self.discards_lost |= Fault.DISCARD_LOST in faults

    def arm(self, disturbance: Disturbance) -> Callable[[], None]:
        """Something will happen when the program reaches a place for the Nth time; unless what this returns is
        called before."""
        self.note(str(disturbance))
        meanwhile = functools.partial(self._happen, disturbance.meanwhile)
        return self.program.intervene(disturbance.arrow, disturbance.times, meanwhile)

    def _happen(self, meanwhile: Meanwhile) -> None:
        self.note(f"… and here it happens: {meanwhile.kind}")
        match meanwhile.kind:
            case "crash":
                raise Crashed
            case "takeover":
                self._take_over(meanwhile.dies_at)
            case "publish":
                self.publish(meanwhile.given)
            case "refer":
                self.refer("default", meanwhile.given)
            case "save":
                self.define(meanwhile.given)
            case "delete":
                self.delete(meanwhile.given)
            case "pause":
                self.pause(meanwhile.given)
            case "collect":
                self.program.sis.collect()

    def _take_over(self, dies_at: Arrow | None) -> None:
        """This worker sleeps past its lease; another one takes over, and may die over it."""
        self.program.lease_ends()
        disarm = self.arm(Disturbance(dies_at, 1, Meanwhile("crash"))) if dies_at is not None else None
        if self.program.surviving(self.program.work):
            self.program.lease_ends()
        if disarm is not None:
            disarm()

    def end(self) -> None:
        """Every fault is over, everything is mapped, everybody asks for everything: now it goes."""
        program, sis = self.program, self.program.sis
        program.disarm_all()
        sis.faults.clear()
        sis.collects_at_once = True
        sis.collect()
        for district in choices.DISTRICTS:
            self.refer(district, *choices.everything_mapped())
        active = [export_id for export_id in EXPORTS if self.record.is_active(export_id)]
        program.work()
        for export_id in sorted(EXPORTS.keys() - set(active)):
            self.office.abandon(export_id, unsent=True)  # nobody can have it tried again
        for export_id in active:
            self.pause(export_id, paused=False)
            self.office.approve(export_id)
            self.retry(export_id)
        for _ in range(3):
            program.pass_time(days=8)  # what has a schedule goes by itself, whatever its weekday
            self.ask_for_runs(filter(self._is_manual, active))
            self._work_and_approve(active)
            facts = self.look()
        Ending(self.record, self.payloads, facts).check()
        self.account()

    def _work_and_approve(self, export_ids: Iterable[str]) -> None:
        self.program.work()
        let_go = [self.office.approve(export_id) for export_id in export_ids]
        if any(let_go):
            self.program.work()

    def _is_manual(self, export_id: str) -> bool:
        return bool(self.record.exports[export_id].now.document["schedule"]["frequency"] == "manual")

    def account(self) -> None:
        """Each delivery was told of, no row lies about, and the program's own audit finds nothing."""
        self.program.sweep_closed()  # as housekeeping does every hour
        while self.program.outbox.publish_some(self.program.post):
            pass
        told = [one["data"]["run_id"] for one in self.program.post.told if one["type"] == "run.delivered"]
        delivered = [run["run_id"] for run in self.look().runs if run["state"] == "delivered"]
        assert set(told) == set(delivered), "delivered and told are not the same runs"
        if not self.discards_lost:
            assert self.program.sis.temporary() == [], "temporary files are left behind"
        report = audit(self.program.database, Scope(), self.program.now, lambda *_: None)
        assert not report.failed(strict=True), report.failed(strict=True)
