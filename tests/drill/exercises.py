"""What is caused, alert by alert, what the operator types as the runbook says, and how it is put right."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tests.builders import code, tardy
from tests.drill.scene import Scene
from tests.processes import wait_for

Deed = Callable[[Scene], None]
Typed = Sequence[str]


@dataclass(frozen=True, slots=True)
class Exercise:
    """`cause` and `cure` in words, for the record; `looked`: commands of the runbook, and of what each says the lines
    with this text; `typed`: the commands that put it right, if it is commands that do."""

    alert: str
    cause: str
    begin: Deed
    looked: Sequence[tuple[Typed, str]]
    cure: str
    mend: Deed = lambda _scene: None
    typed: Callable[[Scene], Iterator[Typed]] = lambda _scene: iter(())
    after: Deed = lambda _scene: None


NOT_CAUSED = MappingProxyType(
    {
        "WritebackClocksApart": "a machine's clock is not turned in a drill; `tests/unit/ops/test_metrics.py` does",
        "WritebackCertificateEnds": "certificates are made and read in `tests/unit/ops/test_metrics.py`",
        "WritebackCollectionMissed": "it takes an SIS's hour; `tests/integration/test_collections.py` plays it",
        "WritebackQuietDay": "it takes a day; `tests/integration/test_school_sense.py` plays it",
        "WritebackSisCodesGone": "it takes an SIS; `tests/integration/test_code_watch.py` plays it",
        "WritebackDefects": "it comes and goes with WritebackSetAside",
        "WritebackOutcomesWait": "it takes a thousand runs without a broker, which is drilled itself",
    }
)
"""Alerts that the drill does not cause, and where they are tried instead."""


def _tardies(scene: Scene, school_id: str, count: int = 1, begin: int = 0, **fields: Any) -> None:
    numbers = range(begin, begin + count)
    scene.publish(*(tardy(f"{school_id}-{number}", school_id=school_id, **fields) for number in numbers))


def _run_of(scene: Scene, export_id: str) -> str:
    """The number of the export's newest run, as `runs list` prints it."""
    lines = scene.type("runs", "list", "--export", export_id, "--json")
    return lines.split('"run_id": "')[1].split('"')[0]


def _queue_up(scene: Scene) -> None:
    scene.stop("consumer")
    _tardies(scene, "unread", 60)


def _fail(scene: Scene) -> None:
    scene.save("failing", destination={"type": "directory", "path": str(scene.folder / "mount" / "sis")})
    _tardies(scene, "failing")
    scene.run_now("failing")


def _guard(scene: Scene) -> None:
    scene.save("guarded", guard={"max_rows": 1})
    _tardies(scene, "guarded", 2)
    scene.run_now("guarded")


def _leave_uncollected(scene: Scene) -> None:
    scene.save("waiting", file={"format": "csv", "name": "today.csv"})
    _tardies(scene, "waiting")
    scene.run_now("waiting")
    wait_for(_today(scene).exists, "the first file")
    _tardies(scene, "waiting", begin=1)
    scene.run_now("waiting")


def _today(scene: Scene) -> Path:
    return scene.folder / "home" / "outbox" / "today.csv"


def _leave_undone(scene: Scene) -> None:
    scene.save("overdue")
    _tardies(scene, "overdue")
    scene.stop("flusher")
    scene.run_now("overdue")


def _die_over_a_run(scene: Scene) -> None:
    scene.save("orphaned")
    _tardies(scene, "orphaned")
    scene.stop("flusher")
    scene.start("flusher", WRITEBACK_TEST_KILL_AT="claim.committed")
    scene.run_now("orphaned")
    scene.await_death("flusher")


def _meet_a_defect(scene: Scene) -> None:
    scene.save("defective")
    scene.stop("flusher")
    scene.start("flusher", WRITEBACK_TEST_RAISE_AT="entry.judged@defective-0")
    _tardies(scene, "defective")
    scene.run_now("defective")


def _end_the_defect(scene: Scene) -> None:
    scene.stop("flusher")
    scene.start("flusher")
    scene.run_now("defective")


def _leave_unmapped(scene: Scene) -> None:
    wanted = [{"field": "tardy_id"}, {"field": "behavior.external_reference_code", "required": True}]
    scene.save("unmapped", fields=wanted)
    scene.publish(code(None, name="LATE", school_id="unmapped"))
    _tardies(scene, "unmapped", behavior_code="LATE")
    scene.run_now("unmapped")


def _both(deed: Callable[[Scene, str], None]) -> Deed:
    def of_both(scene: Scene) -> None:
        for role in ("consumer", "flusher"):
            deed(scene, role)

    return of_both


