"""A worker stopped by SIGSTOP until others have done its work, then SIGCONT; and workers side by side."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from sqlalchemy import select, text, update

from tests.acceptance.arrow_checks import check
from tests.acceptance.arrows import SMALL_BATCHES, Site, claims_end, time_passes
from tests.acceptance.deaths import die_at
from tests.builders import code, command, definition, hidden_in, save, school, tardy, void
from tests.processes import Processes, Worker, wait_for
from tests.program import SteppedProgram
from tests.servers import RabbitMQ
from worker.failpoints import STOP_VARIABLE, VARIABLE, Arrow
from worker.store.database.engine import Database
from worker.store.database.tables import (
    attempts,
    definitions,
    run_requests,
    runs,
)

TAKEOVER_SECONDS = (
    120.0  # guarantee: what a dead worker had in hand goes on within 60; and a busy machine's leisure
)
SCHEDULED = 12

_STALE = "another worker has taken the run over; nothing was changed"
_CUT_OFF = "the run is left for the next attempt"

_END_SLEEPING_WRITES = text(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
    " AND application_name = 'sleeper' AND state LIKE 'idle in transaction%' AND backend_xid IS NOT NULL"
)


@pytest.mark.parametrize(
    ("arrow", "says"),
    [
        (Arrow.UPLOAD_HALF, _STALE),
        (Arrow.DEPART_COMMITTED, _STALE),
        (Arrow.SETTLE_BEFORE_COMMIT, _CUT_OFF),
    ],
)
def test_a_flusher_that_sleeps_past_its_lease_changes_nothing_when_it_wakes(
    site: Site, arrow: Arrow, says: str
) -> None:
    """Another one delivers meanwhile, and the SIS collects at once."""
    site.processes.start("consumer", **SMALL_BATCHES)
    sleeper = fall_asleep(site, arrow, "flusher")
    end_sleeping_writes(site.database)
    claims_end(site.database)
    taker = taken_over(site, "flusher")
    wake(sleeper, says)
    check(site)
    counted = sum(worker.metric("writeback_rows_total", outcome="delivered") for worker in (sleeper, taker))
    assert counted == sum(len(file.rows) for file in site.sis.collected)
    assert taker.stop() == 0
    site.afternoon()
    assert sleeper.stop() == 0
    assert site.sis.leftovers() == []


def test_a_flusher_that_sleeps_with_locks_in_hand_holds_nobody_up_for_long(site: Site) -> None:
    """It sleeps in the middle of sealing: nothing helps the others but the database, after real waiting."""
    site.processes.start("consumer", **SMALL_BATCHES)
    sleeper = fall_asleep(site, Arrow.SEAL_BEFORE_COMMIT, "flusher")
    since = monotonic()
    taker = taken_over(site, "flusher")
    assert monotonic() - since < TAKEOVER_SECONDS
    wake(sleeper, "tried once more")
    check(site)
    assert taker.stop() == 0
    site.afternoon()
    assert sleeper.stop() == 0


def test_a_consumer_that_sleeps_before_its_commit_changes_nothing_when_it_wakes(
    site: Site, rabbitmq: RabbitMQ, amqp_url: str
) -> None:
    sleeper = fall_asleep(site, Arrow.BATCH_BEFORE_COMMIT, "consumer")
    end_sleeping_writes(site.database)
    hang_up(rabbitmq, urlsplit(amqp_url).path[1:])
    time_passes(site.database)
    taker = taken_over(site)
    wake(sleeper, "not consuming; trying again")
    wait_for(lambda: sleeper.logged("consuming") == 2, "the sleeper to consume again")
    check(site)
    site.afternoon()
    assert [sleeper.stop(), taker.stop()] == [0, 0]


def test_a_dead_workers_run_is_picked_up_within_60_seconds(site: Site) -> None:
    """With real waiting: nobody moves a lease's end here."""
    die_at(site, Arrow.DEPART_COMMITTED, 1)
    died = monotonic()
    worker = site.processes.start()
    assert delivering(site.database)
    wait_for(lambda: not delivering(site.database), "the takeover", TAKEOVER_SECONDS)
    assert monotonic() - died < TAKEOVER_SECONDS
    site.work(worker)
    check(site)


