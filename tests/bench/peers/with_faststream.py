"""`python -m tests.bench.peers.with_faststream`: FastStream's RabbitMQ broker; messages are Pydantic models.

It hands messages to its handler one by one, many at a time: each waits for the batch that it is put in, and is
acknowledged after its commit.
"""

# faststream and pydantic are not there where types are checked
# mypy: disable-error-code="misc, untyped-decorator"

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
from datetime import datetime
from typing import Annotated, Any, Literal

from faststream import AckPolicy, FastStream
from faststream.rabbit import Channel, ExchangeType, RabbitBroker, RabbitExchange, RabbitMessage, RabbitQueue
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StrictInt, ValidationError

from tests.bench.peers.async_storing import AsyncStore
from tests.bench.peers.reading import Event

BATCH = 500
PREFETCH = 2000
LINGER = 0.02

Id = Annotated[str, Field(min_length=1, max_length=64)]
Name = Annotated[str, Field(max_length=256)]
Scalar = Annotated[str, Field(max_length=1000)] | int | float | bool | None


class Closed(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Student(Closed):
    id: Annotated[str, Field(min_length=1, max_length=256)]
    local_id: Name | None = None
    state_id: Name | None = None
    first_name: Name | None = None
    last_name: Name | None = None
    grade: Name | None = None


class Staff(Closed):
    id: Name | None = None
    name: Name | None = None


class Voided(Closed):
    tardy_id: Id
    version: Annotated[StrictInt, Field(ge=1, le=2**53 - 1)]
    school_id: Id
    district_id: Id = "default"
    occurred_at: AwareDatetime | None = None
    behavior_code: Id | None = None
    student: Student | None = None
    recorded_at: AwareDatetime | None = None
    period: Id | None = None
    minutes_late: Annotated[StrictInt, Field(ge=0, le=1440)] | None = None
    staff: Staff | None = None
    comment: Annotated[str, Field(max_length=1000)] | None = None
    attributes: dict[Annotated[str, Field(min_length=1, max_length=128)], Scalar] = {}


class Recorded(Voided):
    occurred_at: AwareDatetime
    behavior_code: Id
    student: Student


class Message(BaseModel):
    """The envelope."""

    specversion: Literal["1.0"]
    id: Annotated[str, Field(min_length=1, max_length=512)]
    source: Annotated[str, Field(min_length=1, max_length=512)]
    type: Literal["tardy.recorded", "tardy.amended", "tardy.voided"]
    time: datetime | None = None
    traceparent: str | None = None
    data: dict[str, Any]


class Batcher:
    """Gathers events of many handlers, and stores them together."""

    def __init__(self) -> None:
        self._waiting: list[tuple[Event, asyncio.Future[None]]] = []
        self._arrived = asyncio.Event()
        self._full = asyncio.Event()

    async def store(self, event: Event) -> None:
        """Returns once the event is committed."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((event, done))
        self._arrived.set()
        if len(self._waiting) >= BATCH:
            self._full.set()
        await done

    async def work(self, store: AsyncStore) -> None:
        """Stores batches for ever."""
        while True:
            await self._arrived.wait()
            if len(self._waiting) < BATCH:
                self._full.clear()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._full.wait(), LINGER)
            batch, self._waiting = self._waiting[:BATCH], self._waiting[BATCH:]
            if not self._waiting:
                self._arrived.clear()
            await store.put([event for event, _ in batch])
            for _, done in batch:
                done.set_result(None)


logging.basicConfig(level=logging.WARNING)
log = logging.getLogger("peer")  # at its own level FastStream would tell of every message
channel = Channel(prefetch_count=PREFETCH)
broker = RabbitBroker(os.environ.get("BROKER_URL"), default_channel=channel, logger=log)
app = FastStream(broker, logger=log)
batcher = Batcher()
queue = RabbitQueue("writeback.events", declare=False)
rejected = RabbitExchange("writeback.rejected", type=ExchangeType.FANOUT, declare=False)


@app.on_startup
async def open_store() -> None:
    store = await AsyncStore.open(os.environ["DATABASE_URL"])
    app.context.set_global("working", asyncio.create_task(batcher.work(store)))


async def decoded(message: RabbitMessage) -> Any:
    """By itself FastStream decodes `application/json` alone."""
    return json.loads(message.body)


@broker.subscriber(queue, ack_policy=AckPolicy.MANUAL, decoder=decoded)
async def take(body: dict[str, Any], message: RabbitMessage) -> None:
    """One message."""
    try:
        envelope = Message.model_validate(body)
        kind = Voided if envelope.type == "tardy.voided" else Recorded
        tardy = kind.model_validate(envelope.data).model_dump(exclude_none=True)
    except ValidationError as error:
        reason = {"x-writeback-reason": type(error).__name__}
        await broker.publish(message.body, exchange=rejected, headers=reason, persist=True)
    else:
        await batcher.store(Event(envelope.model_dump(), tardy))
    await message.ack()


if __name__ == "__main__":
    asyncio.run(app.run())