_STATUS = ("status",)
EXERCISES = (
    Exercise(
        "WritebackNoConsumer",
        "The only consumer is stopped.",
        lambda scene: scene.stop("consumer"),
        [(_STATUS, "NO CONSUMER")],
        "A consumer is started.",
        lambda scene: scene.start("consumer"),
    ),
    Exercise(
        "WritebackQueueGrows",
        "No consumer is there, and 60 tardies are published.",
        _queue_up,
        [(_STATUS, "writeback.events")],
        "A consumer is started.",
        lambda scene: scene.start("consumer"),
    ),
    Exercise(
        "WritebackNoFlusher",
        "The only flusher is stopped.",
        lambda scene: scene.stop("flusher"),
        [(_STATUS, "NO FLUSHER")],
        "A flusher is started.",
        lambda scene: scene.start("flusher"),
    ),
    Exercise(
        "WritebackExportOverdue",
        "A run is asked for, and no flusher is there.",
        _leave_undone,
        [(_STATUS, "overdue: a run is asked for")],
        "A flusher is started.",
        lambda scene: scene.start("flusher"),
    ),
    Exercise(
        "WritebackWorkerAway",
        "The consumer is killed (SIGKILL).",
        lambda scene: scene.kill("consumer"),
        [(_STATUS, "writeback.events")],
        "It is started again.",
        lambda scene: scene.start("consumer"),
    ),
    Exercise(
        "WritebackNoMetrics",
        "Every worker is killed.",
        _both(Scene.kill),
        [(_STATUS, "writeback.events")],
        "They are started again.",
        _both(Scene.start),
    ),
    Exercise(
        "WritebackBrokerAway",
        "RabbitMQ is killed.",
        lambda scene: scene.rabbitmq.kill(),
        [(_STATUS, "RabbitMQ"), (("check",), "RabbitMQ")],
        "RabbitMQ is started; the workers go on by themselves.",
        lambda scene: scene.rabbitmq.start(),
    ),
    Exercise(
        "WritebackDatabaseAway",
        "PostgreSQL is killed.",
        lambda scene: scene.postgresql.kill(),
        [(("check",), "database")],
        "PostgreSQL is started; the workers go on by themselves.",
        lambda scene: scene.postgresql.start(),
    ),
    Exercise(
        "WritebackMessagesRejected",
        "A publisher sends a tardy without a school.",
        lambda scene: scene.publish(tardy("broken", school_id=None)),
        [(_STATUS, "parked"), (("rejected", "list"), "invalid")],
        "It is found to be rubbish, and dropped.",
        typed=lambda _scene: iter([("rejected", "drop", "--all", "--yes", "--reason", "drill")]),
    ),
    Exercise(
        "WritebackRunFailed",
        "The folder of an export's destination is not mounted.",
        _fail,
        [(_STATUS, "failing"), (("runs", "list", "--export", "failing"), "failed")],
        "It is mounted, and the run is tried again.",
        lambda scene: (scene.folder / "mount" / "sis").mkdir(parents=True),
        lambda _scene: iter([("exports", "retry", "failing")]),
    ),
    Exercise(
        "WritebackApprovalWanted",
        "A run has more rows than its definition's guard allows.",
        _guard,
        [
            (("exports", "preview", "guarded"), "guarded-"),
            (("runs", "list", "--export", "guarded"), "guarded"),
        ],
        "The administrator approves it.",
        typed=lambda scene: iter([("runs", "approve", _run_of(scene, "guarded"), "--reason", "drill")]),
    ),
    Exercise(
        "WritebackRunWaits",
        "The SIS does not collect its file, and the next one has the same name.",
        _leave_uncollected,
        [(_STATUS, "waiting")],
        "The SIS collects it, and the run is tried again at once.",
        lambda scene: _today(scene).unlink(),
        lambda _scene: iter([("exports", "retry", "waiting")]),
    ),
    Exercise(
        "WritebackPausedTooLong",
        "A person pauses an export and forgets it.",
        lambda scene: _pause(scene),
        [(("exports", "show", "paused"), "paused")],
        "It is resumed.",
        typed=lambda _scene: iter([("exports", "resume", "paused")]),
    ),
    Exercise(
        "WritebackEntriesHeld",
        "A code has no name in the SIS.",
        _leave_unmapped,
        [(("held", "list", "--export", "unmapped"), "LATE")],
        "The administrator maps it, and the rows go.",
        typed=lambda _scene: iter([("codes", "map", "LATE", "L", "--reason", "drill")]),
        after=lambda scene: scene.run_now("unmapped"),
    ),
    Exercise(
        "WritebackSetAside",
        "The program meets an error of its own over one entry.",
        _meet_a_defect,
        [
            (_STATUS, "held by an error of the program"),
            (("held", "list", "--export", "defective"), "reference"),
        ],
        "A version without the error takes over.",
        _end_the_defect,
    ),
    Exercise(
        "WritebackLeasesStale",
        "The only flusher dies (SIGKILL) with a run in hand.",
        _die_over_a_run,
        [(("runs", "list", "--export", "orphaned"), "delivering")],
        "A flusher is started, and takes the run over.",
        lambda scene: scene.start("flusher"),
    ),
)


def _pause(scene: Scene) -> None:
    scene.save("paused")
    wait_for(lambda: "paused" in scene.type("exports", "list"), "the export to be there")
    scene.type("exports", "pause", "paused", "--reason", "the SIS is moved")
