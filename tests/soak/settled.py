"""The rest of the account: database, queues, outcomes, receipts, folders, and the program's own audit."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import func, select

from schemas.topology import COMMANDS_QUEUE, EVENTS_QUEUE, REJECTED_QUEUE
from tests.acceptance.amqp import Client
from tests.processes import command_line
from tests.soak.exports import Export
from tests.soak.files import collected
from tests.soak.journal import Journal
from tests.soak.load import Certain, fingerprint
from tests.soak.plan import Stage
from tests.warm_starts import ROOT
from worker.store.database.engine import Database
from worker.store.database.tables import entries, runs

_AUDIT_SECONDS = 900.0
_TOLD = {"delivered": "run.delivered", "empty": "run.empty"}


class SettledCheck:
    """Looks once everything has come to rest and no worker runs any more."""

    def __init__(self, stage: Stage, journal: Journal, exports: Sequence[Export]) -> None:
        self._stage = stage
        self._journal = journal
        self._exports = exports
        self._database = Database(stage.database_url)

    def check(self, client: Client, sent: Certain, commands: Mapping[str, bool]) -> None:
        """Everything but the rows themselves. `client` has heard every outcome."""
        self._check_queues(client)
        self._check_parked(client, sent)
        self._check_receipts()
        self._check_outcomes(client.outcomes(), commands)
        self._audit()

    def check_held(self, unwritable: Mapping[str, int]) -> None:
        """Held is what can never be written, and corrections where these wait for a person; nothing else."""
        c = entries.c
        with self._database.read() as connection:
            rows = connection.execute(
                select(c.export_id, c.reason_code, func.count())
                .where(c.state == "held")
                .group_by(c.export_id, c.reason_code)
            ).all()
        found: dict[str, Counter[str]] = {export.export_id: Counter() for export in self._exports}
        for export_id, reason, count in rows:
            found[export_id][reason] += count
        for export in self._exports:
            held = found[export.export_id]
            corrections = held.pop("correction", 0) if export.policy == "hold" else 0
            self._journal.count("corrections held for a person", corrections)
            self._journal.count("tardies held for good (no period at that time)", held.total())
            if held.total() != unwritable[export.export_id]:
                wanted = f"{unwritable[export.export_id]} must be held, {dict(held)} are"
                self._journal.violation("wrongly held", f"{export.export_id}: {wanted}")

    def close(self) -> None:
        self._database.close()

    def _check_queues(self, client: Client) -> None:
        for queue in (EVENTS_QUEUE, COMMANDS_QUEUE):
            if depth := client.depth(queue):
                self._journal.violation("left in a queue", f"{queue}: {depth}")

    def _check_parked(self, client: Client, sent: Certain) -> None:
        """What was broken is parked, once or more often; nothing else is."""
        found: Counter[str] = Counter()
        for properties, body in client.take(REJECTED_QUEUE):
            name, code = fingerprint(body), (properties.headers or {}).get("x-writeback-code")
            found[name] += 1
            if sent.codes.get(name) != code:
                reason = (properties.headers or {}).get("x-writeback-reason")
                self._journal.violation("wrongly parked", f"{code}: {reason}: {body[:300]!r}")
        for name, count in sent.broken.items():
            if found[name] < count:
                self._journal.violation(
                    "a broken message is lost", f"{sent.codes[name]}: {found[name]}/{count}"
                )
        self._journal.count("broken messages parked", sum((found & sent.broken).values()))
        self._journal.count("… parked once more by a repeat", (found - sent.broken).total())

    def _check_receipts(self) -> None:
        """The files collected are the delivered runs' files, byte for byte, each once."""
        c = runs.c
        with self._database.read() as connection:
            told = connection.execute(
                select(c.export_id, c.file_name, c.sha256).where(c.state == "delivered")
            ).all()
            open_runs = connection.execute(
                select(c.export_id, c.state, c.error).where(c.finished_at.is_(None))
            ).all()
        receipts = Counter((row[0], row[1], row[2]) for row in told)
        files = Counter(
            (export.export_id, file.name, hashlib.sha256(file.path.read_bytes()).hexdigest())
            for export in self._exports
            for file in collected(self._stage.collected / export.export_id)
        )
        for row in open_runs:
            self._journal.violation("a run is open", f"{row.export_id}: {row.state}: {row.error}")
        for export_id, name, _ in (receipts - files).elements():
            self._journal.violation("a file is lost", f"{export_id}: {name} has a receipt and never came")
        for export_id, name, _ in (files - receipts).elements():
            self._journal.violation("a file without a receipt", f"{export_id}: {name}")

    def _check_outcomes(self, told: Sequence[Mapping[str, Any]], commands: Mapping[str, bool]) -> None:
        """Every end of a run and every command's answer was told, and never told in two ways."""
        c = runs.c
        with self._database.read() as connection:
            ended = connection.execute(select(c.run_id, c.state).where(c.state.in_(list(_TOLD)))).all()
        ends: dict[str, set[str]] = {}
        answers: dict[str, set[str]] = {}
        for one in told:
            if one["type"] in _TOLD.values():
                ends.setdefault(one["data"]["run_id"], set()).add(one["type"])
            elif one["type"].startswith("command."):
                answers.setdefault(one["data"]["command_id"], set()).add(one["type"])
        self._journal.count("outcomes told", len(told))
        for run_id, state in ended:
            if ends.get(run_id) != {_TOLD[state]}:
                self._journal.violation("an outcome is wrong", f"run {run_id}, {state}: {ends.get(run_id)}")
        for command_id, broken in commands.items():
            answer = answers.get(command_id, set())
            if len(answer) != 1 or (broken and answer != {"command.refused"}):
                self._journal.violation("an answer is wrong", f"command {command_id}: {sorted(answer)}")

    def _audit(self) -> None:
        done = self._run("audit", "--strict", "--json")
        (self._stage.folder / "audit.json").write_text(done.stdout)
        if done.returncode != 0:
            failed = [one for one in _checks(done.stdout) if one["count"]]
            detail = "; ".join(f"{one['check']} ({one['count']}): {one['examples'][:2]}" for one in failed)
            self._journal.violation("the audit fails", detail or done.stderr.strip()[-500:])

    def trace(self, district: str, tardy_id: str) -> str:
        """What the program itself says about a tardy."""
        return self._run("trace", tardy_id, "--district", district).stdout

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command_line(*arguments),
            cwd=ROOT,
            env={**os.environ, **self._stage.environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_AUDIT_SECONDS,
            check=False,
        )


def _checks(output: str) -> list[dict[str, Any]]:
    try:
        found: list[dict[str, Any]] = json.loads(output)["checks"]
    except (ValueError, KeyError):
        return []
    return found
