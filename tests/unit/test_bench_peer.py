"""The plain program that the bench races against does the same work: what it stores of a message is what we store."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from schemas.messages.envelope import read_envelope
from schemas.messages.tardy import load_tardy
from tests.bench.load import publications
from tests.bench.peers.reading import read
from tests.bench.peers.rows import version_row


def test_it_stores_the_same_document() -> None:
    for one in publications(50):
        ours = load_tardy(read_envelope(one.body, None, None, {}))
        plain = version_row(read(one.body), datetime.now(UTC))
        assert json.loads(plain["document"]) == json.loads(ours.document)
