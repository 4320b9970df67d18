"""Coming to rest: what was published is buffered, every export is run once more, and then nothing is left to do."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from sqlalchemy import func, select, text

from tests.soak.commander import Commander
from tests.soak.journal import Journal
from tests.soak.plan import Stage
from worker.errors import UnavailableError
from worker.store.database.engine import Database
from worker.store.database.tables import (
    commands,
    entries,
    run_requests,
    runs,
    tardy_versions,
)

_LOOK = 0.5  # seconds between two looks
_RETRY_AFTER = 3.0  # seconds a run may wait before a person has it tried again
_IDLE = text(
    "SELECT (SELECT count(*) FROM run_requests WHERE state = 'pending')"
    " + (SELECT count(*) FROM runs WHERE finished_at IS NULL)"
    " + (SELECT count(*) FROM outbox WHERE published_at IS NULL)"
    " + (SELECT count(*) FROM named_entries WHERE NOT judged AND state IN ('buffered', 'held'))"
)


class Rest:
    """Waits for one thing after the other, each within bounds; what does not come to rest is a violation."""

    def __init__(self, stage: Stage, journal: Journal, patience: float) -> None:
        self._journal = journal
        self._patience = patience
        self._database = Database(stage.database_url)

    def close(self) -> None:
        self._database.close()

    def buffered(self, versions: int) -> bool:
        """Waits until every version is in the database: this many."""
        return self._wait(
            lambda: self._count(tardy_versions) >= versions,
            lambda: f"{self._count(tardy_versions)} of {versions} versions are buffered",
        )

    def answered(self, sent: Sequence[str]) -> bool:
        """Waits until every command has been carried out or refused."""
        wanted = set(sent)

        def missing() -> set[str]:
            with self._database.read() as connection:
                return wanted - set(connection.execute(select(commands.c.command_id)).scalars())

        return self._wait(lambda: not missing(), lambda: f"commands not answered: {sorted(missing())[:5]}")

    def idle(self, commander: Commander) -> bool:
        """Waits until no run is asked for or open and every outcome is told; a person retries what failed."""
        since = retried = time.monotonic()

        def done() -> bool:
            nonlocal retried
            if time.monotonic() - retried > _RETRY_AFTER:
                self._journal.count("runs retried at the end", commander.retry(["failed", "waiting"]))
                retried = time.monotonic()
            with self._database.read() as connection:
                return not connection.execute(_IDLE).scalar_one()

        came = self._wait(done, self._stand)
        self._journal.figures["seconds to come to rest"] += round(time.monotonic() - since)
        return came

    def check_buffer(self) -> None:
        """After the last run of every export nothing is left that could have gone."""
        c = entries.c
        with self._database.read() as connection:
            rows = connection.execute(
                select(c.export_id, c.state, func.count(), func.min(c.tardy_id))
                .where(c.state.in_(("buffered", "sealed")))
                .group_by(c.export_id, c.state)
            ).all()
        for export_id, state, count, example in rows:
            self._journal.violation("left behind", f"{export_id}: {count} {state}, such as tardy {example}")

    def _wait(self, done: Callable[[], bool], stand: Callable[[], str]) -> bool:
        deadline = time.monotonic() + self._patience
        while True:
            try:
                if done():
                    self._journal.note(f"done: {stand()}")
                    return True
            except UnavailableError as error:
                self._journal.note(f"the database does not answer: {error}")
            if time.monotonic() > deadline:
                self._journal.violation(
                    "it does not come to rest", f"after {self._patience:g} s: {self._safely(stand)}"
                )
                return False
            time.sleep(_LOOK)

    def _safely(self, stand: Callable[[], str]) -> str:
        try:
            return stand()
        except UnavailableError as error:
            return str(error)

    def _count(self, table: object) -> int:
        with self._database.read() as connection:
            return int(connection.execute(select(func.count()).select_from(table)).scalar_one())  # type: ignore[arg-type]

    def _stand(self) -> str:
        """How runs, requests and entries stand."""
        with self._database.read() as connection:
            open_runs = connection.execute(
                select(
                    runs.c.export_id, runs.c.state, runs.c.attempts, runs.c.error, runs.c.lease_until
                ).where(runs.c.finished_at.is_(None))
            ).all()
            pending = connection.execute(
                select(run_requests.c.export_id, run_requests.c.trigger, run_requests.c.barrier).where(
                    run_requests.c.state == "pending"
                )
            ).all()
            states = connection.execute(
                select(entries.c.state, entries.c.judged, func.count()).group_by(
                    entries.c.state, entries.c.judged
                )
            ).all()
        return f"open runs {open_runs}; pending {pending}; entries {states}"
