"""What has to be true when the morning is over, whoever died meanwhile."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping

from sqlalchemy import func, select

from schemas.topology import QUEUE_NAMES
from tests.acceptance.arrows import EXPORTS, Sis, Site, expected_rows
from tests.acceptance.exports import apply_actions
from tests.processes import wait_for
from worker.store.database.tables import (
    entries,
    outbox,
    run_requests,
    runs,
)


def check(site: Site) -> None:
    """Files, receipts, outcomes and parked messages are as after an undisturbed morning."""
    site.sis.collect()
    check_files(site.sis)
    check_entries(site)
    check_runs(site)
    check_commands(site)
    check_queues(site)


def check_files(sis: Sis) -> None:
    """Each row has left once, whichever file it is in; nothing of it lies in the folders any more."""
    for export_id in ("daily", "timed"):
        assert Counter(row for rows in sis.rows(export_id) for row in rows) == expected_rows(), export_id
    there = apply_actions(list(sis.rows("live")))
    assert Counter(there.values()) == expected_rows()
    # Whoever dies between a run's receipt and this last step leaves an empty mark: the next run removes it. One
    # that found itself late in another run may be about to remove what it wrote.
    wait_for(lambda: {path.suffix for path in sis.leftovers()} <= {".mark"}, "half files to be removed")
    assert [path.name for path in sis.leftovers() if path.exists() and path.stat().st_size > 0] == []


def check_entries(site: Site) -> None:
    """As many are delivered as rows have left; the one without a code is held; every other has ended."""
    for export_id in EXPORTS:
        with site.database.read() as connection:
            rows = connection.execute(
                select(entries.c.state, func.count())
                .where(entries.c.export_id == export_id)
                .group_by(entries.c.state)
            )
            states = {row.state: row[1] for row in rows}
        sent = sum(len(rows) for rows in site.sis.rows(export_id))
        assert states.pop("delivered") == sent, export_id
        assert states.pop("held") == 1, export_id
        assert states.keys() <= {"superseded", "cancelled"}, (export_id, states)


def check_runs(site: Site) -> None:
    """Each run is settled once, was asked for once, and is the very file that was collected."""
    with site.database.read() as connection:
        every = connection.execute(select(runs)).mappings().all()
        asked = connection.execute(select(run_requests.c.run_id)).scalars().all()
    assert Counter(asked) == Counter(run["run_id"] for run in every)
    check_outcomes(site, {run["run_id"]: f"run.{run['state']}" for run in every})
    sent = [run for run in every if run["state"] != "empty"]
    assert {run["state"] for run in sent} == {"delivered"}
    files = [(file.export_id, file.name, file.sha256) for file in site.sis.collected]
    assert sorted(files) == sorted((run["export_id"], run["file_name"], run["sha256"]) for run in sent)
    for export_id in EXPORTS:
        numbers = sorted(run["sequence"] for run in sent if run["export_id"] == export_id)
        assert numbers == list(range(1, len(numbers) + 1)), export_id


def check_outcomes(site: Site, ends: Mapping[str, str]) -> None:
    """Each run's end was queued as one outcome, and that was told at least once."""
    with site.database.read() as connection:
        queued = connection.execute(
            select(outbox.c.outcome_id, outbox.c.type, outbox.c.body).distinct()
        ).all()
    of_ends = [one for one in queued if one.type in ("run.delivered", "run.empty")]
    found = [(json.loads(one.body)["data"]["run_id"], one.type) for one in of_ends]
    assert sorted(found) == sorted(ends.items())
    if site.client is not None:
        assert {one.outcome_id for one in of_ends} <= {one["id"] for one in site.told()}


def check_commands(site: Site) -> None:
    """Each command was carried out and answered, perhaps more than once, but always with the same outcome."""
    asked = {message["id"] for message in site.sent_commands}
    answers = [one for one in site.told() if one["type"].startswith("command.")]
    assert {one["type"] for one in answers} == {"command.accepted"}
    found = {(one["id"], one["data"]["command_id"]) for one in answers}
    assert sorted(command_id for _, command_id in found if command_id in asked) == sorted(asked)


def check_queues(site: Site) -> None:
    """Nothing is left in the queues but the broken message, which is parked with its reason."""
    events, commands, _rejected = QUEUE_NAMES
    wait_for(lambda: site.waiting(events) == 0 == site.waiting(commands), "the queues to be empty")
    assert set(parked(site)) == {("invalid", "t-broken")}


def parked(site: Site) -> list[tuple[str, str]]:
    """The parked messages: code and tardy."""
    return [
        (one.code, json.loads(one.body)["data"]["tardy_id"]) for one in site.broker.operator().rejected(100)
    ]
