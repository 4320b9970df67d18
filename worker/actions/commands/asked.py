"""What is asked: a command with all that it is judged by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Self

from schemas.messages.commands import Command
from worker.actions.commands.authority import Authority
from worker.destinations.places import Places
from worker.district_locks import Locks
from worker.store.outcome_rows import NO_REPLY, CommandKey, ReplyAddress


@dataclass(frozen=True, slots=True)
class Asked:
    """A command with all that it is judged by: when, where files may go, where its answer goes as well,
    whoever sends it (None: anybody may do anything), and what districts have locked."""

    command: Command
    now: datetime
    places: Places
    reply: ReplyAddress = NO_REPLY
    authority: Authority | None = None
    locks: Locks = field(kw_only=True)

    @property
    def key(self) -> CommandKey:
        """By which the command is remembered."""
        return CommandKey(self.command.source, self.command.command_id)

    @property
    def data(self) -> Mapping[str, Any]:
        """Checked by the command's schema."""
        return self.command.data

    @property
    def signed(self) -> dict[str, Any]:
        """Who (the command's source), why and when: as every act takes them, for the audit trail."""
        return {"who": self.command.source, "reason": self.data.get("reason"), "now": self.now}

    def as_its_own(self) -> Self:
        """The same, signed by whoever is vouched for."""
        if self.authority is None:
            return self
        return replace(self, command=self.authority.sign(self.command))
