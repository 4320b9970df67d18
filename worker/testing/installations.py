"""An installation for tests of destinations: its marks are remembered in memory."""

from __future__ import annotations

from pathlib import Path

from worker.destinations.file_port import Installation
from worker.destinations.http.web import Web
from worker.destinations.places import Places


class RememberedMarks:
    """`Marks` without a database. One that is given to two destinations is one database with two workers."""

    def __init__(self, installation: str = "1") -> None:
        self.tokens: dict[str, str] = {}
        self._installation = installation

    def installation(self) -> str:
        return self._installation

    def token(self, place: str) -> str | None:
        return self.tokens.get(place)

    def remember(self, place: str, token: str) -> str:
        return self.tokens.setdefault(place, token)


def installation(
    home: Path, *roots: Path, marks: RememberedMarks | None = None, web: Web | None = None
) -> Installation:
    """A worker's view: its WRITEBACK_HOME, its roots, what its database remembers, and which servers it may reach."""
    return Installation(Places(home, roots), marks or RememberedMarks(), web=web or Web())
