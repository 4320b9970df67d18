"""An event as a Celery publisher puts it: a task's message, with the event as its one argument."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from worker.broker.ports import Outgoing

TASK = "bench.store"


def as_task(message: Outgoing) -> Outgoing:
    """The message as `store.delay(event)` would send it (protocol 2)."""
    task_id = hashlib.md5(message.body, usedforsecurity=False).hexdigest()
    headers = {
        "lang": "py",
        "task": TASK,
        "id": task_id,
        "root_id": task_id,
        "parent_id": None,
        "group": None,
    }
    return replace(
        message,
        body=b"[[" + message.body + b"], {}, {}]",
        content_type="application/json",
        content_encoding="utf-8",
        headers=headers,
        correlation_id=task_id,
    )
