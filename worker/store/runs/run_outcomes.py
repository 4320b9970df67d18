"""What is told of a run: its outcome, as the contract has it, into the outbox."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from worker.store.outcome_rows import CommandKey, tell
from worker.store.runs.run_rows import get


def tell_of_run(connection: Connection, run_id: str, kind: str, now: datetime) -> None:
    """Queues an outcome that tells how the run stands."""
    run = get(connection, run_id)
    assert run is not None
    has_file = run["sha256"] is not None
    data = {
        "run_id": run_id,
        "export_id": run["export_id"],
        "trigger": run["trigger"],
        "command_id": run["command_id"],
        "sequence": run["sequence"],
        "rows": run["rows"],
        "refused_rows": run["refused_rows"],
        "held_rows": run["held_rows"],
        "file": {"name": run["file_name"], "sha256": run["sha256"], "bytes": run["bytes"]}
        if has_file
        else None,
        "attempts": run["attempts"],
        "next_attempt_at": _text(run["next_attempt_at"]),
        "error": run["error"],
        "started_at": _text(run["started_at"]),
        "finished_at": _text(run["finished_at"]),
    }
    command = CommandKey(run["command_source"], run["command_id"]) if run["command_id"] is not None else None
    tell(connection, kind, data, now, command)


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat().replace("+00:00", "Z")
