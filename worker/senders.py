"""Who may send what: the file that WRITEBACK_SENDERS names, a JSON object of broker user → rights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from worker.errors import ConfigurationError
from worker.json_files import read_object

_NAME = "WRITEBACK_SENDERS"
_KNOWN = ("districts", "commands", "replays")
_FORM = 'accepted is {"USER": {"districts": ["DISTRICT"] or "all", "commands": true, "replays": false}, …}'


@dataclass(frozen=True, slots=True)
class Sender:
    """What one broker user may send: about which districts (None: all), whether commands, and whether messages
    in the name of others, as replaying does."""

    districts: frozenset[str] | None = frozenset()
    commands: bool = False
    replays: bool = False

    def may_speak_of(self, district_id: str) -> bool:
        return self.districts is None or district_id in self.districts


@dataclass(frozen=True, slots=True)
class Senders:
    """The senders that the operator has named; nobody else may send anything."""

    by_user: Mapping[str, Sender] = field(default_factory=dict)

    @property
    def replayers(self) -> frozenset[str]:
        """The users who may replay in the name of others."""
        return frozenset(user for user, sender in self.by_user.items() if sender.replays)

    def objection(self, user: str | None) -> str | None:
        """Why this user may send nothing at all; None: it is named."""
        if not user:
            return f"no user: the broker vouches for nobody (property user_id), and {_NAME} is set"
        if user not in self.by_user:
            return f"{_NAME} does not name its user"
        return None

    def objection_to_event(self, user: str | None, district_id: str) -> str | None:
        """Why this user may not send an event of the district; None: it may."""
        objection = self.objection(user)
        if objection is None and not self.by_user[user or ""].may_speak_of(district_id):
            return f"{_NAME} does not give its user this district"
        return objection

    def objection_to_commands(self, user: str | None) -> str | None:
        """Why this user may send no commands; None: it may, of its districts."""
        objection = self.objection(user)
        if objection is None and not self.by_user[user or ""].commands:
            return f"{_NAME} does not let its user send commands"
        return objection


def read_senders(path: str | None) -> Senders | None:
    """The senders of the file; None where none is named. Raises ConfigurationError."""
    if path is None:
        return None
    document = read_object(_NAME, path, _FORM)
    return Senders({user: _sender(f"{_NAME}: {path}: {user!r}", given) for user, given in document.items()})


def _sender(where: str, given: object) -> Sender:
    if not isinstance(given, dict):
        raise ConfigurationError(f"{where} has no object of rights; {_FORM}")
    if unknown := sorted(set(given) - set(_KNOWN)):
        raise ConfigurationError(f"{where} has the unknown right {unknown[0]!r}; known: {', '.join(_KNOWN)}")
    for name in ("commands", "replays"):
        if not isinstance(given.get(name, False), bool):
            raise ConfigurationError(f"{where}: {name} must be true or false")
    return Sender(_districts(where, given), given.get("commands", False), given.get("replays", False))


def _districts(where: str, given: Mapping[str, Any]) -> frozenset[str] | None:
    districts = given.get("districts", [])
    if districts == "all":
        return None
    if not isinstance(districts, list) or not all(isinstance(one, str) and one for one in districts):
        raise ConfigurationError(f'{where}: districts must be "all" or a list of district ids')
    return frozenset(districts)
