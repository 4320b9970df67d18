"""One SIS that takes records over HTTP, as each vendor's facts describe it: strict in what it takes, and told when to
fail. `sis_facts.py` has the facts, a table a vendor; what all have in common is here.

with FakeSis(FACTS["sycamore"]) as sis:
    sis.refused["1001"] = "no such student"
    ... sis.url, sis.tardies, sis.fail_write(Fault.AFTER)
"""

from __future__ import annotations

import base64
import re
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

from worker.testing.web_server import Fault, Reply, Seen, WebServer

Record = dict[str, Any]
Key = tuple[str, ...]

CLIENT, CLIENT_SECRET, TOKEN, REFRESH, EXTRA_KEY = (
    "client-7",
    "s3cret-client",
    "t0ken-fixed",
    "r3fresh",
    "k3y-extra",
)


class Refused(Exception):
    """The SIS answers this instead of doing anything."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.status)
        self.reply = reply


@dataclass(frozen=True)
class Login:
    """How the SIS knows who asks. `token_path`: where it gives tokens; None: one token for ever."""

    token_path: str | None = None
    grant: str = "client_credentials"
    header: str = "authorization"
    extra: str | None = None
    expired: int = 401


@dataclass(frozen=True)
class Address:
    """An address, and what happens there: given the SIS, the parts of the path and the request. `writes`: it changes
    records."""

    method: str
    path: str
    act: Callable[[FakeSis, re.Match[str], Seen], Reply]
    writes: bool = True


@dataclass(frozen=True)
class SisFacts:
    """What is known of one vendor. `counts`: whether a record says that the student was tardy."""

    login: Login
    addresses: Sequence[Address]
    counts: Callable[[Record], bool] = lambda _: True
    refusal: int = 400
    words: Callable[[str], Any] = lambda text: {"message": text}


@dataclass
class FakeSis:
    """Keeps every record by its key. `refused`: a value, such as a student's id → the words for whoever writes a record
    with it."""

    facts: SisFacts
    records: dict[Key, Record] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    codes: dict[str, str] = field(default_factory=lambda: {"T": "code-27", "L": "code-28"})

    def __post_init__(self) -> None:
        self.server = WebServer(self._answer)
        self._tokens: set[str] = set()
        self._ids = iter(range(1, 1_000_000))
        self._next_writes: deque[Fault | Reply | None] = deque()
        self._lock = threading.RLock()

    def __enter__(self) -> Self:
        self.server.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.__exit__()

    @property
    def url(self) -> str:
        return self.server.url

    @property
    def tardies(self) -> list[Record]:
        """The records that say somebody was tardy."""
        return [record for record in self.records.values() if self.facts.counts(record)]

    def fail_write(self, *how: Fault | Reply | None) -> None:
        """The next requests that would change something meet these, one each: None is nothing, and with a Reply it
        changes nothing."""
        self._next_writes.extend(how)

    def expire(self) -> None:
        """No token that was given so far is taken any more."""
        self._tokens.clear()

    def new_id(self) -> int:
        return next(self._ids)

    def refuse(self, text: str, status: int | None = None) -> Refused:
        return Refused(Reply.of(self.facts.words(text), status or self.facts.refusal))

    def take(
        self, record: Record, key: Sequence[str], required: Mapping[str, Any], optional: str = ""
    ) -> bool:
        """Checks a record as the vendor would, and keeps it; whether it is a new one."""
        self.check(record, required, optional)
        for value in record.values():
            if (words := self.refused.get(str(value))) is not None:
                raise self.refuse(words)
        at = tuple(str(record[name]) for name in key)
        new = at not in self.records
        self.records[at] = record
        return new

    def check(self, record: Any, required: Mapping[str, Any], optional: str = "") -> None:
        """Raises Refused unless it has exactly these properties, each as its pattern, type or value says."""
        if not isinstance(record, dict) or set(record) - set(required) - set(optional.split()):
            raise self.refuse("unknown properties, or no object")
        for name, wanted in required.items():
            if name not in record or not _fits(record[name], wanted):
                raise self.refuse(f"{name} is missing or wrong")

    # answering

    def _answer(self, seen: Seen) -> Reply:
        with self._lock:
            try:
                return self._found(seen)
            except Refused as refused:
                return refused.reply

    def _found(self, seen: Seen) -> Reply:
        login = self.facts.login
        if login.token_path is not None and seen.path == login.token_path:
            return self._token(seen)
        self._require_login(seen)
        for address in self.facts.addresses:
            found = re.fullmatch(address.path, seen.path)
            if found is not None and address.method == seen.method:
                before = {key: dict(record) for key, record in self.records.items()}
                return self._acted(address, found, seen, before)
        return Reply.of({"message": "no such address"}, 404)

    def _acted(self, address: Address, found: re.Match[str], seen: Seen, before: dict[Key, Record]) -> Reply:
        """A request that is refused changes nothing, whatever it did before that was seen."""
        fault = self._next_writes.popleft() if address.writes and self._next_writes else None
        if isinstance(fault, Reply):
            return fault
        try:
            return replace(address.act(self, found, seen), fault=fault)
        except Refused:
            self.records = before
            raise

    def _token(self, seen: Seen) -> Reply:
        login = self.facts.login
        wanted = base64.b64encode(f"{CLIENT}:{CLIENT_SECRET}".encode()).decode()
        right = seen.method == "POST" and seen.form.get("grant_type") == login.grant
        right = right and seen.headers.get("authorization") == f"Basic {wanted}"
        if login.grant == "refresh_token":
            right = right and seen.form.get("refresh_token") == REFRESH
        if not right:
            return Reply.of({"error": "invalid_client"}, 401)
        token = f"token-{self.new_id()}"
        self._tokens.add(token)
        return Reply.of({"access_token": token, "token_type": "bearer", "expires_in": 3600})

    def _require_login(self, seen: Seen) -> None:
        login = self.facts.login
        said = seen.headers.get(login.header, "")
        token = said if login.header != "authorization" else said.removeprefix("Bearer ")
        known = {TOKEN} if login.token_path is None else self._tokens
        if token not in known:
            raise Refused(Reply.of({"message": "who are you?"}, login.expired))
        if login.extra is not None and seen.headers.get(login.extra) != EXTRA_KEY:
            raise Refused(Reply.of({"message": "no subscription"}, 401))


def _fits(value: Any, wanted: Any) -> bool:
    """`wanted`: a type, a pattern, a function, or the value itself."""
    if isinstance(wanted, type):
        return type(value) is wanted
    if isinstance(wanted, re.Pattern):
        return isinstance(value, str) and wanted.fullmatch(value) is not None
    return bool(wanted(value)) if callable(wanted) else bool(value == wanted)


def array(sis: FakeSis, body: Any, most: int) -> Iterator[Record]:
    """The records of a request that may hold so many."""
    if not isinstance(body, list) or not 1 <= len(body) <= most:
        raise sis.refuse("no array, or too long a one")
    yield from body