def test_a_definition_that_moves_while_a_flusher_sleeps_does_not_hide_where_its_file_went(
    writeback: Processes, database: Database, postgres_url: str, home: Path
) -> None:
    """It sleeps with the run just claimed, and dies between upload and rename: who takes over has to look at the
    folder that it wrote to."""
    program = SteppedProgram(postgres_url, home, datetime.now(UTC))
    a_run_to_send(program)
    worker = writeback.start(
        "flusher", **{STOP_VARIABLE: Arrow.CLAIM_COMMITTED, VARIABLE: Arrow.DEPART_COMMITTED}
    )
    wait_for(lambda: is_stopped(worker), "the worker to stop")
    program.command(save(definition(destination={"type": "directory", "path": "moved"})))
    os.kill(worker.pid, signal.SIGCONT)
    assert worker.wait() == -signal.SIGKILL
    claims_end(database)
    taker = writeback.start("flusher")
    wait_for(lambda: program.states() == {"delivered": 1}, "the takeover")
    assert taker.stop() == 0
    assert [*program.files().values(), *program.files("moved").values()] == [["t-1,1,"]]
    assert [folder for folder in ("outbox", "moved") if hidden_in(home / folder)] == []
    program.database.close()


def test_a_half_sent_file_is_removed_also_where_nothing_is_left_to_send(
    writeback: Processes, database: Database, postgres_url: str, home: Path
) -> None:
    """The worker dies in mid-upload, and the tardy is voided before another takes over."""
    program = SteppedProgram(postgres_url, home, datetime.now(UTC))
    a_run_to_send(program)
    assert writeback.start("flusher", **{VARIABLE: Arrow.UPLOAD_HALF}).wait() == -signal.SIGKILL
    assert program.leftovers() != []
    program.receive(void())
    claims_end(database)
    taker = writeback.start("flusher")
    wait_for(lambda: [run["state"] for run in program.runs()] == ["empty"], "the takeover")
    assert taker.stop() == 0
    assert (program.files(), program.leftovers()) == ({}, [])
    program.database.close()


def test_restarts_under_one_host_name_leave_nothing_stuck(site: Site) -> None:
    """As Kubernetes does with a pod that dies: what the one before had in hand is not the next one's own."""
    restart_thrice(site)


def test_embedded_restarts_under_one_host_name_leave_nothing_stuck(embedded_site: Site) -> None:
    restart_thrice(embedded_site)


def test_two_schedulers_make_one_run_of_a_due_time(
    writeback: Processes, database: Database, postgres_url: str, home: Path
) -> None:
    race(writeback, SteppedProgram(postgres_url, home, datetime.now(UTC)))


def test_two_embedded_schedulers_make_one_run_of_a_due_time(embedded: Processes, home: Path) -> None:
    url = f"sqlite:///{home / 'writeback.sqlite3'}"
    race(embedded, SteppedProgram(url, home, datetime.now(UTC)))


# sleeping


def fall_asleep(site: Site, arrow: Arrow, *roles: str) -> Worker:
    """A worker that has been stopped at the arrow."""
    variables = {STOP_VARIABLE: str(arrow), "PGAPPNAME": "sleeper"}
    worker = site.processes.start(*roles, **SMALL_BATCHES, **variables)
    wait_for(lambda: is_stopped(worker) or site.goes_on(worker), f"the worker to stop at {arrow}")
    assert is_stopped(worker), worker.log.read_text(errors="replace")[-2000:]
    return worker


