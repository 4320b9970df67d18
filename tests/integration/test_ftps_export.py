"""A definition with an `ftps` destination, from its tardies to the bytes at a real server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.builders import definition, save, tardy
from tests.contract.ftps_site import FtpsSite, options, secret, shared
from tests.integration.delivering import ask, crash_at
from tests.program import SteppedProgram
from worker.failpoints import Arrow


@pytest.fixture
def site() -> Iterator[FtpsSite]:
    with closing(FtpsSite(*shared())) as site:
        yield site


@pytest.mark.parametrize("rename", [True, False])
@pytest.mark.parametrize("dies_at", [None, Arrow.DEPART_COMMITTED, Arrow.RENAME_DONE])
def test_a_run_is_sent_once_byte_by_byte_whoever_dies(
    sqlite_url: str, tmp_path: Path, site: FtpsSite, rename: bool, dies_at: Arrow | None
) -> None:
    server, certificate = shared()
    destination = options(server, certificate, site.path.name, rename=rename)
    program = SteppedProgram(sqlite_url, tmp_path)
    program.begin_process(secret=secret)
    with closing(program.database):
        program.command(save(definition(destination=destination)))
        program.receive(tardy("a", comment="späte Bahn"), tardy("b"))
        ask(program)
        if dies_at is not None:
            crash_at(program, dies_at)
        program.work()
        assert site.names() == {"daily_0001.csv"}
        assert site.read("daily_0001.csv") == "a,1,späte Bahn\nb,1,\n".encode()
        assert program.states() == {"delivered": 2}
        assert [run["state"] for run in program.runs()] == ["delivered"]
