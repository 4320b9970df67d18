"""The steps of a history: what people, other services, the SIS or fate can do, one at a time."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from tests.histories import choices, documents
from tests.histories.documents import EXPORTS, document
from tests.histories.sis import Crashed
from tests.histories.world import World

Step = Callable[[World, Random], None]


def begin(world: World, luck: Random) -> None:
    """No history begins with nothing."""
    if luck.random() < 0.5:
        world.refer("default", *choices.everything_mapped())
    for export_id in EXPORTS:
        if export_id == "e0" or luck.random() < 0.6:
            world.define(document(luck, export_id))
    world.publish(choices.batch(luck))


def publish(world: World, luck: Random) -> None:
    """New tardies, corrections, voids, versions that come late; perhaps sent twice, perhaps gone at once."""
    world.publish(choices.batch(luck), twice=luck.random() < 0.2)
    if luck.random() < 0.5:
        world.ask_for_runs(choices.some_exports(luck))
        world.program.work()


def save(world: World, luck: Random) -> None:
    """A school, code or bell schedule is described anew; an administrator says what a code is called; a definition
    is widened, narrowed, or another one."""
    drawn = luck.random()
    if drawn < 0.35:
        world.refer(luck.choice(choices.DISTRICTS), choices.reference(luck))
    elif drawn < 0.55:
        world.say(choices.word(luck))
    else:
        world.define(document(luck), run_now=luck.random() < 0.5)


def ask(world: World, luck: Random) -> None:
    """What an administrator asks of one export, or says of a code."""
    _ask(world, choices.command(luck), luck)


def ask_the_rest(world: World, luck: Random) -> None:
    """Every command that this history has not asked for, of what is there by now, also where it is to be refused."""
    rest = sorted(choices.COMMANDS.keys() - world.program.asked)
    for kind in luck.sample(rest, len(rest)):
        _ask(world, kind, luck)
    world.program.work()


def _ask(world: World, kind: str, luck: Random) -> None:
    asked, act = documents.export_id(luck), kind.partition(".")[2]
    world.note(f"{kind} {asked}")
    match kind:
        case "export.save":
            world.define_again(asked)
        case "export.run_now":
            world.ask_for_runs({asked})
        case "export.pause" | "export.resume":
            world.pause(asked, paused=act == "pause")
        case "export.delete":
            world.delete(asked)
        case "export.retry":
            world.retry(asked)
        case "run.approve":
            world.office.approve(asked)
        case "run.resend":
            world.office.resend(asked)
        case "run.abandon":
            world.office.abandon(asked, unsent=luck.random() < 0.5)
        case "entry.release" | "entry.dismiss" | "entry.undo":
            world.office.decide(act, luck)
        case "code.map" | "code.unmap":
            world.say(choices.word(luck, act))


def decide(world: World, luck: Random) -> None:
    """The office goes through what is held, and takes back what it regrets."""
    for _ in range(luck.randint(1, 4)):
        world.office.decide(luck.choice(("release", "dismiss")), luck)
    world.office.decide("undo", luck)
    for asked in EXPORTS:
        world.office.approve(asked)


def work(world: World, luck: Random) -> None:
    """Runs are asked for and worked on until nothing is left to do, and the SIS may fail meanwhile."""
    if luck.random() < 0.2:
        world.ask_for_runs_of(luck.choice(choices.DISTRICTS), luck.choice(sorted(choices.SCHOOLS)))
    world.ask_for_runs(choices.some_exports(luck))
    if luck.random() < 0.6:
        world.fail(choices.faults(luck))
    world.program.work()


def work_disturbed(world: World, luck: Random) -> None:
    """The same, and something happens between two steps."""
    world.ask_for_runs(choices.some_exports(luck))
    disarm = world.arm(choices.disturbance(luck, choices.DELIVERY))
    world.survive(world.program.work, luck)
    disarm()
    if luck.random() < 0.4:
        world.program.work()


def disturb(world: World, luck: Random) -> None:
    """Something will happen when the program comes to a place, whichever step takes it there."""
    world.arm(choices.disturbance(luck, choices.EVERYWHERE))


def sleep(world: World, luck: Random) -> None:
    """A worker sleeps past its lease and goes on, whatever others did meanwhile."""
    world.ask_for_runs(choices.some_exports(luck))
    world.sleep_and_wake(others_work=luck.random() < 0.7, collects=luck.random() < 0.5)


def pass_time(world: World, luck: Random) -> None:
    """Time passes and what is due is done; or the clock is set back."""
    world.pass_time(luck.choice(choices.PASSING))
    if luck.random() < 0.5:
        world.program.work()


def go_on(world: World, luck: Random) -> None:
    """The SIS collects, now and perhaps at once from now on; old messages come again; the process dies."""
    event = luck.choice(("collected", "at once", "again", "again", "told", "dies"))
    world.note(event)
    match event:
        case "collected" | "at once":
            world.program.sis.collect()
            world.program.sis.collects_at_once = event == "at once"
        case "again":
            world.redeliver(luck)
        case "told":
            world.program.outbox.publish_some(world.program.post)
        case "dies":
            raise Crashed


STEPS: dict[Step, int] = {
    publish: 8,
    save: 3,
    ask: 3,
    decide: 2,
    work: 4,
    work_disturbed: 4,
    disturb: 2,
    sleep: 1,
    pass_time: 2,
    go_on: 3,
}


def any_step(luck: Random) -> Step:
    """One of them, the frequent ones more often."""
    return luck.choices(list(STEPS), list(STEPS.values()))[0]
