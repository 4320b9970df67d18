"""A day as an administrator signs it off: each export's account, what is still to come, and what is for a person."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from typing import Any

from sqlalchemy import RowMapping

from worker.core.due import local_date
from worker.core.judgement.remedies import Remedy, in_sis, remedy
from worker.core.row_outcomes import ROW_OUTCOMES
from worker.store.audit.auditing import snapshot
from worker.store.catalogue.schools import every_zone
from worker.store.database.engine import Database
from worker.store.database.tables import ENTRY_STATES
from worker.store.queries.day import Account as Account
from worker.store.queries.day import Take, exports_to_report, report_day
from worker.views.exports.known_exports import require_export
from worker.views.leaving import sent_as
from worker.views.leaving import what_to_do as freed_by
from worker.views.missed_collections_told import missed_shape, missed_told
from worker.views.words import counted, instant, when

_TOLD_APART = ("delivered", "held")
_NAMES = {"sealed": "in a run", "not_required": "not required"}
_DECIDE = "`writeback held release` sends, `writeback held dismiss` ends it (`writeback held list --entries`)"
_PUT_RIGHT = "put it right in the behavior system, and it goes by itself"
_MAP = "put it right in the behavior system or by `writeback codes map`, and it goes by itself"
_DISMISS = "`writeback held dismiss` ends it (`writeback held list --entries`)"
_TO_DO: Mapping[Remedy, str] = {"map": _MAP, "put-right": _PUT_RIGHT, "by-hand": _DISMISS}


def day_report(
    database: Database,
    day: date | None,
    export_id: str | None,
    now: datetime,
    *,
    take: Take | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> list[Account]:
    """Each export's account of the local day (None: today, in the export's zone), or that of one.

    A deleted export is left out where it had nothing that day, unless it was asked for. `take` is given each entry;
    `tell` what is looked at. Raises RefusedError: there is no such export; UnavailableError.
    """
    found = []
    with snapshot(database) as connection:
        require_export(connection, export_id)
        zones = every_zone(connection)
        for export in exports_to_report(connection, export_id):
            tell(f"report: {export.route.export_id}")
            of_day = day or local_date(now, export.definition.schedule.time_zone)
            found.append(report_day(connection, export, of_day, zones, take))
    return [one for one in found if one.export.active or not one.is_empty or export_id is not None]


def _zone(account: Account) -> str:
    return account.export.definition.schedule.time_zone


def account_title(account: Account) -> str:
    """Whose account it is, and of which day."""
    export = account.export
    return (
        f"{export.route.export_id} on {account.day:%A, %Y-%m-%d} ({_zone(account)}): {export.definition.name}"
    )


def account_facts(account: Account) -> Iterator[tuple[str, object]]:
    """The account, by name. States in which nothing is are None, but for what was delivered."""
    delivered = account.delivered
    verdict = "it adds up" if account.adds_up else "IT DOES NOT ADD UP"
    yield "tardies that match", account.matching
    yield "that once matched", account.former or None
    yield "earlier versions", account.others or None
    kinds = f" ({delivered['add']} added, {delivered['change']} changed, {delivered['void']} voided)"
    yield "delivered", f"{account.states['delivered']}{kinds if delivered.total() else ''}"
    yield "accepted", _accepted(account.answers["accepted"])
    for state in ENTRY_STATES:
        if state not in _TOLD_APART:
            yield _NAMES.get(state, state), account.states[state] or None
    yield "held", account.states["held"] or None
    yield "unknown", _unknown(account.answers["unknown"])
    yield "sum", f"{account.expected} = {account.accounted}: {verdict}"
    yield "still to come", still_to_come(account)
    yield "quiet", "a school day without a single tardy: is it true?" if account.quiet else None


def _accepted(count: int) -> str | None:
    return f"{count} of these: the SIS has taken them, and nothing proves more" if count else None


def _unknown(count: int) -> str | None:
    return f"{count} of all: the answer of the SIS was lost" if count else None


def run_told(account: Account, run: RowMapping) -> tuple[object, ...]:
    """A run that carried any of it: its id, state, when, rows, rows of the day, file and SHA-256."""
    state = f"{run['state']}, once more" if run["resend_of"] else run["state"]
    at = when((run["finished_at"] or run["started_at"]).replace(microsecond=0), _zone(account))
    return (run["run_id"], state, at, run["rows"], _carried(account, run), sent_as(run), run["sha256"])


def _carried(account: Account, run: RowMapping) -> int:
    """How many entries of the day it carried, or the run that it sends once more."""
    return account.carried[run["resend_of"] or run["run_id"]]


def what_to_do(code: str) -> str:
    """What a person does about entries held for this reason."""
    if code == "sis-later":
        return "it is asked for again by itself"
    decided = _TO_DO.get(remedy(code, None, tells_action=True), _DECIDE)
    first = in_sis(code, None, tells_action=True)
    return decided if first is None else f"{first}, then {decided}"


def still_to_come(account: Account) -> str | None:
    """When what is buffered or in a run goes; None: nothing is."""
    parts = [
        f"{counted(account.states[state], 'entry', 'entries')} {name}"
        for state, name in (("sealed", "in a run"), ("buffered", "buffered"))
        if account.states[state]
    ]
    if not parts:
        return None
    goes = account.export.active or account.open_run is not None
    return f"{' and '.join(parts)}: {_moment(account)}" if goes else parts[0]


def _moment(account: Account) -> str:
    export, run = account.export, account.open_run
    schedule = export.definition.schedule
    if export.paused:
        return "not before the export is resumed"
    if run is not None and run["state"] in ("failed", "guarded"):
        return f"run {run['run_id'][:8]} is {run['state']} and waits for a person"
    if run is not None:
        later = (
            f", tried again {when(run['next_attempt_at'], _zone(account))}" if run["next_attempt_at"] else ""
        )
        return f"run {run['run_id'][:8]} is {run['state']}{later}"
    if schedule.frequency == "continuous":
        return f"within about {schedule.linger_seconds:g} s"
    due = export.row["next_due_at"]
    if due is None:
        return f"no run is planned; `writeback exports run-now {export.route.export_id}` sends it"
    return f"with the next run, {when(due, _zone(account))}"


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
        what = freed_by(run["state"], export_id, paused=account.export.paused)
        yield f"run {run['run_id'][:8]} failed: {run['error']}{what}"
    if run is not None and run["state"] == "guarded":
        yield f"run {run['run_id'][:8]} waits for approval: {run['error']}"
    for (code, reason), count in account.held.most_common():
        yield f"{count} held: {reason}; {what_to_do(code)}"
    if account.states["refused"]:
        yield f"{account.states['refused']} refused by the SIS; {_DECIDE}"
    yield from map(missed_told, account.missed)
    if account.quiet:
        yield "not a single tardy on a school day: ask the school whether that is true"


def account_shape(account: Account) -> dict[str, Any]:
    """An export's day as JSON."""
    export = account.export
    return {
        "export_id": export.route.export_id,
        "name": export.definition.name,
        "date": account.day.isoformat(),
        "time_zone": _zone(account),
        "state": "paused" if export.paused else str(export.row["state"]),
        "matching": account.matching,
        "former": account.former,
        "others": account.others,
        "accounted": account.accounted,
        "adds_up": account.adds_up,
        "states": {state: account.states[state] for state in ENTRY_STATES},
        "delivered": {action: account.delivered[action] for action in ("add", "change", "void")},
        "answers": {name: account.answers[name] for name in ROW_OUTCOMES if account.answers[name]},
        "held": [
            {"reason_code": code, "reason": reason, "count": count, "do": what_to_do(code)}
            for (code, reason), count in account.held.most_common()
        ],
        "runs": [_carrier_shape(account, run) for run in account.runs],
        "to_come": {
            "buffered": account.states["buffered"],
            "in_run": account.states["sealed"],
            "when": still_to_come(account),
        },
        "for_a_person": list(for_a_person(account)),
        "quiet": account.quiet,
        "missed_collections": [missed_shape(one) for one in account.missed],
    }


def _carrier_shape(account: Account, run: RowMapping) -> dict[str, Any]:
    return {
        "run_id": run["run_id"],
        "state": run["state"],
        "resend_of": run["resend_of"],
        "started_at": instant(run["started_at"]),
        "finished_at": instant(run["finished_at"]),
        "rows": run["rows"],
        "rows_of_day": _carried(account, run),
        "file": run["file_name"],
        "sha256": run["sha256"],
    }
