"""Records as JSON to an address over HTTPS, in a shape of our own, which `docs/https.md` describes.

    {"records": [{"key": …, "action": "create", "id": …, "record": {…}}]}
    {"results": [{"key": …, "status": "done", "id": …, "version": …, "message": …}]}

The other side knows a record by its property `tardy_id`, so the same request again changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from typing import Any

from schemas.definition.records import RecordFields
from worker.core.record_rules import Capabilities, RecordForm
from worker.destinations.file_port import Installation, Secret
from worker.destinations.http.answers import Response, one_line
from worker.destinations.http.http_failures import LostAnswerError
from worker.destinations.http.paper import on_paper
from worker.destinations.https.https_client import HttpsClient
from worker.destinations.https.https_options import HttpsSchema, place
from worker.destinations.record_port import (
    RecordKind,
    RowAccepted,
    RowDeed,
    RowDone,
    RowLater,
    RowOutcome,
    RowRefused,
    RowUnknown,
)
from worker.destinations.records.bodies import nested
from worker.destinations.records.record_options import parallel
from worker.destinations.records.requesting import together_or_parted
from worker.destinations.records.sis_answers import name_of, sis_words
from worker.destinations.trial import Trial
from worker.errors import DestinationError, TransientError

IDENTITY = "tardy_id"

_KNOWN_BY: Mapping[str, Any] = {"field": IDENTITY}
_FIELDS = RecordFields(
    default=(
        _KNOWN_BY,
        {"field": "school.id"},
        {"field": "student.local_id", "required": True},
        {"field": "date"},
        {"field": "time"},
        {"field": "behavior.external_reference_code", "required": True},
        {"field": "minutes_late"},
    ),
    required=(IDENTITY,),
    added=(_KNOWN_BY,),
)
_NOT_CARRIED_OUT = frozenset({408, 425})
_NOT_YET = frozenset({403, 409})
_NOT_ITS_ADDRESS = frozenset({404, 405, 410, 415})


class HttpsRecords:
    """Safe to use from several threads."""

    def __init__(self, client: HttpsClient) -> None:
        self._client = client

    def send(self, deeds: Sequence[RowDeed]) -> Sequence[RowOutcome]:
        return together_or_parted(deeds, self._ask)

    def look(self, deed: RowDeed) -> RowDone | None:
        """Never asked: nothing can be read there."""
        raise DestinationError("an https destination cannot be asked for a record")

    def check(self, trial: Trial) -> None:
        self._client.check(trial)

    def _ask(self, deeds: Sequence[RowDeed]) -> Sequence[RowOutcome]:
        items = [_item(deed) for deed in deeds]
        request = self._client.request({"Idempotency-Key": _key(deeds)}, json={"records": items})
        return _outcomes(self._client.ask(request), deeds)


def _key(deeds: Sequence[RowDeed]) -> str:
    """The same for the same deeds in every attempt; of one alone it is the deed's own."""
    keys = [deed.key for deed in deeds]
    return keys[0] if len(keys) == 1 else sha256("\n".join(keys).encode()).hexdigest()


def _item(deed: RowDeed) -> dict[str, Any]:
    known = {"id": deed.sis_id, "version": deed.sis_version}
    return {
        "key": deed.key,
        "action": deed.deed.value,
        **{name: value for name, value in known.items() if value is not None},
        "record": nested(deed.properties),
    }


def _outcomes(answer: Response, deeds: Sequence[RowDeed]) -> Sequence[RowOutcome]:
    """What became of each row. Raises TransientError or DestinationError where nothing was carried out."""
    told = _results(answer)
    if told is not None:
        return [_told(told.get(deed.key), answer) for deed in deeds]
    return [_of_all(answer)] * len(deeds)


def _of_all(answer: Response) -> RowOutcome:
    """What an answer says that does not tell the rows apart."""
    if answer.is_success:
        return _taken(answer)
    if answer.status in _NOT_CARRIED_OUT:
        raise TransientError(f"{answer.server} does not take records just now ({answer.words()})")
    if answer.status in _NOT_ITS_ADDRESS:
        raise DestinationError(
            f"{answer.server} takes no records at this address ({answer.words()}); check `url`, `method` and the rights"
            " of the log in, then retry"
        )
    if answer.status >= 500:
        return RowUnknown(sis_words(answer))
    if answer.status in _NOT_YET:
        return RowLater(sis_words(answer), answer.retry_after)
    return RowRefused(sis_words(answer))


def _taken(answer: Response) -> RowOutcome:
    """Of an answer that says yes and nothing of rows."""
    if answer.is_page or not answer.whole:
        return RowUnknown(
            f"{answer.words()}: a web page, or an answer too long to read, instead of a receipt"
        )
    return RowAccepted() if answer.status == 202 else RowDone()


def _results(answer: Response) -> Mapping[str, Mapping[str, Any]] | None:
    """The answer's `results` by their keys; None: it has none."""
    try:
        said = answer.json()
    except LostAnswerError:
        return None
    results = said.get("results") if isinstance(said, dict) else None
    if not isinstance(results, list):
        return None
    return {str(result.get("key")): result for result in results if isinstance(result, dict)}


def _told(result: Mapping[str, Any] | None, answer: Response) -> RowOutcome:
    """What a receipt says; one that says nothing that is known leaves it open."""
    status = None if result is None else result.get("status")
    outcome = _STATUSES.get(status) if isinstance(status, str) else None
    if result is None or outcome is None:
        return RowUnknown(f"HTTP {answer.status}: its results do not say what became of this row")
    return outcome(result)


def _words(result: Mapping[str, Any]) -> str:
    return one_line(name_of(result.get("message")) or "no reason was given")


_STATUSES: dict[str, Callable[[Mapping[str, Any]], RowOutcome]] = {
    "done": lambda result: RowDone(name_of(result.get("id")), name_of(result.get("version"))),
    "accepted": lambda result: RowAccepted(name_of(result.get("id"))),
    "refused": lambda result: RowRefused(_words(result)),
    "later": lambda result: RowLater(_words(result)),
}


def _open(options: Mapping[str, Any], installation: Installation, secret: Secret) -> HttpsRecords:
    return HttpsRecords(HttpsClient(options, installation.web, secret))


def _form(options: Mapping[str, Any]) -> RecordForm:
    can = Capabilities(
        key="natural",
        verbs=frozenset({"create", "update", "delete"}),
        rows_a_request=options.get("rows_a_request", 1),
        side_by_side=parallel(options),
        idempotency_key=True,
    )
    return RecordForm(can, _FIELDS, key=frozenset({IDENTITY}))


KIND = RecordKind(HttpsSchema, _open, _form, place, written=on_paper(_open))
