"""Who sent a message: the user that RabbitMQ vouches for (`user_id`), or, of a replayed one, the user of the
original.

RabbitMQ takes no other `user_id` than the publisher's own, so a message that is parked or replayed bears ours,
and the original's in a header. Any sender can write such a header; it is believed only beside the `user_id` of a
user who may replay.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from worker.broker.parking import PARKED_ID, REPLAYED, USER
from worker.errors import RefusedError


@dataclass(frozen=True, slots=True)
class Vouching:
    """`own` are the users of BROKER_URL; `replayers` those who may replay in the name of others (None: nobody
    has said, so the `own` may, and it does not matter who marks a message as replayed)."""

    own: frozenset[str]
    replayers: frozenset[str] | None = None

    def sender(self, user: str | None, headers: Mapping[str, Any]) -> str | None:
        """Who sent a message that bears this `user_id` and these headers; None: nobody vouches for anyone."""
        may_replay = self.own if self.replayers is None else self.replayers
        if user in may_replay and REPLAYED in headers:
            return _user_in(headers)
        return user

    def refuse_replaying(self) -> None:
        """Raises RefusedError where a message that we replay would not be believed to be its sender's."""
        if self.replayers is not None and not self.own <= self.replayers:
            user = min(self.own - self.replayers)
            raise RefusedError(
                f"WRITEBACK_SENDERS does not let {user!r}, the user of BROKER_URL, replay the messages of others: "
                'give it "replays": true there; nothing was changed'
            )

    def is_replayed(self, user: str | None, headers: Mapping[str, Any]) -> bool:
        """Whether somebody who may has marked it as replayed."""
        return REPLAYED in headers and (self.replayers is None or user in self.replayers)

    def is_parked_by_us(self, user: str | None, headers: Mapping[str, Any]) -> bool:
        """Whether this program has parked it, and so wrote what its headers say of it."""
        return PARKED_ID in headers and user in self.own | (self.replayers or frozenset())

    def sender_of_parked(self, user: str | None, headers: Mapping[str, Any]) -> str | None:
        """Who had sent a message that is parked. The broker leaves the `user_id` of what it parks itself."""
        return _user_in(headers) if self.is_parked_by_us(user, headers) else user


def _user_in(headers: Mapping[str, Any]) -> str | None:
    named = headers.get(USER)
    return named if isinstance(named, str) and named else None
