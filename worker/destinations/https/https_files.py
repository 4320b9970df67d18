"""Files to an address over HTTPS: each is one request.

Nothing can be renamed there and nothing looked at, so there is no fence as folders have one: the key takes its place.
Once a run's file may have left, it has the same bytes and the same key in every later attempt. PUT of the same bytes to
the same address comes to the same however often (RFC 9110, 9.2.2). POST relies on the server: one that knows the header
`Idempotency-Key` takes one file for each key. So a lost answer is followed by the very same request, and a request of a
worker that slept through its lease is the very same too: whichever comes later changes nothing. A server without
idempotency keys may get a file twice by POST, never none; `docs/https.md` says so.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

from worker.destinations.file_port import (
    Departed,
    FileKind,
    GivenNumber,
    Installation,
    Replaceable,
    Secret,
    Uploaded,
)
from worker.destinations.files.spooled import Spool, Spooled
from worker.destinations.http.answers import Request, Response
from worker.destinations.http.http_failures import LostAnswerError
from worker.destinations.https.https_client import HttpsClient
from worker.destinations.https.https_options import NAME, HttpsSchema, place
from worker.destinations.trial import Trial
from worker.errors import DestinationError, TransientError

_BYTES_A_SECOND = 64 * 1024
_AGAIN = frozenset({408, 409, 425})
"""Nothing was carried out, or the same file is at work; draft-ietf-httpapi-idempotency-key-header has 409 for that."""

_TYPES = {
    "csv": "text/csv",
    "txt": "text/plain",
    "tab": "text/tab-separated-values",
    "tsv": "text/tab-separated-values",
    "json": "application/json",
    "jsonl": "application/jsonl",
    "ndjson": "application/x-ndjson",
}


class HttpsFiles:
    """Keeps the file on this side until it is sent."""

    def __init__(self, client: HttpsClient) -> None:
        self._client = client
        self._spool = Spool()

    def require_free(
        self, name: str, *, replace: Replaceable | None, departed: Departed | None = None
    ) -> None:
        """Nothing: what lies there cannot be seen."""

    def upload(self, temporary: str, chunks: Iterable[bytes], *, mark: str) -> Uploaded:
        return self._spool.keep(temporary, chunks)

    def publish(self, temporary: str, name: str, *, replace: Replaceable | None, key: str) -> None:
        request = self._request(self._spool.kept(temporary), name, key)
        try:
            answer = self._client.ask(request)
        except LostAnswerError as error:
            raise TransientError(f"{error}; the file is sent again under the same key") from None
        _judge(answer)

    def last_given(self, export_id: str) -> GivenNumber | None:
        return None

    def note_given(self, export_id: str, given: GivenNumber) -> None:
        """Nothing: no numbers are kept there."""

    def fence(self, names: Iterable[str], fenced: str, *, mark: str, departed: Departed) -> bool:
        """True: it is sent again under its key, as above."""
        return True

    def discard(self, names: Iterable[str]) -> bool:
        self._spool.drop(names)
        return True

    def check(self, trial: Trial) -> None:
        self._client.check(trial)

    def close(self) -> None:
        self._spool.close()

    def _request(self, spooled: Spooled, name: str, key: str) -> Request:
        digest = base64.b64encode(bytes.fromhex(spooled.uploaded.sha256)).decode()
        return self._client.request(
            url=self._client.url.replace(NAME, quote(name, safe="")),
            headers={
                "Content-Type": _TYPES.get(name.rpartition(".")[2].lower(), "application/octet-stream"),
                "Content-Disposition": _disposition(name),
                "Content-Digest": f"sha-256=:{digest}:",  # RFC 9530
                "Idempotency-Key": key,
            },
            body=spooled.opened(),
            more_seconds=spooled.uploaded.bytes / _BYTES_A_SECOND,
        )


def _disposition(name: str) -> str:
    """RFC 6266: in plain characters, and, where it has others, in full beside them."""
    plain = "".join(char if char.isascii() and char not in '"\\' else "_" for char in name)
    full = "" if plain == name else f"; filename*=UTF-8''{quote(name, safe='')}"
    return f'attachment; filename="{plain}"{full}'


def _judge(answer: Response) -> None:
    """Raises where the file has not been taken."""
    if answer.is_success:
        if answer.is_page:
            raise DestinationError(
                f"{answer.server} answers with a web page (HTTP {answer.status}), as log-in pages are: is the address"
                " right? The file may have been taken"
            )
        return
    said = f"{answer.server} does not take the file ({answer.words()})"
    if answer.status >= 500 or answer.status in _AGAIN:
        raise TransientError(said, retry_after=answer.retry_after)
    raise DestinationError(f"{said}; put that right there or in the definition, then retry")


def _open(options: Mapping[str, Any], installation: Installation, secret: Secret) -> HttpsFiles:
    return HttpsFiles(HttpsClient(options, installation.web, secret))


KIND = FileKind(HttpsSchema, _open, place)
