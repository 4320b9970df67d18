"""A small Ed-Fi API that keeps what it takes, and holds every request to the facts: required parts, no property or
parameter beside them, types, one record a key, no change of a key, references that have to be there, DELETE by id
alone, tokens that end.

It answers problem details (as the ODS/API since 7.2) or, of an older standard, `message`.
"""

from __future__ import annotations

import base64
import itertools
import threading
import uuid
from collections import deque
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

from tests.servers.ed_fi_shapes import SCHOOL, SECTION, key_of, shapes, texts
from worker.testing.web_server import Fault, Reply, Seen

KEY, SECRET = "RvcohKz9", "E1iEFusa"
TARDY = "uri://ed-fi.org/AttendanceEventCategoryDescriptor#Tardy"
EXCUSED = "uri://ed-fi.org/AttendanceEventCategoryDescriptor#Excused Absence"
TOKEN_SECONDS = 1800
_RESOURCES = "/data/v3/ed-fi/"


class _Refusal(Exception):
    def __init__(self, status: int, kind: str, detail: str, **more: Any) -> None:
        super().__init__(detail)
        self.status, self.kind, self.more = status, kind, more


@dataclass
class EdFiOds:
    """`base` is how clients reach it; `inner`, where it is another, is how it calls itself behind a proxy (in
    `Location`). The rest is what it knows, for a test to change."""

    base: str = ""
    standard: str = "5.0"
    inner: str | None = None
    students: dict[str, int] = field(default_factory=lambda: {"604822": 255901001})
    sessions: set[tuple[int, int, str]] = field(
        default_factory=lambda: {(255901001, 2027, "Fall"), (255901001, 2027, "Spring")}
    )
    sections: set[tuple[str, str]] = field(default_factory=lambda: {("ALG-1", "ALG-1-02")})
    descriptors: set[str] = field(default_factory=lambda: {TARDY, EXCUSED})
    records: dict[str, dict[str, Any]] = field(default_factory=lambda: {SCHOOL: {}, SECTION: {}})
    asked: list[tuple[str, str]] = field(default_factory=list)
    tokens: dict[str, bool] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)  # by a student's unique id, in these words
    next_writes: deque[Fault | Reply] = field(default_factory=deque)
    grants: bool = True

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._shapes = shapes(self.standard)

    def __call__(self, seen: Seen) -> Reply:
        """The answer to one request."""
        with self._lock:
            self.asked.append((seen.method, seen.path.removeprefix(urlsplit(self.base).path)))
            try:
                return self._respond(seen)
            except _Refusal as refusal:
                return self._problem(refusal)

    def fail_write(self, how: Fault | Reply) -> None:
        """The next request that would change a record meets this: with a Reply it changes nothing."""
        self.next_writes.append(how)

    def expire_tokens(self) -> None:
        """No token given so far is taken any more."""
        self.tokens = dict.fromkeys(self.tokens, False)

    def held(self, resource: str = SCHOOL) -> list[dict[str, Any]]:
        """The records there, without their ids."""
        return list(self.records[resource].values())

    def _respond(self, seen: Seen) -> Reply:
        path = seen.path.removeprefix(urlsplit(self.base).path)
        if (seen.method, path) in (("GET", ""), ("GET", "/")):
            return self._root()
        if path == "/oauth/token":
            return self._token(seen)
        resource, _, record = path.removeprefix(_RESOURCES).partition("/")
        if not path.startswith(_RESOURCES) or resource not in self.records:
            raise _Refusal(404, "not-found", "The specified data could not be found.")
        self._authenticate(seen)
        met = self.next_writes.popleft() if self.next_writes and seen.method != "GET" else None
        if isinstance(met, Reply):
            return met
        return replace(self._on_resource(resource, record, seen), fault=met)

    def _root(self) -> Reply:
        urls = {"oauth": f"{self.base}/oauth/token", "dataManagementApi": f"{self.base}/data/v3/"}
        models = [{"name": "Ed-Fi", "version": f"{self.standard}.0"}]
        return Reply.of({"version": "7.3", "suite": "3", "dataModels": models, "urls": urls})

    def _token(self, seen: Seen) -> Reply:
        basic = base64.b64encode(f"{KEY}:{SECRET}".encode()).decode()
        if seen.method != "POST" or seen.form != {"grant_type": "client_credentials"}:
            return Reply.of({"error": "unsupported_grant_type"}, 400)
        if seen.headers.get("authorization") != f"Basic {basic}" or not self.grants:
            return Reply.of({"error": "invalid_client"}, 401)
        token = uuid.uuid4().hex
        self.tokens[token] = True
        return Reply.of({"access_token": token, "expires_in": TOKEN_SECONDS, "token_type": "bearer"})

    def _authenticate(self, seen: Seen) -> None:
        scheme, _, token = seen.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not self.tokens.get(token):
            raise _Refusal(401, "security:authentication", "The caller could not be authenticated.")

    def _on_resource(self, resource: str, record: str, seen: Seen) -> Reply:
        match seen.method, bool(record):
            case "GET", False:
                return self._find(resource, seen.query)
            case "POST", False:
                return self._save(resource, self._body(resource, seen))
            case "DELETE", True:
                return self._delete(resource, record)
            case "PUT", True:
                return self._replace(resource, record, self._body(resource, seen))
        raise _Refusal(405, "method-not-allowed", "The request construction was invalid.")

    def _find(self, resource: str, query: dict[str, str]) -> Reply:
        wanted = {name: value for name, value in query.items() if name != "limit"}
        found = []
        for record, body in self.records[resource].items():
            key = {name: str(value) for name, value in key_of(body).items()}
            if unknown := wanted.keys() - key.keys():
                raise _Refusal(
                    400, "bad-request:parameter", f"unknown parameters: {', '.join(sorted(unknown))}"
                )
            if wanted.items() <= key.items():
                found.append({"id": record, **body})
        return Reply.of(found[: int(query.get("limit", 25))])

    def _body(self, resource: str, seen: Seen) -> dict[str, Any]:
        if not seen.headers.get("content-type", "").startswith("application/json"):
            raise _Refusal(415, "unsupported-media-type", "The content type is not supported.")
        body = seen.json()
        if "id" in body:
            detail = "The request data was constructed incorrectly."
            raise _Refusal(
                400, "bad-request:data", detail, errors=["Resource identifiers cannot be assigned."]
            )
        if problems := self._problems(resource, body):
            detail = "Data validation failed. See 'validationErrors' for details."
            raise _Refusal(400, "bad-request:data-validation-failed", detail, validationErrors=problems)
        key = key_of(body)
        if words := self.refused.get(key["studentUniqueId"]):
            raise _Refusal(400, "bad-request:data", words)
        self._authorize(key)
        self._resolve(key)
        return dict(body)

    def _problems(self, resource: str, body: dict[str, Any]) -> dict[str, list[str]]:
        found = list(self._shapes[resource].iter_errors(body))
        if found:
            return {f"$.{'.'.join(map(str, each.path))}": [each.message] for each in found}
        schools = {
            each["schoolId"] for each in body.values() if isinstance(each, dict) and "schoolId" in each
        }
        if len(schools) > 1:
            return {"$.schoolReference.schoolId": ["All values supplied for 'schoolId' must match."]}
        if any(text != text.strip() for text in texts(key_of(body))):
            return {"$": ["a key cannot contain leading or trailing spaces"]}
        named = {name: body[name] for name in body if name.endswith("Descriptor")}
        return {
            f"$.{name}": [f"'{one}' does not exist."]
            for name, one in named.items()
            if one not in self.descriptors
        }

    def _authorize(self, key: dict[str, Any]) -> None:
        if self.students.get(key["studentUniqueId"]) != key["schoolId"]:
            raise _Refusal(
                403,
                "security:authorization",
                "Access to the requested data could not be authorized. Hint: You may need to create a corresponding"
                " 'StudentSchoolAssociation' item.",
                errors=[
                    "No relationships have been established with the resource item's 'StudentUniqueId' value."
                ],
            )

    def _resolve(self, key: dict[str, Any]) -> None:
        lacking = None
        if (key["schoolId"], key["schoolYear"], key["sessionName"]) not in self.sessions:
            lacking = "Session"
        elif (
            "localCourseCode" in key
            and (key["localCourseCode"], key["sectionIdentifier"]) not in self.sections
        ):
            lacking = "Section"
        if lacking:
            raise _Refusal(
                409, "data-conflict:unresolved-reference", f"The referenced '{lacking}' item does not exist."
            )

    def _save(self, resource: str, body: dict[str, Any]) -> Reply:
        there = self.records[resource]
        record = next((each for each, old in there.items() if key_of(old) == key_of(body)), None)
        status = 201 if record is None else 200
        record = record or uuid.uuid4().hex
        there[record] = body
        place = f"{self.inner or self.base}{_RESOURCES}{resource}/{record}"
        return Reply(status, headers={"Location": place, "ETag": '"1"'})

    def _delete(self, resource: str, record: str) -> Reply:
        if self.records[resource].pop(record, None) is None:
            raise _Refusal(404, "not-found", "The specified item could not be found.")
        return Reply(204)

    def _replace(self, resource: str, record: str, body: dict[str, Any]) -> Reply:
        old = self.records[resource].get(record)
        if old is None:
            raise _Refusal(404, "not-found", "The specified item could not be found.")
        if key_of(old) != key_of(body):
            raise _Refusal(
                400,
                "bad-request:data-validation-failed:key-change-not-supported",
                "Identifying values cannot be changed. Delete and recreate the item instead.",
            )
        self.records[resource][record] = body
        return Reply(204)

    def _problem(self, refusal: _Refusal) -> Reply:
        if self.standard < "5":
            return Reply.of({"message": str(refusal)}, refusal.status)
        said = {
            "detail": str(refusal),
            "type": f"urn:ed-fi:api:{refusal.kind}",
            "status": refusal.status,
            "correlationId": f"c-{next(_numbers)}",
            **refusal.more,
        }
        return Reply.of(said, refusal.status)


_numbers = itertools.count(1)
