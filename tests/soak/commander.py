"""Commands: definitions saved, changed, paused, deleted, run; and the person who retries what has failed."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select

from tests.acceptance.broken_messages import broken_commands
from tests.acceptance.district import CODES, SCHOOLS, UNMAPPED, behavior_code
from tests.builders import command, save
from tests.soak.exports import Export, Revision, churned, first_revision, folder_of, next_revision
from tests.soak.journal import Journal
from tests.soak.plan import Plan, Stage
from tests.soak.publishing import GaveUpError, Insistent
from worker.errors import UnavailableError
from worker.store.database.engine import Database
from worker.store.database.tables import runs

_RETRY_EVERY = 5.0  # seconds
_PAUSES = (0.5, 5.0)  # seconds from pausing or deleting an export to bringing it back
# One is not routed by its type; the others are right here, where exports name every school and `daily` is not.
_UNSUITABLE = ("an event among the commands", "a version lower than the last", "no such school")

# kind → weight
_ACTIONS = {"run by id": 8, "run by school": 3, "save": 6, "pause": 2, "delete": 2, "map": 2, "broken": 2}


class Commander:
    """Sends commands from a thread of its own, one after the other, each confirmed before the next.

    `revisions` holds every revision that was saved, the last one in force; `sent` the ids of all commands,
    with whether each is broken and has to be refused.
    """

    def __init__(
        self,
        plan: Plan,
        stage: Stage,
        journal: Journal,
        exports: Sequence[Export],
        given_up: threading.Event,
    ) -> None:
        self._rng = plan.dice("commands")
        self._between = plan.between_commands
        self._stage = stage
        self._journal = journal
        self._exports = {export.export_id: export for export in exports}
        self._publisher = Insistent(stage.amqp_url, journal, given_up)
        self._database = Database(stage.database_url)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="commander", daemon=True)
        self.revisions: dict[str, list[Revision]] = {}
        self.sent: dict[str, bool] = {}

    def save_all(self) -> None:
        """Saves every definition for the first time."""
        for export_id in self._exports:
            self.revisions[export_id] = [first_revision()]
            self._save(export_id)

    def start(self) -> None:
        self._thread.start()

    def end(self) -> None:
        """Returns once the thread has ended; every export is there and not paused then."""
        self._ended.set()
        self._thread.join()

    def close(self) -> None:
        self._publisher.close()
        self._database.close()

    def run_every_export(self) -> list[str]:
        """A run-now of each export; the commands' ids."""
        return [self._send("export.run_now", {"export_id": export_id}) for export_id in self._exports]

    def retry(self, states: Sequence[str]) -> int:
        """What a person does who sees a run that waits or has failed; how many were asked for again."""
        with self._database.read() as connection:
            wanted = select(runs.c.export_id).where(runs.c.finished_at.is_(None), runs.c.state.in_(states))
            found = list(connection.execute(wanted).scalars())
        for export_id in found:
            self._send("export.retry", {"export_id": export_id})
        return len(found)

    def _run(self) -> None:
        retry_at = 0.0
        try:
            while not self._ended.wait(self._rng.expovariate(1 / self._between)):
                if time.monotonic() > retry_at:
                    self._retry_failed()
                    retry_at = time.monotonic() + _RETRY_EVERY
                self._act()
        except GaveUpError:
            return
        except Exception as error:  # noqa: BLE001  # the soak goes on, its report says so
            self._journal.violation("the commander broke off", repr(error))

    def _retry_failed(self) -> None:
        try:
            self._journal.count("failed runs retried by a person", self.retry(["failed"]))
        except UnavailableError:
            return

    def _act(self) -> None:
        kind = self._rng.choices(list(_ACTIONS), list(_ACTIONS.values()))[0]
        export_id = self._rng.choice(list(self._exports))
        if kind == "run by id":
            self._send("export.run_now", {"export_id": export_id})
        elif kind == "run by school":
            school = self._rng.choice(SCHOOLS)
            self._send("export.run_now", {"school_id": school.school_id, "district_id": school.district})
        elif kind == "save":
            self._change(export_id)
        elif kind == "pause":
            self._send("export.pause", {"export_id": export_id, "reason": "a soak"})
            self._ended.wait(self._rng.uniform(*_PAUSES))
            self._send("export.resume", {"export_id": export_id})
        elif kind == "delete":
            self._send("export.delete", {"export_id": export_id})
            self._ended.wait(self._rng.uniform(*_PAUSES))
            self._change(export_id)
        elif kind == "map":
            self._map()
        else:
            self._send_message(self._broken(), broken=True)

    def _change(self, export_id: str) -> None:
        self.revisions[export_id].append(next_revision(self.revisions[export_id][-1], self._rng))
        self._save(export_id, run_now=self._rng.random() < 0.3)

    def _map(self) -> None:
        """An administrator's word on a code of one school, and its end."""
        school, code = self._rng.choice(SCHOOLS), self._rng.choice(CODES)
        reference = behavior_code(school, code, all_mapped=True)
        if reference is None or (school.district, code) == UNMAPPED:
            return
        place = {
            "district_id": school.district,
            "school_id": school.school_id,
            "code": code,
            "reason": "a soak",
        }
        said = churned(reference, self._rng.randrange(1_000_000))
        self._send("code.map", {**place, "external_reference_code": said})
        self._ended.wait(self._rng.uniform(*_PAUSES))
        self._send("code.unmap", place)

    def _save(self, export_id: str, **data: Any) -> None:
        export, revision = self._exports[export_id], self.revisions[export_id][-1]
        folder = folder_of(export, self._stage.folder, self._stage.disk)
        self._send_message(save(export.document(revision, folder), version=revision.number, **data))

    def _broken(self) -> Mapping[str, Any]:
        found = {what: one for what, one in broken_commands().items() if what not in _UNSUITABLE}
        return self._rng.choice(list(found.values()))

    def _send(self, kind: str, data: Mapping[str, Any]) -> str:
        return self._send_message(command(kind, data))

    def _send_message(self, message: Mapping[str, Any], *, broken: bool = False) -> str:
        self._journal.note(f"command {message['type']} {message['id']} {str(message['data'])[:80]}")
        self._journal.count("commands published")
        # Noted before: whether it is confirmed at once or not, it is published in the end.
        self.sent[message["id"]] = broken
        self._publisher.publish(message, "writeback.commands")
        return str(message["id"])
