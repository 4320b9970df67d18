"""An Ed-Fi operational data store: each row is one attendance event.

POST writes an event whose key is new, and writes over one that is there; no request changes a key. DELETE goes by the
id that POST answered with. PUT is not needed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from worker.core.record_rules import Deed
from worker.destinations.file_port import Installation, Secret
from worker.destinations.http.answers import Request, Response
from worker.destinations.http.client import Client
from worker.destinations.http.http_failures import LostAnswerError
from worker.destinations.http.logins import NOBODY, Login
from worker.destinations.http.paper import Supposed, on_paper
from worker.destinations.http.tokens import client_credentials
from worker.destinations.http.web import Web
from worker.destinations.http.web_options import client
from worker.destinations.record_port import RecordKind, RowDeed, RowDone, RowOutcome, RowRefused, RowUnknown
from worker.destinations.records.ed_fi.api_options import EdFiSchema, events, form
from worker.destinations.records.ed_fi.ods_facts import EXAMPLES, FACTS
from worker.destinations.records.ed_fi.problem_details import GONE, is_same_id, outcome, record_id, words
from worker.destinations.records.ed_fi.property_values import UnfitError
from worker.destinations.records.ed_fi.root_document import Addresses, addresses
from worker.destinations.trial import Trial
from worker.errors import DeliveryError, DestinationError, TransientError


class OperationalDataStore:
    """One, as one definition reaches it."""

    def __init__(self, options: Mapping[str, Any], web: Web, secret: Secret) -> None:
        self._options, self._web, self._secret = options, web, secret
        self._events = events(options)

    def send(self, deeds: Sequence[RowDeed]) -> Sequence[RowOutcome]:
        """One row, one request; after a correction that gave it another id, a second one."""
        return [self._carry_out(deed) for deed in deeds]

    def look(self, deed: RowDeed) -> RowDone | None:
        """By the key that its properties make."""
        try:
            found = self._search(deed)
        except UnfitError as error:
            raise DestinationError(f"a record cannot be looked for: {error}") from None
        return None if found is None else RowDone(found)

    def check(self, trial: Trial) -> None:
        """Reads one event at the most."""
        plain, base_url = self._client(NOBODY), self._options["base_url"]
        plain.try_server(base_url, trial)
        with trial.step("token"):
            self._login(addresses(plain, base_url, fresh=True)).headers()
        with trial.step("read"):
            _found(self._ask("GET", params={"limit": "1"}))

    def look_up(self) -> None:
        """Where the API has its data."""
        addresses(self._client(NOBODY), self._options["base_url"])

    def _carry_out(self, deed: RowDeed) -> RowOutcome:
        try:
            return self._delete(deed) if deed.deed is Deed.DELETE else self._save(deed)
        except LostAnswerError as error:
            return RowUnknown(str(error))
        except UnfitError as error:  # the definition has changed since the row was made
            return RowRefused(f"not sent: {error}")

    def _save(self, deed: RowDeed) -> RowOutcome:
        answer = self._ask("POST", json=self._events.record(deed.properties))
        if not answer.is_success:
            return outcome(answer)
        saved = RowDone(record_id(answer) or deed.sis_id)
        former = deed.sis_id if deed.deed is Deed.UPDATE else None
        if former is None or is_same_id(former, saved.sis_id):
            return saved
        return self._without(former, saved)

    def _without(self, former: str, saved: RowDone) -> RowOutcome:
        """An update that got another id was written beside the record it was to change: under another key, since the
        category or the sessions of the definition have changed meanwhile. The same request does it again."""
        try:
            answer = self._ask("DELETE", former)
        except (DeliveryError, LostAnswerError) as error:
            return RowUnknown(f"written, but the record that it replaces may stand beside it: {error}")
        if answer.is_success or answer.status in GONE:
            return saved
        return RowUnknown(f"written, but the record that it replaces stands beside it: {words(answer)}")

    def _delete(self, deed: RowDeed) -> RowOutcome:
        record = deed.sis_id or self._search(deed)
        if record is None:
            return RowDone()
        answer = self._ask("DELETE", record)
        return RowDone() if answer.is_success or answer.status in GONE else outcome(answer)

    def _search(self, deed: RowDeed) -> str | None:
        key = self._events.key(deed.properties)
        answer = self._ask("GET", params={name: str(value) for name, value in key.items()})
        return next((str(each["id"]) for each in _found(answer) if _is_of(each, key)), None)

    def _ask(
        self,
        method: str,
        record: str | None = None,
        *,
        params: Mapping[str, str] | None = None,
        json: Any = None,
    ) -> Response:
        """The API's answer about the resource, or about one record of it. Raises as `Client.ask`."""
        found = addresses(self._client(NOBODY), self._options["base_url"])
        url = f"{found.data}/{self._events.resource.path}"
        if record is not None:
            url = f"{url}/{quote(record, safe='')}"
        return self._client(self._login(found)).ask(Request(method, url, params=params, json=json))

    def _login(self, found: Addresses) -> Login:
        who = (self._options["key"], self._options["secret"])
        return client_credentials(self._web, self._secret, found.token, who)

    def _client(self, login: Login) -> Client:
        return client(self._web, login, self._options)


def _found(answer: Response) -> list[Mapping[str, Any]]:
    """The records that a search has found. Raises TransientError, or DestinationError where nobody can search."""
    if answer.status >= 500:
        raise TransientError(f"{answer.server} does not answer a search just now (HTTP {answer.status})")
    try:
        said = answer.json() if answer.is_success else None
    except LostAnswerError:
        said = None
    if not isinstance(said, list):
        raise DestinationError(
            f"{answer.server} does not let attendance be searched (HTTP {answer.status}): have the key's claim set"
            " granted read, and check base_url, then retry"
        )
    return [each for each in said if isinstance(each, dict)]


def _is_of(record: Mapping[str, Any], key: Mapping[str, Any]) -> bool:
    """Whether a found record is the student's of that day: a search that does not know a parameter finds too much."""
    student = record.get("studentReference")
    return (
        bool(record.get("id"))
        and isinstance(student, dict)
        and student.get("studentUniqueId") == key["studentUniqueId"]
        and record.get("eventDate") == key["eventDate"]
    )


def _open(options: Mapping[str, Any], installation: Installation, secret: Secret) -> OperationalDataStore:
    return OperationalDataStore(options, installation.web, secret)


_IF_FOUND = "where the search has found a record, whose id it bears"


def _supposed(options: Mapping[str, Any], deeds: Sequence[RowDeed], request: Request) -> Supposed:
    """Where the API has its data; a record of the tardy, where one is searched; and that all is well."""
    base_url = options["base_url"]
    if request.url == base_url:
        said = f"`<dataManagementApi>`: where the API has its data, from its root document, GET {base_url}"
        urls = {"dataManagementApi": f"{base_url.rstrip('/')}/<dataManagementApi>"}
        return Supposed({"urls": urls}, looks_up=said)
    if request.method == "GET":
        asked = request.params or {}
        of_student = {"studentUniqueId": asked.get("studentUniqueId")}
        found = {"id": "<id>", "studentReference": of_student, "eventDate": asked.get("eventDate")}
        return Supposed([found])
    return Supposed({}, only=_IF_FOUND if request.url.endswith(quote("<id>")) else None)


KIND = RecordKind(EdFiSchema, _open, form, examples=EXAMPLES, facts=FACTS, written=on_paper(_open, _supposed))
