"""ACME as its description has it, and not as `acme_sis` asks it: what it takes, refuses and answers."""

from __future__ import annotations

from worker.testing.web_server import Reply, Seen

TOKEN = "t0ken-of-acme"


class AcmeServer:
    """What `WebServer` answers with. `records`: {(student, day): record}; `refused`: {student: the words}."""

    def __init__(self) -> None:
        self.records: dict[tuple[str, str], dict[str, str]] = {}
        self.refused: dict[str, str] = {}

    def __call__(self, seen: Seen) -> Reply:
        if seen.headers.get("authorization") != f"Bearer {TOKEN}":
            return Reply.of({"message": "unknown token"}, 401)
        if not seen.path.startswith("/tardies/"):
            return Reply.of({"name": "ACME"})
        _, _, student, day = seen.path.split("/")
        if seen.method == "DELETE":
            return Reply(404 if self.records.pop((student, day), None) is None else 204)
        return self._put(student, day, seen.json())

    def _put(self, student: str, day: str, record: dict[str, str]) -> Reply:
        if record.keys() != {"student", "day", "code"}:
            return Reply.of({"message": "student, day and code are required"}, 422)
        if student in self.refused:
            return Reply.of({"message": self.refused[student]}, 422)
        self.records[student, day] = record
        return Reply.of({"stored": True})
