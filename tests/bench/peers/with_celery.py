"""`celery -A tests.bench.peers.with_celery worker`: a task that celery-batches hands 500 events at a time.

Its publisher sends tasks (`celery_messages`): Celery reads no other messages. They are acknowledged after the task.
"""

# celery has no types
# mypy: disable-error-code="no-untyped-call, untyped-decorator"

from __future__ import annotations

import functools
import os
from typing import Any

from celery import Celery
from celery_batches import Batches
from kombu.entity import Queue
from marshmallow import ValidationError

from tests.bench.peers.reading import Event, validated
from tests.bench.peers.storing import Store

BATCH = 500
PREFETCH = 2000
LINGER = 0.02

app = Celery("bench", broker=os.environ.get("BROKER_URL"))
app.conf.update(
    task_queues=[Queue("writeback.events", no_declare=True, queue_arguments={"x-queue-type": "quorum"})],
    task_default_queue="writeback.events",
    task_ignore_result=True,
    task_acks_late=True,
    worker_prefetch_multiplier=PREFETCH,
    worker_enable_remote_control=False,
    broker_native_delayed_delivery_queue_type="quorum",
    broker_transport_options={"confirm_publish": True},
    broker_connection_retry_on_startup=False,
)


@functools.cache
def store_here() -> Store:
    """One connection in the process that works."""
    return Store(os.environ["DATABASE_URL"])


@app.task(base=Batches, name="bench.store", flush_every=BATCH, flush_interval=LINGER, acks_late=True)
def store(requests: list[Any]) -> None:
    """Stores a batch."""
    events: list[Event] = []
    for request in requests:
        try:
            events.append(validated(request.args[0]))
        except ValidationError as error:
            _park(request.args[0], type(error).__name__)
    if events:
        store_here().put(events)


def _park(message: Any, reason: str) -> None:
    with app.producer_pool.acquire(block=True) as producer:
        producer.publish(message, exchange="writeback.rejected", headers={"x-writeback-reason": reason})
