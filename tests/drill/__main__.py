"""`python -m tests.drill`: causes one alert after the other on real servers, follows the runbook, sees each clear, and
writes the record. Exits 1 where an alert does not come, or does not go."""

from __future__ import annotations

import getpass
import socket
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from tests.bench.charts import lines
from tests.drill.exercises import EXERCISES, NOT_CAUSED, Exercise, Typed
from tests.drill.scene import FOR, LIMITS, Scene, temporary_folder
from tests.processes import wait_for
from tests.servers import ServerError, Servers

DOCS = Path(__file__).parents[2] / "docs"
_SHOWN = 4  # lines of what a command says
_PANELS = (
    (
        "drill-queues.svg",
        "What waits in RabbitMQ and in the buffer",
        (
            'max(writeback_queue_messages{queue="writeback.events", state="ready"})',
            "events ready in the queue",
        ),
        ('sum(max by (export) (writeback_buffer_entries{state="buffered"}))', "entries buffered"),
    ),
    (
        "drill-workers.svg",
        "Who is at work, and runs that are open",
        ("sum(max by (role) (writeback_workers))", "workers"),
        ("sum(max by (export, state) (writeback_open_run))", "open runs"),
    ),
)


@dataclass(frozen=True, slots=True)
class Played:
    """An exercise as it went: the alert's own words, seconds until it fired, and until it was gone again."""

    exercise: Exercise
    summary: str
    severity: str
    fired: float
    cleared: float
    looked: Sequence[tuple[Typed, Sequence[str]]]
    typed: Sequence[tuple[Typed, Sequence[str]]]


def play(scene: Scene, exercise: Exercise) -> Played:
    """Causes the alert, looks, puts it right, and waits until no alert is left."""
    begun = time.monotonic()
    exercise.begin(scene)
    wait_for(lambda: _state(scene, exercise) == "firing", f"{exercise.alert} to fire")
    fired = time.monotonic() - begun
    [alert, *_] = scene.prometheus.rules()[exercise.alert]["alerts"]
    looked = [(typed, _picked(scene.type(*typed), text)) for typed, text in exercise.looked]
    begun = time.monotonic()
    exercise.mend(scene)
    typed = [(one, _picked(scene.type(*one), "")) for one in exercise.typed(scene)]
    exercise.after(scene)
    wait_for(lambda: _state(scene, exercise) == "inactive", f"{exercise.alert} to clear")
    cleared = time.monotonic() - begun
    wait_for(lambda: not scene.firing(), "every other alert to clear")
    return Played(
        exercise, alert["annotations"]["summary"], alert["labels"]["severity"], fired, cleared, looked, typed
    )


def _state(scene: Scene, exercise: Exercise) -> str:
    return str(scene.prometheus.rules()[exercise.alert]["state"])


def _picked(said: str, text: str) -> list[str]:
    return [" ".join(line.split())[:160] for line in said.splitlines() if line.strip() and text in line][
        :_SHOWN
    ]


def record(played: Sequence[Played]) -> Iterator[str]:
    """The page of the docs, line by line."""
    yield "# A drill: each alert caused, seen, answered, and gone again"
    yield ""
    yield (
        "Written by `make drill`, which starts a RabbitMQ, a PostgreSQL, a consumer, a flusher and a Prometheus with"
        " the shipped rules, causes one alert after the other, types what [runbook.md](runbook.md) says, and waits"
        f" until the alert is gone. Times are shortened: every `for` is {FOR}, windows of 15 and 5 minutes are 20 and"
        " 5 seconds, everything is scraped and judged each second, and limits are lower"
        f" ({'; '.join(f'{name}: `{limit}` for `{was}`' for name, (was, limit) in LIMITS.items())})."
    )
    yield ""
    yield "| alert | severity | cause | fired after | gone after the cure |"
    yield "|---|---|---|---|---|"
    for one in played:
        exercise = one.exercise
        link = f"[{exercise.alert}](runbook.md#{exercise.alert.lower()})"
        yield f"| {link} | {one.severity} | {exercise.cause} | {one.fired:.0f} s | {one.cleared:.0f} s |"
    yield ""
    yield "What the dashboard's panels showed meanwhile:"
    yield ""
    for name, title, *_ in _PANELS:
        yield f"![{title}]({name})"
        yield ""
    for one in played:
        yield from _told(one)
    yield "## Not caused here"
    yield "Each of these is tried firing and not firing by `promtool test rules`, as all others are as well."
    yield ""
    for name, why in NOT_CAUSED.items():
        yield f"- [{name}](runbook.md#{name.lower()}): {why}."


def _told(one: Played) -> Iterator[str]:
    yield f"## {one.exercise.alert}"
    yield f'{one.exercise.cause} After {one.fired:.0f} s: "{one.summary}".'
    yield ""
    yield from _screens(one.looked)
    yield f"{one.exercise.cure} After {one.cleared:.0f} s no alert is left."
    yield ""
    yield from _screens(one.typed)


def _screens(commands: Sequence[tuple[Typed, Sequence[str]]]) -> Iterator[str]:
    for typed, said in commands:
        yield "```text"
        yield f"$ writeback {' '.join(typed)}"
        yield from said
        yield "```"
        yield ""


def draw(scene: Scene, begun: float) -> None:
    """The panels, as SVG."""
    now = time.time()
    for name, title, first, second in _PANELS:
        courses = [_course(scene, query, begun, now) for query, _ in (first, second)]
        drawn = lines(title, "seconds of the drill", courses[0], courses[1], (first[1], second[1]))
        (DOCS / name).write_text(drawn, "utf-8")


def _course(scene: Scene, query: str, begun: float, now: float) -> list[tuple[float, float]]:
    [points] = scene.prometheus.course(query, begun, now, 2).values()
    return [(at - begun, value) for at, value in points if value == value]  # not what nobody knew then


@click.command()
@click.option("--only", multiple=True, help="Only this alert; the record is then not written.")
@click.pass_context
def main(context: click.Context, only: Sequence[str]) -> None:
    """Causes each alert on real servers, follows the runbook, sees it clear, and writes docs/drill.md."""
    wanted = [one for one in EXERCISES if not only or one.alert in only]
    try:
        with Servers() as servers, temporary_folder() as folder:
            scene, begun = Scene(servers, Path(folder)), time.time()
            scene.begin()
            played = []
            for exercise in wanted:
                played.append(play(scene, exercise))
                click.echo(
                    f"{exercise.alert}: fired {played[-1].fired:.0f} s, gone {played[-1].cleared:.0f} s"
                )
            if not only:
                me = f"{getpass.getuser()}@{socket.gethostname()}"
                text = "\n".join(record(played)).replace(str(folder), "…").replace(me, "operator") + "\n"
                (DOCS / "drill.md").write_text(text, "utf-8")
                draw(scene, begun)
            scene.close()
    except (ServerError, AssertionError) as error:
        click.echo(f"the drill failed: {error}", err=True)
        context.exit(1)


if __name__ == "__main__":
    main(prog_name="python -m tests.drill")
