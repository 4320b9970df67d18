"""An SIS that is asked over HTTP by JSON, at its base address."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from worker.destinations.file_port import Installation
from worker.destinations.http.answers import Request, Response
from worker.destinations.http.client import Client
from worker.destinations.http.logins import Login
from worker.destinations.http.web_options import client
from worker.destinations.record_port import RowDeed, RowDone
from worker.destinations.trial import Trial
from worker.errors import DestinationError


@dataclass(frozen=True, slots=True)
class Sis:
    """Safe to use from several threads."""

    client: Client
    base: str

    def ask(
        self,
        method: str,
        *path: Any,
        json: Any = None,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """The answer to a request below the base address; each part of the path is escaped. Raises as `Client.ask`."""
        url = "/".join([self.base.rstrip("/"), *(quote(str(part), safe="") for part in path)])
        return self.client.ask(Request(method, url, params=params, headers=headers or {}, json=json))

    def check(self, trial: Trial) -> None:
        """Whether it is there, and gives a token where it gives any."""
        self.client.try_server(self.base, trial)


def sis(base: str, login: Login, options: Mapping[str, Any], installation: Installation) -> Sis:
    """The SIS as the common options of a definition's destination ask for it."""
    return Sis(client(installation.web, login, options), base)


class WithoutLook:
    """Of a destination whose SIS has no way to look for a record: nobody asks it to."""

    def look(self, deed: RowDeed) -> RowDone | None:
        """Raises DestinationError."""
        raise DestinationError("this SIS has no way to look for a record")
