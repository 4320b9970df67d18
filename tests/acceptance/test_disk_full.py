"""A disk is full while tardies flow: under the database the worker waits, under a destination a person must act."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.amqp import Client
from tests.acceptance.arrows import claims_end
from tests.acceptance.faults import (
    UNDER_LOAD,
    Stubborn,
    StubbornCommand,
    account,
    embedded_database,
    end,
    measured,
    start,
    wait_until_back,
    warned,
)
from tests.acceptance.load import Load, continuous_exports, wait_for_files
from tests.acceptance.sis import Collector
from tests.builders import hidden_in, rows_in, save, tardy
from tests.mounts import MountError, fill, filled, own_mounts, small_disk
from tests.processes import Processes, Worker, processes, wait_for
from tests.servers.janitor import Janitor
from tests.servers.postgresql import start_postgresql_on
from worker.store.database import migrate
from worker.store.database.engine import Database

EXPORTS = 4
BURST = 100
AHEAD = 600

Disk = Callable[[str, int], Path]


@pytest.fixture
def disk(janitor: Janitor) -> Iterator[Disk]:
    """Makes a file system of the test's own, for so much and so many files; it is gone at the end."""
    with ExitStack() as stack:

        def make(size: str, files: int) -> Path:
            return stack.enter_context(small_disk(janitor.new_folder("disk"), size, files))

        try:
            stack.enter_context(own_mounts())
        except MountError as error:
            pytest.fail(str(error), pytrace=False)
        yield make


def test_a_full_disk_under_postgresql_is_waited_for(
    disk: Disk,
    janitor: Janitor,
    amqp_url: str,
    home: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """PostgreSQL may even end, where its journal finds no room: then it is started again once there is some."""
    small, report = disk("96m", 4000), list[str]()
    server = start_postgresql_on(janitor, small)
    url = server.create_database()
    database = Database(url)
    migrate.upgrade(database)
    publisher = Stubborn(amqp_url)
    environment = {"BROKER_URL": amqp_url, "DATABASE_URL": url, "WRITEBACK_HOME": str(home)}
    with (
        processes(janitor, tmp_path, environment) as writeback,
        Collector(home / "outbox", tmp_path / "sis") as sis,
    ):
        workers = start(writeback, 1)
        publisher.publish(continuous_exports(EXPORTS), "writeback.commands")
        with Load(publisher.publish, sis, exports=EXPORTS, burst=BURST, ahead=AHEAD) as load:
            wait_for_files(sis, 5)
            with filled(small), measured(workers, "disk full under PostgreSQL", report):
                wait_for(partial(is_hit, workers[0], small, since=warned(workers[0])), "the worker to wait")
            server.start()
            wait_until_back(sis, report)
        claims_end(database)
        wait_for(load.all_collected, "the SIS to have every tardy")
        end(workers, sis, home / "outbox")
    database.close()
    server.stop()
    with capsys.disabled():
        print(account(load.published, sis, report))
    assert sis.rows == Counter(load.published)
    publisher.close()


def is_hit(worker: Worker, small: Path, *, since: int) -> bool:
    """Whether the worker has warned thrice more than `since`; takes what room has become free meanwhile."""
    fill(small)
    return warned(worker) >= since + 3


def test_a_full_disk_under_the_embedded_files_is_waited_for(
    disk: Disk,
    janitor: Janitor,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Publishing is refused in one line, and what was refused is published again."""
    home, folder, report = disk("32m", 100), tmp_path / "outbox", list[str]()
    with (
        processes(janitor, tmp_path, {"WRITEBACK_HOME": str(home)}) as embedded,
        Collector(folder, tmp_path / "sis") as sis,
    ):
        workers = start(embedded, 1)
        publisher = StubbornCommand(embedded, tmp_path)
        publisher.publish(continuous_exports(EXPORTS, str(folder)))
        with Load(publisher.publish, sis, exports=EXPORTS, burst=2 * BURST, ahead=AHEAD) as load:
            wait_for_files(sis, 5)
            with filled(home), measured(workers, "disk full under SQLite", report):
                wait_for(partial(is_hit, workers[0], home, since=warned(workers[0])), "the worker to wait")
                load.allow(4 * BURST)
                wait_for(lambda: publisher.refused, "publishing to be refused")
            wait_until_back(sis, report)
        with embedded_database(home) as database:
            claims_end(database)
        wait_for(load.all_collected, "the SIS to have every tardy")
        end(workers, sis, folder)
    report.append(f"{len(publisher.refused)} times refused to publish")
    with capsys.disabled():
        print(account(load.published, sis, report))
    assert sis.rows == Counter(load.published)
    assert all("disk is full" in line for line in publisher.refused), publisher.refused


def test_a_full_disk_at_the_destination_stops_the_export_until_a_person_has_made_room(
    disk: Disk,
    writeback: Processes,
    client: Client,
    amqp_url: str,
    home: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Its run fails once and says why, tardies go on being buffered, other exports go on; `retry` sends it all."""
    small, report = disk("16m", 2000), list[str]()
    folder = small / "folder"
    workers = start(writeback, 1)
    client.bind_outcomes()
    publisher, other = Stubborn(amqp_url), Client(amqp_url)
    with Collector(folder, small / "sis") as sis:
        publisher.publish([*continuous_exports(EXPORTS, str(folder)), elsewhere()], "writeback.commands")
        with Load(publisher.publish, sis, exports=EXPORTS, burst=BURST, ahead=AHEAD) as load:
            wait_for_files(sis, 5)
            with filled(small), measured(workers, "disk full at the destination", report, UNDER_LOAD):
                wait_for(partial(all_fail, client, small), "every export's run to fail")
                wait_for(lambda: not hidden(folder), "half files to be gone, which follows the outcome")
                other.publish([tardy("elsewhere", school_id="elsewhere")])
                wait_for(lambda: rows_in(home / "outbox"), "the export to another folder to go on")
            files = sis.files
            other.publish([tardy("elsewhere-too", school_id="elsewhere")])
            wait_for(lambda: len(rows_in(home / "outbox")) == 2, "the export to another folder to go on")
            assert sis.files == files, "nothing is sent there before a person has acted"
            assert sorted(failed(client)) == [f"live-{number}" for number in range(EXPORTS)]
            for number in range(EXPORTS):
                assert writeback.run("exports", "retry", f"live-{number}").returncode == 0
            wait_until_back(sis, report)
        wait_for(load.all_collected, "the SIS to have every tardy")
        end(workers, sis, folder)
        assert hidden(folder) == []
    with capsys.disabled():
        print(account(load.published, sis, report))
    assert sis.rows == Counter(load.published)
    assert sorted(rows_in(home / "outbox").values()) == [["elsewhere"], ["elsewhere-too"]]
    publisher.close()
    other.close()


def elsewhere() -> dict[str, Any]:
    """An `export.save` of an export to another folder."""
    [message] = continuous_exports(1)
    return save({**message["data"]["definition"], "export_id": "elsewhere", "schools": ["elsewhere"]})


def all_fail(client: Client, small: Path) -> bool:
    """Whether every export's run has failed; takes what room has become free meanwhile."""
    fill(small)
    return len(failed(client)) == EXPORTS


def failed(client: Client) -> list[str]:
    """The exports whose runs have failed so far, and have said why."""
    outcomes = [outcome["data"] for outcome in client.outcomes("run.failed")]
    assert all("no space is left" in data["error"] for data in outcomes), outcomes
    return [data["export_id"] for data in outcomes]


def hidden(folder: Path) -> list[str]:
    """Temporary files at the destination."""
    return [path.name for path in hidden_in(folder)]
