"""Corrections and `collapse` as a whole: random mornings beside a plain model that knows no entries, pages or keys."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from tests.builders import command, definition, envelope, save, school, tardy_data
from tests.program import SteppedProgram
from worker.errors import RefusedError
from worker.store.database.engine import own_catalogue
from worker.store.entries import decisions

TARDIES = ("t0", "t1", "t2")
STUDENTS = ("s0", "s1")
TIMES = ("2026-10-05T08:05:00-05:00", "2026-10-05T13:10:00-05:00", "2026-10-06T08:05:00-05:00")
FIELDS = ["action", "tardy_id", "student.id", "date", "comment"]
_numbers = count()

Group = tuple[str, str]
Sent = tuple[str, ...]


@dataclass(frozen=True)
class Version:
    """What a tardy says."""

    student: str
    time: str
    comment: str

    @property
    def group(self) -> Group:
        return self.student, self.time[:10]

    def row(self, action: str, tardy_id: str) -> Sent:
        return action, tardy_id, self.student, self.time[:10], self.comment


@dataclass
class Model:
    """What the SIS has to get, told tardy by tardy."""

    collapses: bool
    holds: bool
    heads: dict[str, Version | None] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)
    sis: dict[str, Version] = field(default_factory=dict)
    seen_to: set[str] = field(default_factory=set)
    decided: dict[str, tuple[int, str]] = field(default_factory=dict)

    def record(self, tardy_id: str, version: Version | None) -> None:
        self.heads[tardy_id] = version
        self.versions[tardy_id] = self.versions.get(tardy_id, 0) + 1

    def said(self, tardy_id: str) -> str:
        """What a person has decided about the newest version."""
        version, decision = self.decided.get(tardy_id, (0, ""))
        return decision if version == self.versions[tardy_id] else ""

    def fate(self, tardy_id: str) -> str:
        """What becomes of the newest version: `add`, `change`, `void`, `held` or nothing."""
        head, known = self.heads[tardy_id], self.sis.get(tardy_id)
        if self.said(tardy_id) == "dismiss":
            return ""
        if head is None:
            return "" if known is None or tardy_id in self.seen_to else self._unless_held(tardy_id, "void")
        if known is None or tardy_id in self.seen_to:
            if self.collapses and self._is_behind(tardy_id, head):
                return ""
            again = tardy_id in self.seen_to and self.said(tardy_id) != "release"
            return "held" if again else "add"
        differs = head.row("", "") != known.row("", "")
        return self._unless_held(tardy_id, "change") if differs else ""

    def _unless_held(self, tardy_id: str, action: str) -> str:
        return "held" if self.holds and self.said(tardy_id) != "release" else action

    def _is_behind(self, tardy_id: str, head: Version) -> bool:
        return any(self._goes_before(other, tardy_id, head) for other in self.heads if other != tardy_id)

    def _goes_before(self, other: str, tardy_id: str, head: Version) -> bool:
        known, theirs = self.sis.get(other), self.heads[other]
        if known is not None and other not in self.seen_to and known.group == head.group:
            return True
        if theirs is None or self.said(other) == "dismiss":
            return False
        corrects = known is not None  # also one whose void a person has seen to
        if corrects and self.holds and self.said(other) != "release":
            return False  # what is held holds nothing else back
        arrived = list(self.versions)  # of two at one moment whichever came first
        mine, its = (head.time, arrived.index(tardy_id)), (theirs.time, arrived.index(other))
        return theirs.group == head.group and its < mine

    def run(self) -> Counter[Sent]:
        """The rows of a run."""
        fates = {tardy_id: self.fate(tardy_id) for tardy_id in self.heads}
        rows = []
        for tardy_id, fate in fates.items():
            head = self.heads[tardy_id]
            if fate == "void":
                rows.append(self.sis.pop(tardy_id).row("void", tardy_id))
            elif fate in ("add", "change"):
                assert head is not None
                rows.append(head.row(fate, tardy_id))
                self.sis[tardy_id] = head
                self.seen_to.discard(tardy_id)
        return Counter(rows)

    def decide(self, tardy_id: str, decision: str) -> bool:
        """Whether there is something to decide."""
        if self.fate(tardy_id) != "held":
            return False
        if decision == "dismiss" and self.heads[tardy_id] is None:
            self.seen_to.add(tardy_id)
        self.decided[tardy_id] = (self.versions[tardy_id], decision)
        return True


class Place:
    """One district and one export of the program, for one history alone."""

    def __init__(self, program: SteppedProgram, *, collapses: bool, holds: bool) -> None:
        self.program = program
        number = next(_numbers)
        self.district, self.export_id, self.folder = f"d{number}", f"e{number}", f"sis/{number}"
        self.model = Model(collapses, holds)
        self._receive(school())
        document = definition(
            self.export_id,
            district_id=self.district,
            destination={"type": "directory", "path": self.folder},
            fields=[{"field": name, "header": name} for name in FIELDS],
            corrections="hold" if holds else "send",
            collapse="per_day" if collapses else "none",
        )
        program.command(save(document))

    def _receive(self, message: dict[str, Any]) -> None:
        message["data"]["district_id"] = self.district
        self.program.receive(message)

    def record(self, tardy_id: str, version: Version | None) -> None:
        self.model.record(tardy_id, version)
        number = self.model.versions[tardy_id]
        if version is None:
            data = {"tardy_id": tardy_id, "version": number, "school_id": "0012"}
            self._receive(envelope("tardy.voided", data))
            return
        data = tardy_data(tardy_id, number, occurred_at=version.time, comment=version.comment)
        data["student"] = {"id": version.student}
        self._receive(envelope("tardy.recorded", data))

    def decide(self, tardy_id: str, decision: Any) -> None:
        self.program.tick()
        wanted = tardy_id in self.model.heads and self.model.decide(tardy_id, decision)
        try:
            with self.program.database.write() as connection:
                own_catalogue(connection)
                rows = decisions.waiting_for(connection, f"{self.export_id}/{tardy_id}")
                decisions.decide(
                    connection, decision, rows, who="a person", reason="so", now=self.program.now
                )
        except RefusedError:
            assert not wanted
        else:
            assert wanted

    def run(self) -> None:
        before = set(self.program.files(self.folder)) if (self.program.home / self.folder).exists() else set()
        self.program.command(command("export.run_now", {"export_id": self.export_id}))
        self.program.work()
        wanted = self.model.run()
        there = self.program.files(self.folder) if (self.program.home / self.folder).exists() else {}
        sent = [line for name, lines in there.items() if name not in before for line in lines]
        assert Counter(tuple(line.split(",")) for line in sent) == wanted


def history(luck: Random) -> Iterator[tuple[Any, ...]]:
    """Steps drawn so that tardies meet, are corrected after they were sent, and come free again."""
    for _ in range(luck.randint(5, 30)):
        kind = luck.choice(("record", "record", "void", "run", "run", "release", "dismiss", "dismiss"))
        tardy_id = luck.choice(TARDIES)
        if kind == "record":
            student = luck.choice((STUDENTS[0], STUDENTS[0], STUDENTS[1]))
            yield kind, tardy_id, Version(student, luck.choice(TIMES), luck.choice(("", "x")))
        else:
            yield kind, tardy_id


@pytest.fixture
def program(database_url: str, tmp_path: Path) -> Iterator[SteppedProgram]:
    program = SteppedProgram(database_url, tmp_path)
    yield program
    program.database.close()


@settings(
    max_examples=30,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.integers(0, 2**32 - 1))
def test_the_sis_gets_what_a_plain_model_says(program: SteppedProgram, number: int) -> None:
    luck = Random(number)
    place = Place(program, collapses=luck.random() < 0.7, holds=luck.random() < 0.4)
    for kind, tardy_id, *version in history(luck):
        note(f"{kind} {tardy_id} {version}")
        if kind == "record":
            place.record(tardy_id, version[0])
        elif kind == "run":
            place.run()
        elif tardy_id in place.model.heads:
            place.record(tardy_id, None) if kind == "void" else place.decide(tardy_id, kind)
    place.run()
    place.run()  # what came free by the run before
    assert place.model.run() == Counter()


SAME = Version("s0", TIMES[0], "")
LATER = Version("s0", TIMES[1], "")
SCRIPTS: dict[str, list[tuple[Any, ...]]] = {
    "a void that a person has seen to, and then recorded again": [
        *(("record", "t0", SAME), ("run",), ("void", "t0"), ("dismiss", "t0"), ("run",)),
        *(("record", "t0", SAME), ("run",), ("release", "t0"), ("run",)),
    ],
    "a void that a person has seen to, and then voided once more": [
        *(("record", "t0", SAME), ("run",), ("void", "t0"), ("dismiss", "t0"), ("run",)),
        *(("record", "t0", LATER), ("void", "t0"), ("release", "t0"), ("run",)),
    ],
    "the next of the day goes once the void of the first has been seen to": [
        *(("record", "t0", SAME), ("record", "t1", LATER), ("run",), ("void", "t0"), ("run",)),
        *(("dismiss", "t0"), ("run",)),
    ],
    "an earlier one that comes after a later one was sent stays collapsed": [
        *(("record", "t1", LATER), ("run",), ("record", "t0", SAME), ("run",)),
        *(("void", "t1"), ("release", "t1"), ("run",), ("run",)),
    ],
}


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS)
def test_a_person_decides(program: SteppedProgram, script: list[tuple[Any, ...]]) -> None:
    place = Place(program, collapses=True, holds=True)
    for kind, *about in script:
        match kind:
            case "record":
                place.record(about[0], about[1])
            case "void":
                place.record(about[0], None)
            case "run":
                place.run()
            case decision:
                place.decide(about[0], decision)
