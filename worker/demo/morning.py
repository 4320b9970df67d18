"""Driving the program through the morning: its own parts, step by step, under a clock that the demo sets."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import structlog

from worker.bootstrap import Program
from worker.broker.embedded.inbox_broker import EmbeddedBroker
from worker.broker.ports import Consumer, Publisher
from worker.demo.expected import MOMENTS
from worker.demo.messages import REPLY_QUEUE, Post
from worker.errors import WritebackError
from worker.settings import read_settings
from worker.store.runs import barriers, claims

_PATIENCE = 100  # looks at a queue that stays empty (about 0.1 s each) before the demo gives up


class DemoClock:
    """The time of the demo: it stands still but for the steps."""

    def __init__(self) -> None:
        self.now = MOMENTS[0]

    def __call__(self) -> datetime:
        return self.now


class Morning:
    """The program on the embedded default under `home`, whatever the environment says of other servers.

    `more`: variables that lead it to those which the demo has started.
    """

    def __init__(self, home: Path, more: Mapping[str, str]) -> None:
        self.clock = DemoClock()
        settings = read_settings({"WRITEBACK_HOME": str(home), **more})
        self.program = Program(settings, self.clock, self.clock)
        self.broker = EmbeddedBroker(home)
        self._intake = self.program.intake()

    def run(self, posts: Sequence[Post], on_moment: Callable[[datetime], None]) -> None:
        """The whole morning: at each moment what was sent before is taken in, and what is due goes out.

        Raises WritebackError where a part of the program gets nowhere.
        """
        self.program.prepare_database()
        self.program.broker.prepare()
        self.broker.declare_reply_queue(REPLY_QUEUE)
        waiting = sorted(posts, key=lambda post: post.at)
        with (
            closing(self.program.broker.consumer(self.program.settings.batch_size)) as consumer,
            closing(self.program.broker.publisher()) as publisher,
        ):
            for moment in MOMENTS:
                on_moment(moment)
                self._turn_to(moment)
                sent = [post for post in waiting if post.at <= moment]
                waiting = waiting[len(sent) :]
                self._take_in(sent, consumer, publisher)
                self._send()
                self._tell(publisher)
        self._intake.leave()  # a worker that is started here later must not wait for it

    def replies(self) -> list[dict[str, Any]]:
        """The outcomes that came to the reply queue since this was asked last."""
        return [json.loads(delivery.body) for delivery in self.broker.take_replies(REPLY_QUEUE)]

    def close(self) -> None:
        self.program.close()

    def _turn_to(self, moment: datetime) -> None:
        self.clock.now = moment
        structlog.contextvars.bind_contextvars(time_of_the_demo=f"{moment:%H:%M}")

    def _take_in(self, posts: Sequence[Post], consumer: Consumer, publisher: Publisher) -> None:
        self.program.broker.operator().publish_all([post.message for post in posts])
        handled = idle = 0
        while handled < len(posts) or self._run_waits_for_consumers():
            number = self._intake.step(consumer, publisher)
            handled += number
            idle = 0 if number else idle + 1
            if idle > _PATIENCE:
                raise WritebackError(
                    f"the demo published {len(posts)} messages, but only {handled} came out of the inbox"
                    "; its log tells more"
                )

    def _run_waits_for_consumers(self) -> bool:
        """Whether a run-now still waits for what was published before it."""
        with self.program.database.read() as connection:
            return barriers.any_waits(connection)

    def _send(self) -> None:
        """Everything that is due: sealed, delivered, settled."""
        while True:
            while self.program.scheduler.tick():
                pass
            with self.program.database.write() as connection:
                claim = claims.claim_next(connection, self.program.worker)
            if claim is None:
                return
            self.program.flush.attempt(claim)

    def _tell(self, publisher: Publisher) -> None:
        while self.program.outbox.publish_some(publisher) or self.program.answering.send_some(publisher):
            pass
