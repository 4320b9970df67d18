"""`python -m tests.bench.peers.with_aio_pika`: aio-pika and psycopg, both asynchronous, one task gathers and stores."""

from __future__ import annotations

import asyncio
import os
import signal

import aio_pika
from aio_pika.abc import AbstractExchange, AbstractIncomingMessage
from marshmallow import ValidationError

from tests.bench.peers.async_storing import AsyncStore
from tests.bench.peers.reading import Event, read

BATCH = 500
PREFETCH = 2000
LINGER = 0.02


async def gather(arrived: asyncio.Queue[AbstractIncomingMessage]) -> list[AbstractIncomingMessage]:
    """The next batch: one message at least, then what comes within the linger."""
    batch = [await arrived.get()]
    while len(batch) < BATCH:
        try:
            batch.append(arrived.get_nowait())
        except asyncio.QueueEmpty:
            try:
                batch.append(await asyncio.wait_for(arrived.get(), LINGER))
            except TimeoutError:
                break
    return batch


async def handle(batch: list[AbstractIncomingMessage], store: AsyncStore, parking: AbstractExchange) -> None:
    """Stores a batch and acknowledges it, all with one acknowledgement."""
    events: list[Event] = []
    for message in batch:
        try:
            events.append(read(message.body))
        except (ValidationError, ValueError) as error:
            reason = {"x-writeback-reason": type(error).__name__}
            parked = aio_pika.Message(
                message.body, headers=reason, delivery_mode=aio_pika.DeliveryMode.PERSISTENT
            )
            await parking.publish(parked, routing_key="")
    if events:
        await store.put(events)
    await batch[-1].ack(multiple=True)


async def work(
    arrived: asyncio.Queue[AbstractIncomingMessage], store: AsyncStore, parking: AbstractExchange
) -> None:
    """Handles batches for ever."""
    while True:
        await handle(await gather(arrived), store, parking)


async def main() -> None:
    """Consumes until SIGTERM."""
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    store = await AsyncStore.open(os.environ["DATABASE_URL"])
    arrived: asyncio.Queue[AbstractIncomingMessage] = asyncio.Queue()
    async with await aio_pika.connect_robust(os.environ["BROKER_URL"]) as connection:
        channel = await connection.channel()
        await channel.set_qos(prefetch_count=PREFETCH)
        queue = await channel.get_queue("writeback.events", ensure=False)
        parking = await (await connection.channel()).get_exchange("writeback.rejected", ensure=False)
        await queue.consume(arrived.put)
        working = asyncio.create_task(work(arrived, store, parking))
        await asyncio.wait(
            {working, asyncio.create_task(stopping.wait())}, return_when=asyncio.FIRST_COMPLETED
        )
        if working.done():
            working.result()
        working.cancel()
    await store.close()


if __name__ == "__main__":
    asyncio.run(main())
