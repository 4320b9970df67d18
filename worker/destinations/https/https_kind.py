"""The kind `https`: its mode says which port it serves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from worker.destinations.chosen_kind import ChosenKind
from worker.destinations.facts import Facts
from worker.destinations.file_port import FileKind
from worker.destinations.https import https_files, https_records
from worker.destinations.https.https_options import HttpsSchema, takes_records
from worker.destinations.record_port import RecordKind


def _choose(options: Mapping[str, Any]) -> FileKind | RecordKind:
    return https_records.KIND if takes_records(options) else https_files.KIND


_EXAMPLE = {
    "type": "https",
    "url": "https://sis.example.org/tardies",
    "authentication": {"type": "bearer", "token": {"secret": "sis-token"}},
}

KIND = ChosenKind(
    HttpsSchema,
    _choose,
    examples=({**_EXAMPLE, "mode": "file"}, {**_EXAMPLE, "mode": "records"}),
    facts=Facts(
        "An address over HTTPS, for files or for records as JSON",
        sure=(
            "The requests are this program's own: docs/https.md has them, for whoever writes the other side.",
        ),
        assumed=(
            "For files by POST: the server knows the header Idempotency-Key; one that does not may get a file twice.",
        ),
    ),
)
