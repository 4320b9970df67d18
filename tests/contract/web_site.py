"""A server that takes files over HTTPS, as whoever runs it sees them."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote

from tests.servers.certificates import served
from tests.webs import web
from worker.destinations.file_port import FileDestination
from worker.destinations.https.https_files import KIND
from worker.testing.installations import installation
from worker.testing.web_server import Reply, Seen, WebServer


class WebSite:
    """Takes files by PUT under their names."""

    def __init__(self, home: Path, **options: object) -> None:
        self.files: dict[str, bytes] = {}
        self.server = WebServer(self._answer, tls=served("localhost"))
        self.server.__enter__()
        self._seen = installation(home, web=web())
        self._options = {
            "type": "https",
            "url": f"{self.server.url}/inbox/{{name}}",
            "method": "PUT",
            **options,
        }
        self._is_there = True

    def open(self) -> FileDestination:
        return KIND.open(self._options, self._seen, lambda name: name)

    def names(self) -> set[str]:
        return set(self.files)

    def read(self, name: str) -> bytes:
        return self.files[name]

    def put(self, name: str, content: bytes) -> None:
        self.files[name] = content

    def obstruct(self, name: str) -> None:
        raise NotImplementedError("nothing but files lies there")

    def vanish(self) -> None:
        self.close()

    def close(self) -> None:
        if self._is_there:
            self.server.__exit__()
        self._is_there = False

    def _answer(self, seen: Seen) -> Reply:
        if seen.method == "PUT":
            self.files[unquote(seen.path.removeprefix("/inbox/"))] = seen.body
            return Reply(201)
        return Reply(404 if seen.method == "HEAD" else 405)
