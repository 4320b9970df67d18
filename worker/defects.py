"""Errors of the program itself: each is logged under a reference and counted, and its text names no student."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import structlog
from prometheus_client import Counter

from worker.errors import WritebackError

log = structlog.get_logger("defects")

STEPS = (
    "store",
    "command",
    "read",
    "due",
    "judge",
    "continuous",
    "seal",
    "claim",
    "attempt",
    "render",
    "settle",
    "tell",
    "answer",
    "sweep",
    "collect",
    "forget",
    "quiet",
    "purge",
    "count",
)
"""Where a defect may be met, beside the loops, which are named as their threads are."""

COUNTER = Counter(
    "writeback_defects", "Errors of the program, by the step that met them.", ("step",), registry=None
)
"""One for the whole process, as the processes' metrics are; every registry of it shows the same."""


def expect(*steps: str) -> None:
    """Has the counter begin at 0 for these: an increase from nothing to 1 would not be seen."""
    for step in steps:
        COUNTER.labels(step)


expect(*STEPS)


def noted(step: str, error: BaseException, **where: Any) -> str:
    """Logs and counts a defect; returns the reference under which a person finds it in the log."""
    reference = uuid4().hex[:12]
    COUNTER.labels(step).inc()
    if isinstance(error, WritebackError):
        where["reason"] = str(error)  # our own texts name no student
    log.error(
        "an error of the program",
        step=step,
        reference=reference,
        error=type(error).__name__,
        exc_info=safe_traceback(error),
        **where,
    )
    return reference


def told(reference: str) -> str:
    """What a person is told of a defect."""
    return f"an error of the program; look for reference {reference} in the log"


def safe_traceback(error: BaseException) -> tuple[type[BaseException], BaseException, Any]:
    """The error for the log without its message: a library's text may quote a row's values."""
    bare = RuntimeError(type(error).__name__)
    return (RuntimeError, bare, error.__traceback__)
