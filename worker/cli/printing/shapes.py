"""How things look in JSON: one place for each, with the names that the outcome messages use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from worker.cli.printing.output import instant

if TYPE_CHECKING:
    from sqlalchemy import RowMapping


def run_shape(run: RowMapping) -> dict[str, Any]:
    """A run, as in the outcome messages, with its state."""
    name = run["file_name"]
    return {
        "run_id": run["run_id"],
        "export_id": run["export_id"],
        "state": run["state"],
        "trigger": run["trigger"],
        "command_id": run["command_id"],
        "resend_of": run["resend_of"],
        "sequence": run["sequence"],
        "rows": run["rows"],
        "refused_rows": run["refused_rows"],
        "held_rows": run["held_rows"],
        "file": {"name": name, "sha256": run["sha256"], "bytes": run["bytes"]} if name else None,
        "attempts": run["attempts"],
        "next_attempt_at": instant(run["next_attempt_at"]),
        "error": run["error"],
        "due_at": instant(run["due_at"]),
        "started_at": instant(run["started_at"]),
        "finished_at": instant(run["finished_at"]),
    }
