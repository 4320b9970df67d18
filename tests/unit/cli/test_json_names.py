"""The JSON of exports, reports, audits, status and reference data has the names that programs read, in their order."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.builders import bell_schedule, definition, school_day, tardy
from tests.unit.cli.test_messages import parked
from tests.unit.cli.workplace import Workplace

EXPORT = (
    "export_id district_id name state paused frequency time_zone destination revision next_run_at last_delivered_at"
    " open_run_id open_run_state error collected_at missed_collection"
)
CODE = "district_id code school_id external_reference_code never_send"
MAPPED = f"{CODE} mapped changed judged_again exports"
PARKED = "parked_id code queue reason bytes content_type sender"
VERSION = "version received_at"
NAMES = {
    "exports list": EXPORT,
    "exports show daily": f"{EXPORT} backfill_from pause entries revisions actions what_happens definition",
    "exports preview daily": "export_id file rows actions rows_shown held not_to_be_sent paused open_run"
    " columns content sample",
    "exports explain daily -": "export_id revision district_id tardy_id version goes state action reason_code reason"
    " leaves in_sis next_run_at clauses columns",
    "exports history daily": "revision saved_at saved_by reason changes",
    "exports diff daily --revision 1": "path change before after",
    "exports restore daily 1": "export_id result revision warnings",
    "exports restore daily 1 --dry-run": "export_id result revision changes cancels adds goes held",
    "exports run-now daily": "export_id command_id",
    "report --date 2026-10-06": "export_id name date time_zone state matching former others accounted adds_up states"
    " delivered answers held runs to_come for_a_person quiet missed_collections",
    "audit": "ok exports files checks days",
    "status": "installation workers queues broker_error database_error parked run_nows buffered held sealed refused"
    " not_required oldest_buffered_at events_in_hand unpublished_outcomes aside quiet_days codes_gone"
    " missed_collections exports senders_named",
    "codes list": f"{CODE} lacks_reference source published mapping waiting not_required tardies exports",
    "codes list --history": f"{CODE} mapped_at mapped_by reason ended_at ended_by end_reason",
    "codes map TARDY L --reason why": MAPPED,
    "codes unmap LATE --reason why": MAPPED,
    "schools list": "district_id school_id source name time_zone sis_school_id school_year_starts"
    f" {VERSION} waiting tardies exports",
    "bells list": "district_id school_id bell_schedule_id source name default weekdays dates grades effective_from"
    f" effective_until periods lacks_reference {VERSION} waiting",
    "days list": f"district_id school_id date in_session source {VERSION}",
    "rejected list": PARKED,
    "layouts list": "name title takes sure",
    "layouts show generic-daily": "name title takes sure sure_means grounds setup supply requires blanks definition"
    " destination_example",
}
NESTED = {
    ("report --date 2026-10-06", "to_come"): "buffered in_run when",
    (
        "report --date 2026-10-06",
        "runs",
    ): "run_id state resend_of started_at finished_at rows rows_of_day file sha256",
    ("audit", "files"): "verified purged wrong resends rows",
    ("audit", "checks"): "check means warning count examples",
    ("audit", "days"): "export_id day matching former others states adds_up",
    ("status", "workers"): "consumers flushers last_heard_of_at",
    ("status", "queues"): "queue ready unacknowledged consumers",
    ("status", "exports"): "export_id district_id state frequency buffered held sealed refused not_required"
    " oldest_buffered_at next_run_at last_delivered_at pause open_run",
    ("exports explain daily -", "clauses"): "clause passes detail",
    ("exports explain daily -", "columns"): "header field value problem",
}


def named(found: Any) -> str:
    return " ".join(found[0] if isinstance(found, list) else found)


@pytest.fixture
def lived_in(place: Workplace) -> Workplace:
    """A tardy that was delivered, one that waits, a mapping, two revisions, and a message that was parked."""
    place.apply(definition())
    place.receive(tardy("t-1"), bell_schedule(), school_day("2026-11-26", False))
    place.ok("exports", "run-now", "daily")
    place.work()
    place.apply(definition(name="Another"))
    place.receive(tardy("t-2"))
    place.ok("codes", "map", "LATE", "L", "--reason", "why")
    parked(place, b"{}")
    return place


def test_every_command_that_shows_or_acts_names_what_programs_read_in_order(
    lived_in: Workplace, subtests: pytest.Subtests
) -> None:
    whole: dict[str, Any] = {}
    for command, names in NAMES.items():
        with subtests.test(command):
            stdin = json.dumps(tardy("t-3")) if "explain" in command else ""
            whole[command] = lived_in.ok(*command.split(), "--json", stdin=stdin).json
            assert named(whole[command]) == names
    for (command, name), names in NESTED.items():
        with subtests.test(f"{command}: {name}"):
            found = whole[command]
            assert named((found[0] if isinstance(found, list) else found)[name]) == names
    [one] = lived_in.ok("rejected", "list", "--json").json
    assert named(lived_in.ok("rejected", "show", one["parked_id"], "--json").json) == (
        f"{PARKED} headers body body_base64"
    )
