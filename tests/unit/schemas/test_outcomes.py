"""Outcomes: what is built is what was promised."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from schemas.messages.envelope import read_envelope
from schemas.messages.outcomes import OUTCOME_TYPES, outcome_envelope, outcome_problems
from schemas.publishing.examples import OUTCOMES
from tests.unit.schemas.builders import GONE, changed

NOW = datetime(2026, 11, 23, 10, 30, tzinfo=timezone(timedelta(hours=-6)))
RUN = OUTCOMES["run.delivered"]


def build(type: str, data: dict[str, Any]) -> dict[str, Any]:
    built: dict[str, Any] = json.loads(outcome_envelope(type, data, outcome_id="o-1", time=NOW))
    return built


@pytest.mark.parametrize("type", OUTCOME_TYPES)
def test_a_built_outcome_is_an_envelope_and_keeps_its_promise(type: str) -> None:
    envelope = read_envelope(outcome_envelope(type, OUTCOMES[type], outcome_id="o-1", time=NOW))
    assert (envelope.id, envelope.source, envelope.type) == ("o-1", "tardy-writeback", type)
    assert envelope.time == NOW
    assert envelope.data == OUTCOMES[type]
    assert outcome_problems(type, OUTCOMES[type]) == []


def test_moments_go_out_in_utc() -> None:
    built = build("run.waiting", {**RUN, "next_attempt_at": NOW, "finished_at": None})
    assert built["time"] == "2026-11-23T16:30:00Z"
    assert built["data"]["next_attempt_at"] == "2026-11-23T16:30:00Z"


def test_what_json_cannot_hold_is_replaced_so_that_no_outcome_is_kept_back() -> None:
    data = {**OUTCOMES["command.refused"], "reason": "no folder \udcff\x00"}
    assert build("command.refused", data)["data"]["reason"] == "no folder \ufffd\ufffd"


@pytest.mark.parametrize(
    ("type", "data"),
    [
        ("run.exploded", RUN),
        ("run.delivered", changed(RUN, "run_id", GONE)),
        ("run.delivered", changed(RUN, "trigger", "moon")),
        ("run.delivered", changed(RUN, "file", "sha256", "x")),
        ("run.delivered", changed(RUN, "started_at", None)),
        ("run.delivered", {**RUN, "student": "x"}),
        ("command.accepted", changed(OUTCOMES["command.accepted"], "export_ids", GONE)),
        ("command.refused", changed(OUTCOMES["command.refused"], "reason", GONE)),
    ],
)
def test_an_outcome_that_breaks_its_promise_is_a_mistake_of_ours(type: str, data: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="not as promised"):
        build(type, data)


def test_a_moment_without_a_zone_is_a_mistake_of_ours() -> None:
    with pytest.raises(ValueError, match="without a zone"):
        outcome_envelope("run.delivered", RUN, outcome_id="o", time=NOW.replace(tzinfo=None))
    assert NOW.astimezone(UTC)
