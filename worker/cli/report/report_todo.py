"""What a day still waits for: by itself, and for a person."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from worker.cli.printing.output import counted, when
from worker.core.remedies import Remedy, remedy
from worker.store.queries.day import Account

_DECIDE = "`writeback held release` sends, `writeback held dismiss` ends it (`writeback held list --entries`)"
_PUT_RIGHT = "put it right in the behavior system, and it goes by itself"
_MAP = "put it right in the behavior system or by `writeback codes map`, and it goes by itself"
_TO_DO: Mapping[Remedy, str] = {"map": _MAP, "put-right": _PUT_RIGHT}


def what_to_do(code: str) -> str:
    """What a person does about entries held for this reason."""
    return _TO_DO.get(remedy(code, None, tells_action=True), _DECIDE)


def leaves(account: Account) -> str | None:
    """When what is buffered or in a run goes; None: nothing is."""
    if not account.states["buffered"] + account.states["sealed"]:
        return None
    export, run = account.export, account.open_run
    parts = [
        f"{counted(account.states[state], 'entry', 'entries')} {name}"
        for state, name in (("sealed", "in a run"), ("buffered", "buffered"))
        if account.states[state]
    ]
    return f"{' and '.join(parts)}: {_moment(account)}" if export.active or run is not None else parts[0]


def _moment(account: Account) -> str:
    export, run = account.export, account.open_run
    zone = export.definition.schedule.time_zone
    if export.paused:
        return "not before the export is resumed"
    if run is not None and run["state"] in ("failed", "guarded"):
        return f"run {run['run_id'][:8]} is {run['state']} and waits for a person"
    if run is not None:
        later = f", tried again {when(run['next_attempt_at'], zone)}" if run["next_attempt_at"] else ""
        return f"run {run['run_id'][:8]} is {run['state']}{later}"
    if export.definition.schedule.frequency == "continuous":
        return f"within about {export.definition.schedule.linger_seconds:g} s"
    due = export.row["next_due_at"]
    if due is None:
        return f"no run is planned; `writeback exports run-now {export.route.export_id}` sends it"
    return f"with the next run, {when(due, zone)}"


def for_a_person(account: Account) -> Iterator[str]:
    """One line for each thing that does not go on by itself."""
    export_id, run = account.export.route.export_id, account.open_run
    if not account.adds_up:
        day = account.day.isoformat()
        yield f"the account does not add up: `writeback audit --export {export_id} --from {day} --to {day}`"
    if account.export.paused:
        row = account.export.row
        yield (
            f"paused by {row['paused_by']} ({row['pause_reason']}): `writeback exports resume {export_id}` when"
            " that is over"
        )
    if run is not None and run["state"] == "failed":
        yield (
            f"run {run['run_id'][:8]} failed: {run['error']}; put that right, then"
            f" `writeback exports retry {export_id}`"
        )
    if run is not None and run["state"] == "guarded":
        yield f"run {run['run_id'][:8]} waits for approval: {run['error']}"
    for (code, reason), count in account.held.most_common():
        yield f"{count} held: {reason}; {what_to_do(code)}"
    if account.states["refused"]:
        yield f"{account.states['refused']} refused by the SIS; {_DECIDE}"
    if account.quiet:
        yield "not a single tardy on a school day: ask the school whether that is true"
