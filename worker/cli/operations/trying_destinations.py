"""The exports' secrets and destinations tried side by side, within a time that a person waits.

Each server has a few threads of its own, so that one that is silent takes no time from the others, and one that many
exports use is not met by all of them at once (OpenSSH by default turns logins away from the eleventh on).
"""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from time import monotonic
from typing import Any

from worker.bootstrap import Program
from worker.cli.operations.tried import Tried, tried
from worker.destinations.placing import server_of
from worker.destinations.trial import Trial
from worker.secrets import secret_names

LONGEST = 50.0
"""Seconds after which no destination is waited for any longer."""

_AT_ONE_SERVER = 4

Export = tuple[str, Mapping[str, Any]]
"""An export's id and its definition."""


@dataclass(slots=True)
class _Attempt:
    """One export's trial, as its thread leaves it; `found` is there once it is `over`."""

    export_id: str
    options: Mapping[str, Any]
    trial: Trial = field(default_factory=Trial)
    found: list[Tried] = field(default_factory=list)
    begun: bool = False
    over: threading.Event = field(default_factory=threading.Event)


def trials(program: Program, exports: Iterable[Export], longest: float) -> Iterator[Tried]:
    """What became of each, in the order given, after `longest` seconds at the most."""
    until = monotonic() + longest
    attempts = [_Attempt(export_id, document["destination"]) for export_id, document in exports]
    for queue in _by_server(attempts):
        for _ in range(min(_AT_ONE_SERVER, len(queue))):
            # A daemon: one that hangs at a silent server does not keep the command from ending.
            threading.Thread(target=_work_off, args=(program, queue), name="tries", daemon=True).start()
    for attempt in attempts:
        if attempt.over.wait(max(0.0, until - monotonic())):
            yield from attempt.found
        else:
            yield _given_up(attempt, longest)


def _by_server(attempts: Sequence[_Attempt]) -> Iterable[deque[_Attempt]]:
    queues: dict[str, deque[_Attempt]] = defaultdict(deque)
    for attempt in attempts:
        queues[server_of(attempt.options)].append(attempt)
    return list(queues.values())


def _work_off(program: Program, queue: deque[_Attempt]) -> None:
    while queue:
        try:
            attempt = queue.popleft()
        except IndexError:  # another thread was quicker
            return
        attempt.begun = True
        attempt.found.extend(_of_export(program, attempt))
        attempt.over.set()


def _of_export(program: Program, attempt: _Attempt) -> Iterator[Tried]:
    export_id = attempt.export_id
    secrets = [
        tried("secret", f"{name} ({export_id})", partial(program.secret, name), "it is set")
        for name in dict.fromkeys(secret_names(attempt.options))
    ]
    yield from secrets
    if all(secret.ok for secret in secrets):
        yield _of_destination(program, attempt)
    else:
        yield Tried("destination", export_id, False, "not tried: set its secrets first")


def _of_destination(program: Program, attempt: _Attempt) -> Tried:
    """What it offers, and what not, step by step."""
    options, trial = attempt.options, attempt.trial

    def work() -> str:
        sent = program.opener.check(options, trial)
        return "; but ".join([f"{options['type']}: {sent} can be sent there", *trial.lacks])

    return replace(tried("destination", attempt.export_id, work), steps=tuple(trial.steps))


def _given_up(attempt: _Attempt, longest: float) -> Tried:
    alone = f"`writeback check {attempt.export_id}` tries it alone"
    if not attempt.begun:
        said = f"not tried: the others at its server took all of {longest:g} s; {alone}"
        return Tried("destination", attempt.export_id, False, said)
    steps = attempt.trial.so_far(f"not done when {longest:g} s were over")
    at = f" at the step {steps[-1].name!r}" if steps and steps[-1].problem else ""
    said = f"not done within {longest:g} s{at}: its server is there, but slow or silent"
    return Tried("destination", attempt.export_id, False, f"{said}; {alone}", tuple(steps))
