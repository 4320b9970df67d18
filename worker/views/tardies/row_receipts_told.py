"""What an SIS that takes records said of a row: one word for it, and where the rest stands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from worker.core.row_outcomes import outcome_of
from worker.views.words import picked, when


def delivered_as(receipt: Mapping[Any, Any]) -> str:
    """How a delivered row's record is named, the end of a sentence."""
    accepted = receipt["outcome"] == "accepted"
    known = f"as the record {receipt['sis_id']}" if receipt["sis_id"] and not accepted else "as a record"
    return "as a record, accepted and not proven" if accepted else known


def receipt_told(receipt: Mapping[Any, Any], zone: str) -> str:
    """A line: the run, what became of the row there and when, the SIS's id; and where the SIS's own words are."""
    outcome = outcome_of(receipt["outcome"], receipt["asked_at"])
    at = when((receipt["answered_at"] or receipt["asked_at"] or receipt["started_at"]), zone)
    named = f", record {receipt['sis_id']}" if receipt["sis_id"] else ""
    run = receipt["run_id"]
    words = f"; the SIS's own words: `writeback runs show {run[:8]} --rows`" if receipt["words"] else ""
    return f"row {receipt['line']} of run {run}: {receipt['deed']}, {outcome} {at}{named}{words}"


def receipt_shape(receipt: Mapping[Any, Any]) -> dict[str, Any]:
    """The same as JSON, without the SIS's own words."""
    outcome = {"outcome": outcome_of(receipt["outcome"], receipt["asked_at"])}
    return (
        picked(receipt, "run_id line deed")
        | outcome
        | picked(receipt, "sis_id sis_version tries asked_at answered_at")
    )
