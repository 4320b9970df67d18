"""Every place where a worker may die between two arrows, in one list; tests kill it at each.

In production `reached` does nothing: it is armed by the environment variables below, which tests alone set.
"""

from __future__ import annotations

import itertools
import signal
import threading
from collections.abc import Callable, Mapping
from enum import StrEnum

# Each is NAME or NAME:N, the Nth time the place is reached.
VARIABLE = "WRITEBACK_TEST_KILL_AT"
STOP_VARIABLE = "WRITEBACK_TEST_STOP_AT"
_SIGNALS = {VARIABLE: signal.SIGKILL, STOP_VARIABLE: signal.SIGSTOP}


class Arrow(StrEnum):
    """The places, in the order of the flow: message → event → entry → run → file → receipt → outcome."""

    BATCH_BEFORE_COMMIT = "batch.before-commit"
    BATCH_COMMITTED = "batch.committed"
    BATCH_ACKNOWLEDGED = "batch.acknowledged"
    REFERENCES_BEFORE_COMMIT = "references.before-commit"
    REFERENCES_COMMITTED = "references.committed"
    PARK_BEFORE_PUBLISH = "park.before-publish"
    PARK_PUBLISHED = "park.published"
    COMMAND_BEFORE_COMMIT = "command.before-commit"
    COMMAND_COMMITTED = "command.committed"
    COMMAND_ACKNOWLEDGED = "command.acknowledged"
    SLOT_BEFORE_COMMIT = "slot.before-commit"
    SLOT_COMMITTED = "slot.committed"
    JUDGE_BEFORE_COMMIT = "judge.before-commit"
    JUDGE_COMMITTED = "judge.committed"
    CONTINUOUS_COMMITTED = "continuous.committed"
    SEAL_BEFORE_COMMIT = "seal.before-commit"
    SEAL_COMMITTED = "seal.committed"
    CLAIM_COMMITTED = "claim.committed"
    RESEAL_BEFORE_COMMIT = "reseal.before-commit"
    RESEAL_COMMITTED = "reseal.committed"
    FENCE_BEFORE = "fence.before"
    FENCE_DONE = "fence.done"
    UPLOAD_BEFORE = "upload.before"
    UPLOAD_HALF = "upload.half"
    UPLOAD_DONE = "upload.done"
    DEPART_BEFORE_COMMIT = "depart.before-commit"
    DEPART_COMMITTED = "depart.committed"
    RENAME_DONE = "rename.done"
    SETTLE_BEFORE_COMMIT = "settle.before-commit"
    SETTLE_COMMITTED = "settle.committed"
    WAIT_COMMITTED = "wait.committed"
    OUTBOX_CLAIMED = "outbox.claimed"
    OUTBOX_PUBLISHED = "outbox.published"
    OUTBOX_COMMITTED = "outbox.committed"


def _nothing(_arrow: Arrow) -> None:
    return None


_hook: Callable[[Arrow], None] = _nothing


def reached(arrow: Arrow) -> None:
    """The program stands at this place."""
    _hook(arrow)


def arm(hook: Callable[[Arrow], None] | None) -> None:
    """Has `hook` called at each place; None: nothing happens again."""
    global _hook
    _hook = hook or _nothing


def arm_from(environment: Mapping[str, str]) -> None:
    """Has the process send itself SIGKILL or SIGSTOP where the environment says so."""
    hooks = []
    for variable, number in _SIGNALS.items():
        name, _, times = environment.get(variable, "").partition(":")
        if name:
            hooks.append(_signal_at(Arrow(name), int(times or 1), number))

    def every_hook(arrow: Arrow) -> None:
        for hook in hooks:
            hook(arrow)

    arm(every_hook if hooks else None)


def _signal_at(wanted: Arrow, times: int, number: signal.Signals) -> Callable[[Arrow], None]:
    reached_so_far = itertools.count(1)

    def hook(arrow: Arrow) -> None:
        if arrow is wanted and next(reached_so_far) == times:
            # To this very thread: SIGSTOP sent to the process may reach another first, and this one goes on.
            signal.pthread_kill(threading.get_ident(), number)

    return hook
