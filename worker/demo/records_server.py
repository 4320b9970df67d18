"""An SIS that takes records over HTTP, for the length of the demo, as docs/https.md describes the other side."""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

SECRET = "demo-api-token"
HOST = "127.0.0.1"
KEPT = Path("api", "records.jsonl")
"""In the demo's home: what the SIS has at the end, a record a line."""

_ROWS_A_REQUEST = 20


class RecordsServer:
    """Keeps a record by its `tardy_id`, for whoever has the token; nothing of it lasts but what `keep` writes."""

    def __init__(self) -> None:
        self.token = secrets.token_urlsafe(24)
        self._records: dict[str, dict[str, Any]] = {}
        self._lock = threading.Lock()
        self._server = _Listening((HOST, 0), _Handler)
        self._server.sis = self
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def destination(self) -> dict[str, Any]:
        """What leads there."""
        return {
            "type": "https",
            "mode": "records",
            "url": f"http://{HOST}:{self._server.server_port}/tardies",
            "rows_a_request": _ROWS_A_REQUEST,
            "authentication": {"type": "bearer", "token": {"secret": SECRET}},
        }

    def take(self, items: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The receipts of a request's records."""
        with self._lock:
            return [self._taken(item) for item in items]

    def keep(self, home: Path) -> None:
        """Writes down what there is, in an order of its own."""
        file = home / KEPT
        file.parent.mkdir(mode=0o700)
        lines = [json.dumps(self._records[name], ensure_ascii=False) for name in sorted(self._records)]
        file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")

    def close(self) -> None:
        """Ends it."""
        self._server.shutdown()
        self._server.server_close()

    def _taken(self, item: Mapping[str, Any]) -> dict[str, Any]:
        tardy_id = item["record"]["tardy_id"]
        its_id = f"att-{tardy_id}"
        if item["action"] == "delete":
            self._records.pop(tardy_id, None)
        else:
            self._records[tardy_id] = {"id": its_id, **item["record"]}
        return {"key": item["key"], "status": "done", "id": its_id}


class _Listening(ThreadingHTTPServer):
    daemon_threads = True
    sis: RecordsServer


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Listening

    def do_POST(self) -> None:
        """One request of `{"records": […]}`."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers["Authorization"] != f"Bearer {self.server.sis.token}":
            self._answer(401, {"error": "invalid_token"})
        else:
            self._answer(200, {"results": self.server.sis.take(json.loads(body)["records"])})

    def _answer(self, status: int, value: object) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing: the demo's log is the program's."""
