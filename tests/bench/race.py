"""The race: ours and its peers drain the same full queue, in turns, each on a fresh stage."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median
from time import monotonic

from tests.bench.load import Mix, tardy_id_of
from tests.bench.meters import Spent
from tests.bench.peers.installing import NotHereError
from tests.bench.process import running
from tests.bench.racers import Racer
from tests.bench.stage import Stage, new_stage
from tests.bench.stored import ANY_THERE, IS_THERE, VERSIONS, Stored, asked, stored_in
from tests.servers import ServerError, Servers
from worker.broker.ports import Outgoing

MATCHING = 3  # definitions that every tardy belongs to

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Drain:
    """One racer's way through a full queue: messages handled in so many seconds, and what that took.

    Counted from when all its processes were at work (so that no start-up is measured) to its last commit.
    """

    events: int
    seconds: float
    spent: Spent
    peak_memory: int

    @property
    def rate(self) -> float:
        """Events a second."""
        return self.events / self.seconds

    @property
    def per_100k(self) -> Spent:
        """CPU seconds for 100,000 events."""
        return self.spent.per_100k(self.events)


@dataclass(slots=True)
class Race:
    """What came of it: each racer's drains, round by round; why some are not here; what all of them stored."""

    drains: dict[Racer, list[Drain]] = field(default_factory=dict)
    missing: dict[Racer, str] = field(default_factory=dict)
    publish_rates: list[float] = field(default_factory=list)
    stored: Stored | None = None

    @property
    def publish_rate(self) -> float:
        """Messages a second, confirmed; the median."""
        return median(self.publish_rates)

    def middle(self, racer: Racer, of: Callable[[Drain], float]) -> float:
        """The median of one racer's figure."""
        return median(of(drain) for drain in self.drains[racer])

    def speed(self, ours: Racer, peer: Racer) -> float:
        """How many times as fast as the peer ours was: the median over the rounds in which both raced."""
        rounds = zip(self.drains[ours], self.drains[peer], strict=False)
        return median(one.rate / other.rate for one, other in rounds)


def run_race(
    servers: Servers, racers: Sequence[Racer], mix: Mix, rounds: int, matching: int, say: Say
) -> Race:
    """All rounds. Raises ServerError where a program fails, or two have not stored the same."""
    race = Race()
    for number in range(1, rounds + 1):
        for racer in racers:
            if racer in race.missing or (number > 1 and not racer.every_round):
                continue
            try:
                racer.command()
            except NotHereError as error:
                race.missing[racer] = str(error)
                continue
            _turn(servers, racer, mix, matching, race, _numbered(say, number))
    return race


def _numbered(say: Say, number: int) -> Say:
    return lambda what: say(f"round {number}: {what}")


def _turn(servers: Servers, racer: Racer, mix: Mix, matching: int, race: Race, say: Say) -> None:
    with new_stage(servers, matching=matching, peers=not racer.is_ours) as stage:
        say(f"publishing {len(mix.messages):,} events for {racer.label}")
        race.publish_rates.append(publish(stage, [racer.told(message) for message in mix.messages]))
        say(f"{racer.label} at work")
        drain = _drain(stage, racer, mix)
        with stage.connect() as connection:
            stored = stored_in(connection, peers=not racer.is_ours)
    race.stored = race.stored or stored
    if stored != race.stored:
        raise ServerError(f"{racer.label} has not stored what the others have: {stored}, not {race.stored}")
    race.drains.setdefault(racer, []).append(drain)


def publish(stage: Stage, messages: Sequence[Outgoing]) -> float:
    """Puts the messages in the queue, confirmed; returns messages a second. Raises ServerError."""
    begun = monotonic()
    unroutable = stage.broker.operator().publish_all(messages)
    seconds = monotonic() - begun
    if unroutable:
        raise ServerError(f"{unroutable} messages reached no queue")
    return len(messages) / seconds


def _drain(stage: Stage, racer: Racer, mix: Mix) -> Drain:
    """Lets the racer empty the queue. Raises ServerError where it fails or leaves something unacknowledged."""
    last, valid = tardy_id_of(mix.messages[-1]), len(mix.messages) - mix.invalid
    command, environment = racer.command(), racer.environment(stage)
    with (
        stage.connect() as connection,
        running(racer.name, command, stage, processes=racer.processes, environment=environment) as program,
    ):
        program.wait_until(lambda: stage.consumers() >= racer.processes, every=0.01)
        program.wait_until(lambda: asked(connection, ANY_THERE), every=0.002)
        before, begun = program.spent(), monotonic()
        early = asked(connection, VERSIONS)
        program.wait_until(lambda: asked(connection, IS_THERE, last), every=0.02)
        program.wait_until(lambda: asked(connection, VERSIONS) == valid, every=0.01)
        seconds, after = monotonic() - begun, program.spent()
        peak = program.peak_memory()
        program.end()
    _nothing_left(stage, racer, mix)
    return Drain(valid - early, seconds, after.since(before), peak)


def _nothing_left(stage: Stage, racer: Racer, mix: Mix) -> None:
    if left := stage.ready():
        raise ServerError(f"{racer.label} has left {left} messages unacknowledged")
    if (parked := stage.parked()) != mix.invalid:
        raise ServerError(f"{racer.label} has parked {parked} messages, not {mix.invalid}")
