"""RabbitMQ's management API: the quick way to make virtual hosts and users (a few milliseconds; rabbitmqctl:
300)."""

from __future__ import annotations

import http.client
import json
from base64 import b64encode
from dataclasses import dataclass
from typing import Any

from tests.servers.errors import ServerError

ANSWER_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Management:
    """The API of one server, with an administrator's login."""

    host: str
    port: int
    user: str
    password: str
    secure: bool = False

    def call(self, method: str, path: str, body: object = None) -> Any:
        """One request below `/api/`; parts of the path come percent-encoded. Returns the JSON answered, or
        None.

        Raises ServerError where the API does not answer or refuses.
        """
        try:
            status, answer = self._request(method, path, None if body is None else json.dumps(body))
        except (OSError, http.client.HTTPException) as error:
            raise ServerError(f"RabbitMQ's management API does not answer: {error}") from error
        if status >= 400:
            raise ServerError(f"RabbitMQ's management API refused {method} {path}: {status} {answer[:200]!r}")
        return json.loads(answer) if answer else None

    def answers(self) -> bool:
        """Whether it does, and is ours: the password is of this run alone."""
        try:
            self.call("GET", "whoami")
        except ServerError:
            return False
        return True

    def _request(self, method: str, path: str, body: str | None) -> tuple[int, bytes]:
        kind = http.client.HTTPSConnection if self.secure else http.client.HTTPConnection
        connection = kind(self.host, self.port, timeout=ANSWER_SECONDS)
        login = b64encode(f"{self.user}:{self.password}".encode()).decode()
        headers = {"Authorization": f"Basic {login}", "Content-Type": "application/json"}
        try:
            connection.request(method, f"/api/{path}", body, headers)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()