def is_stopped(worker: Worker) -> bool:
    """Whether SIGSTOP has stopped it."""
    return Path(f"/proc/{worker.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


def taken_over(site: Site, *roles: str) -> Worker:
    """Another worker that has done everything there was to do, the SIS collecting at once."""
    taker = site.processes.start(*roles)
    with site.sis.collecting_at_once():
        site.work(taker)
    assert taker.alive
    return taker


def wake(sleeper: Worker, says: str) -> None:
    """Lets it go on; returns once its log tells how it found itself late."""
    os.kill(sleeper.pid, signal.SIGCONT)
    wait_for(lambda: sleeper.logged(says), f"the sleeper to say {says!r}")
    assert not [event for event in sleeper.events() if event["level"] == "error"]


def end_sleeping_writes(database: Database) -> None:
    """What PostgreSQL does by itself after 20 s: it ends sessions that sleep in the middle of a write."""
    with database.read() as connection:
        connection.execute(_END_SLEEPING_WRITES)


def hang_up(rabbitmq: RabbitMQ, vhost: str) -> None:
    """What RabbitMQ does by itself after two missed heartbeats: it closes the connection that consumes."""
    path = f"vhosts/{vhost}/connections"
    names = wait_for(
        lambda: [one["name"] for one in rabbitmq.api("GET", path) if _consumes(one)], "its connection", 20
    )
    for name in names:
        rabbitmq.api("DELETE", f"connections/{quote(name, safe='')}")


def _consumes(connection: Mapping[str, Any]) -> bool:
    return "consumer" in str(connection.get("user_provided_name"))


# dying and starting again


def a_run_to_send(program: SteppedProgram) -> None:
    """One tardy for one export, and a run-now that need not wait for consumers."""
    program.command(save(definition()))
    program.receive(tardy())
    program.command(command("export.run_now", {"export_id": "daily"}))
    program.forget_barriers()


def restart_thrice(site: Site) -> None:
    """Three workers die with messages, a claimed run and a file in hand, each after the other; a fourth ends
    it."""
    for arrow in (Arrow.BATCH_COMMITTED, Arrow.CLAIM_COMMITTED, Arrow.DEPART_COMMITTED):
        die_at(site, arrow, 1)
        time_passes(site.database)
    worker = site.processes.start()
    site.work(worker)
    check(site)
    with site.database.read() as connection:
        names = set(connection.execute(select(attempts.c.worker)).scalars())
    assert len(names) >= 3 and len({name.rsplit("-", 2)[0] for name in names}) == 1


def delivering(database: Database) -> list[str]:
    """The runs that somebody works on, or did when it died."""
    with database.read() as connection:
        return list(connection.execute(select(runs.c.run_id).where(runs.c.state == "delivering")).scalars())


# side by side


def race(processes: Processes, program: SteppedProgram) -> None:
    """Two flushers that live already; then the one due time of many exports comes."""
    exports = [f"timed-{number}" for number in range(SCHEDULED)]
    at = f"{datetime.now(UTC) - timedelta(minutes=2):%H:%M}"
    schedule = {"frequency": "daily", "at": [at], "time_zone": "UTC"}
    for export_id in exports:
        destination = {"type": "directory", "path": f"sis/{export_id}"}
        program.command(save(definition(export_id, schedule=schedule, destination=destination)))
    program.receive(code("T"), school(), *(tardy(f"t-{number}") for number in range(5)))
    workers = [processes.start_ready("flusher"), processes.start_ready("flusher")]
    with program.database.write() as connection:
        # What waiting for the time would do: they were saved a while ago and it has come.
        saved = datetime.now(UTC) - timedelta(minutes=30)
        connection.execute(update(definitions).values(schedule_saved_at=saved, next_due_at=datetime.now(UTC)))
    wait_for(lambda: all(program.states(export_id) == {"delivered": 5} for export_id in exports), "every run")
    assert [worker.stop() for worker in workers] == [0, 0]
    for export_id in exports:
        assert [run["state"] for run in program.runs(export_id)] == ["delivered"]
        assert len(program.files(f"sis/{export_id}")) == 1
        assert program.leftovers(f"sis/{export_id}") == []
    with program.database.read() as connection:
        asked = Counter(connection.execute(select(run_requests.c.export_id)).scalars())
    assert asked == Counter(exports)
    assert program.outcome_types()["run.delivered"] == SCHEDULED
    program.database.close()
