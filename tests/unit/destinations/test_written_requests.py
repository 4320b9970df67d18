"""Kinds that write their requests down for a preview: what `send` would ask, no secret read, nothing sent."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.builders import NOON, definition
from worker.core.definition import parse_definition
from worker.core.record_rules import Deed
from worker.core.sample import sample_row
from worker.destinations.file_port import FileKind
from worker.destinations.http.paper import WrittenRequest, write_down
from worker.destinations.kinds import DESTINATIONS, chosen
from worker.destinations.record_port import RecordKind, RowDeed
from worker.testing.installations import installation

_CODES = {"T": "3"}  # what the made-up row has, as an id of the SIS's own: nothing has to be looked up


def written(options: Mapping[str, Any], folder: Path) -> WrittenRequest | None:
    kind = chosen(DESTINATIONS[options["type"]], options)
    assert isinstance(kind, RecordKind)
    document = definition(destination=options, fields=list(kind.form(options).fields.default))
    del document["file"]
    parsed = parse_definition(document)
    properties = parsed.properties(sample_row(parsed, NOON))
    return write_down(kind, options, installation(folder), [RowDeed(1, Deed.CREATE, properties, "RUN-1-0")])


def examples(*, on_paper: bool) -> list[Any]:
    found = []
    for name, kind in DESTINATIONS.items():
        for number, example in enumerate([] if isinstance(kind, FileKind) else kind.examples):
            one = chosen(kind, example)
            if isinstance(one, RecordKind) and one.on_paper is on_paper:
                found.append(pytest.param(example, id=f"{name}-{number}"))
    return found


@pytest.mark.parametrize("options", examples(on_paper=True))
def test_its_request_is_written_down_without_a_secret(options: Mapping[str, Any], tmp_path: Path) -> None:
    with_codes = {**options, "codes": _CODES} if "codes" in options else options
    found = written(with_codes, tmp_path)
    assert found is not None and found.method in ("POST", "PUT")
    assert found.url.startswith("https://") and found.body
    assert "Authorization" not in found.headers and "token" not in str(found.headers).lower()


@pytest.mark.parametrize("options", examples(on_paper=False))
def test_a_kind_that_asks_its_sis_first_says_nothing(options: Mapping[str, Any], tmp_path: Path) -> None:
    assert written(options, tmp_path) is None
