"""The worker's look at the dictionaries of SISs: a code that is gone is told once, and no longer once it is back."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from structlog.testing import capture_logs

from tests.builders import code, definition, save, school, tardy
from tests.contract.sis_sites import WONDE_SESSION, SisSite, told
from tests.integration.delivering import ask
from tests.processes import wait_for
from tests.program import SteppedProgram
from tests.unit.ops.scraping import parse
from worker.ops.metrics import StateGauges
from worker.store.database.tables import actions
from worker.testing.web_server import Fault, Reply
from worker.views.operating.status import how_it_stands, status_shape
from worker.views.operating.status_told import to_see_to

GONE = "the SIS has no attendance code for 'T'"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[SisSite]:
    with closing(SisSite(WONDE_SESSION, tmp_path)) as made:
        yield made


@pytest.fixture
def program(database_url: str, tmp_path: Path, site: SisSite) -> Iterator[SteppedProgram]:
    secrets = {f"WRITEBACK_SECRET_{name.upper().replace('-', '_')}": value for name, value in told().items()}
    environment = {"WRITEBACK_ALLOWED_HOSTS": "127.0.0.0/8", **secrets}
    program = SteppedProgram(database_url, tmp_path, environment=environment)
    with closing(program.database):
        program.receive(school(), code())
        exported(program, "daily", site.options)
        yield program


def exported(program: SteppedProgram, export_id: str, destination: dict[str, Any]) -> None:
    document = definition(export_id, destination=destination, collapse="per_session")
    del document["file"], document["fields"]
    answer = program.command(save(document))
    assert answer is not None and answer.refused is None, answer


def look(program: SteppedProgram) -> list[tuple[str, str]]:
    """Another hour passes and the worker looks; what its log says above debug, and of which export."""
    program.pass_time(hours=1)
    with capture_logs() as logs:
        program.parts.code_watch.once()
    return [(one["log_level"], one["export"]) for one in logs if "export" in one]


def shown(program: SteppedProgram) -> list[str]:
    stands = how_it_stands(program.database, program.parts.broker, program.now)
    lines = [line for line in to_see_to(stands) if "attendance code" in line]
    assert len(status_shape(stands, installation="")["codes_gone"]) == len(lines)
    return lines


def sis_codes_gone(program: SteppedProgram) -> float:
    parts = program.parts
    watch = parts.broker.queue_watch()
    gauges = StateGauges(parts.database, watch, program.clock, parts.instruments, patience=20)
    return parse(gauges.text())["sis_codes_gone", ("daily",)]


def trail(program: SteppedProgram) -> list[str]:
    of_codes = select(actions.c.action).where(actions.c.action.like("codes-%")).order_by(actions.c.action_id)
    with program.database.read() as connection:
        return list(connection.execute(of_codes).scalars())


def test_a_code_that_is_gone_is_told_once_until_it_is_back(program: SteppedProgram, site: SisSite) -> None:
    assert (look(program), shown(program)) == ([], [])
    del site.sis.codes["T"]
    assert look(program) == [("warning", "daily")]
    program.begin_process()  # which keeps nothing of it
    assert look(program) == []
    [line] = shown(program)
    assert sis_codes_gone(program) == 1
    assert line.startswith(f"daily: {GONE}: have it entered there again")
    site.sis.codes["T"] = "code-27"
    assert look(program) == [("info", "daily")]
    assert (look(program), shown(program), trail(program)) == ([], [], ["codes-gone", "codes-back"])
    assert sis_codes_gone(program) == 0


def test_a_definition_that_maps_the_code_to_another_is_told_of_no_more(
    program: SteppedProgram, site: SisSite
) -> None:
    del site.sis.codes["T"]
    look(program)
    assert len(shown(program)) == 1
    program.pass_time(minutes=1)
    exported(program, "daily", {**site.options, "codes": {"T": "code-28"}})
    assert shown(program) == []
    assert (look(program), shown(program), trail(program)) == ([], [], ["codes-gone"])


@pytest.mark.parametrize("trouble", [Fault.BEFORE, Reply(503), Reply(401), Reply.of({"data": []})])
def test_an_sis_that_cannot_be_asked_changes_nothing_and_alarms_nobody(
    program: SteppedProgram, site: SisSite, trouble: Fault | Reply
) -> None:
    del site.sis.codes["T"]
    look(program)
    before = shown(program)
    site.sis.server.fail(trouble)
    assert look(program) == [("info", "daily")]
    assert (shown(program), trail(program)) == (before, ["codes-gone"])


def test_an_sis_that_hangs_keeps_neither_other_exports_nor_its_own_deliveries_waiting(
    program: SteppedProgram, site: SisSite, tmp_path: Path
) -> None:
    with closing(SisSite(WONDE_SESSION, tmp_path)) as other:
        elsewhere = other.sis.url.replace("127.0.0.1", "localhost")  # another server, by its name
        exported(program, "other", other.options | {"domain": elsewhere})
        look(program)
        del other.sis.codes["T"]
        asked = len(site.sis.server.seen)
        site.sis.server.fail(Fault.LATE)
        looking = threading.Thread(target=program.parts.code_watch.once)
        looking.start()
        wait_for(lambda: len(site.sis.server.seen) > asked, "the look at the dictionary")
        wait_for(lambda: len(shown(program)) == 1, "what is found at the other server")
        program.receive(tardy("a"))
        ask(program, "daily")
        program.work()
        assert site.tardies() == 1, "what was known of the dictionary does for the row"
        assert looking.is_alive()
        site.sis.server.release()
        looking.join(60)
        assert not looking.is_alive()
