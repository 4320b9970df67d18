"""Every place where a worker may die between two arrows, in one list, and the parts of its work where it may meet a
defect; tests kill it, or have it fail, at each.

In production `reached` does nothing: it is armed by the environment variables below, which tests alone set.
"""

from __future__ import annotations

import itertools
import signal
import threading
from collections.abc import Callable, Mapping
from enum import StrEnum
from functools import partial

# Each is NAME, NAME:N, NAME@THING or NAME:N@THING: the first (Nth) time that the place is reached (for this thing).
VARIABLE = "WRITEBACK_TEST_KILL_AT"
STOP_VARIABLE = "WRITEBACK_TEST_STOP_AT"
# The same, but without N an error each time.
RAISE_VARIABLE = "WRITEBACK_TEST_RAISE_AT"
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
    RENAME_BEFORE = "rename.before"
    RENAME_DONE = "rename.done"
    ASK_BEFORE_COMMIT = "ask.before-commit"
    ASK_COMMITTED = "ask.committed"
    REQUEST_BEFORE = "request.before"
    REQUEST_DONE = "request.done"
    SETTLE_BEFORE_COMMIT = "settle.before-commit"
    SETTLE_COMMITTED = "settle.committed"
    WAIT_COMMITTED = "wait.committed"
    OUTBOX_CLAIMED = "outbox.claimed"
    OUTBOX_PUBLISHED = "outbox.published"
    OUTBOX_COMMITTED = "outbox.committed"
    REPLY_SENT = "reply.sent"


class Step(StrEnum):
    """Parts of the work beside the arrows where a defect may be met: of one event, entry or row, and of each loop and
    task."""

    EVENT_READ = "event.read"
    ODDITIES = "oddities"
    ENTRY_READ = "entry.read"
    ENTRY_JUDGED = "entry.judged"
    ROW_RENDERED = "row.rendered"
    TICK = "tick"
    LEASES = "leases"
    OUTBOX = "outbox"
    OUTCOME = "outcome"
    HOUSEKEEPING = "housekeeping"
    SWEEP = "sweep"
    FORGET = "forget"
    QUIET = "quiet"
    PURGE = "purge"
    PURGE_PAGE = "purge.page"
    CONSUMER = "consumer"
    COUNT = "count"


Place = Arrow | Step
Hook = Callable[[Place, str | None], None]


class PlannedError(Exception):
    """What a test plans for a place: a defect like any other."""


def _nothing(_place: Place, _thing: str | None) -> None:
    return None


_hook: Hook = _nothing


def reached(place: Place, thing: str | None = None) -> None:
    """The program stands at this place, in the work for this export (or message, tardy, run, outcome), where it is for
    one."""
    _hook(place, thing)


def arm(hook: Callable[[Arrow], None] | None) -> None:
    """Has `hook` called at each arrow; None: nothing happens again."""

    def at_arrows(place: Place, _thing: str | None) -> None:
        if hook is not None and isinstance(place, Arrow):
            hook(place)

    arm_each(None if hook is None else at_arrows)


def arm_each(hook: Hook | None) -> None:
    """Has `hook` called at each place, with the export or other thing that is worked on there."""
    global _hook
    _hook = hook or _nothing


def arm_from(environment: Mapping[str, str]) -> None:
    """Has the process send itself SIGKILL or SIGSTOP, or meet an error, where the environment says so."""
    hooks = []
    for variable, number in _SIGNALS.items():
        if wanted := environment.get(variable):
            hooks.append(_at(wanted, partial(_signal, number), times=1))
    if wanted := environment.get(RAISE_VARIABLE):
        hooks.append(raise_at(wanted))

    def every_hook(place: Place, thing: str | None) -> None:
        for hook in hooks:
            hook(place, thing)

    arm_each(every_hook if hooks else None)


def raise_at(wanted: str) -> Hook:
    """A hook that raises PlannedError as RAISE_VARIABLE says."""

    def fail() -> None:
        raise PlannedError(f"as planned at {wanted}")

    return _at(wanted, fail)


def _signal(number: signal.Signals) -> None:
    """To this very thread: SIGSTOP sent to the process may reach another first, and this one goes on."""
    signal.pthread_kill(threading.get_ident(), number)


def _at(wanted: str, act: Callable[[], None], *, times: int | None = None) -> Hook:
    """A hook that acts at the place and thing that `wanted` names. `times`: which time, where it says none (None:
    each)."""
    where, _, only = wanted.partition("@")
    name, _, given = where.partition(":")
    place: Place = Arrow(name) if name in list(Arrow) else Step(name)
    which = int(given) if given else times
    reached_so_far = itertools.count(1)

    def hook(at: Place, thing: str | None) -> None:
        if at is not place or (only and thing != only):
            return
        if which is None or next(reached_so_far) == which:
            act()

    return hook
