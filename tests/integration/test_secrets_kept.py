"""No secret reaches a log, an error, an outcome, a file or the database, whatever goes wrong while it is used."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.builders import definition, tardy
from tests.telltale import ERRORS, PLACES, known, telltale
from tests.unit.cli.workplace import Workplace
from worker.ops.logs import configure_logs

VALUE = "hunter2/not+to be shown"
MEETINGS = [*((error, "upload") for error in ERRORS), *(("destination", place) for place in PLACES)]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Workplace]:
    with known():
        yield Workplace(tmp_path)


def test_what_a_failed_delivery_leaves_behind_names_no_secret(place: Workplace) -> None:
    exports = {
        f"{error}-{at}": definition(
            f"{error}-{at}".replace("_", "-"), destination=telltale(error, at, path=f"{error}-{at}")
        )
        for error, at in dict.fromkeys(MEETINGS)
    }
    place.apply(*exports.values())
    place.receive(tardy())
    for one in exports.values():
        place.ok("exports", "run-now", one["export_id"])
    log = io.StringIO()
    with place.program(WRITEBACK_SECRET_SIS=VALUE) as program:
        configure_logs("json", "debug", log)
        program.work()
        outcomes = json.dumps(program.outcomes())
    assert (
        outcomes.count('"error": "') >= len(exports) - 2
    )  # one left to another worker, one whose check alone fails
    said = [log.getvalue(), outcomes]
    for words in ("exports list", "runs list", "status", "secrets check", "check", "audit", "trace t-1"):
        ended = place.run(*words.split(), "--json", WRITEBACK_SECRET_SIS=VALUE)
        said += [ended.out, ended.err]
    assert "the server does not like ***" in outcomes and "the server does not like ***" in log.getvalue()
    files = [path for path in place.folder.rglob("*") if path.is_file()]
    assert place.database_file in files
    said += [path.read_bytes().decode("latin-1") for path in files]
    for text in said:
        for form in (VALUE, VALUE[:14], "hunter2"):
            assert form not in text
