"""What `writeback report` prints."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from datetime import date
from typing import Any

from worker.bootstrap import Program
from worker.cli.printing.output import (
    Column,
    counted,
    emit,
    emit_facts,
    emit_line,
    emit_list,
    emit_table,
    instant,
    spinning,
    when,
)
from worker.cli.report.report_csv import spreadsheet
from worker.cli.report.report_todo import for_a_person, leaves, what_to_do
from worker.core.due import local_date
from worker.store.audit.auditing import snapshot
from worker.store.catalogue.schools import every_zone
from worker.store.database.tables import ENTRY_STATES
from worker.store.queries.day import (
    Account,
    Take,
    exports_to_report,
    report_day,
)
from worker.views.known_runs import require_export

_TOLD_APART = ("delivered", "held")


def show_report(
    program: Program, day: date | None, export_id: str | None, csv_file: str | None, *, as_json: bool
) -> None:
    """Prints each export's account. Raises RefusedError (no such export), WritebackError (the spreadsheet)."""
    with spreadsheet(csv_file) if csv_file is not None else nullcontext() as take:
        accounts = _accounts(program, day, export_id, take)
    if csv_file == "-":
        return
    if as_json:
        emit_list(map(_shape, accounts))
        return
    for number, account in enumerate(accounts):
        if number:
            emit("")
        _print(account)
    if not accounts:
        emit("there is no export")
    if csv_file is not None:
        entries = sum(account.accounted for account in accounts)
        emit("")
        emit(f"{counted(entries, 'entry', 'entries')} in {csv_file}: student data, keep it safe")


def _accounts(program: Program, day: date | None, export_id: str | None, take: Take | None) -> list[Account]:
    """A deleted export is left out where it had nothing that day, unless it was asked for."""
    found = []
    with spinning("report") as say, snapshot(program.database) as connection:
        require_export(connection, export_id)
        zones = every_zone(connection)
        for export in exports_to_report(connection, export_id):
            say(f"report: {export.route.export_id}")
            of_day = day or local_date(program.clock(), export.definition.schedule.time_zone)
            found.append(report_day(connection, export, of_day, zones, take))
    return [one for one in found if one.export.active or not one.is_empty or export_id is not None]


def _state(account: Account) -> str:
    return "paused" if account.export.paused else str(account.export.row["state"])


def _shape(account: Account) -> dict[str, Any]:
    export = account.export
    return {
        "export_id": export.route.export_id,
        "name": export.definition.name,
        "date": account.day.isoformat(),
        "time_zone": export.definition.schedule.time_zone,
        "state": _state(account),
        "matching": account.matching,
        "former": account.former,
        "others": account.others,
        "accounted": account.accounted,
        "adds_up": account.adds_up,
        "states": {state: account.states[state] for state in ENTRY_STATES},
        "delivered": {action: account.delivered[action] for action in ("add", "change", "void")},
        "held": [
            {"reason_code": code, "reason": reason, "count": count, "do": what_to_do(code)}
            for (code, reason), count in account.held.most_common()
        ],
        "runs": list(_run_shapes(account)),
        "to_come": {
            "buffered": account.states["buffered"],
            "in_run": account.states["sealed"],
            "when": leaves(account),
        },
        "for_a_person": list(for_a_person(account)),
        "quiet": account.quiet,
    }


def _run_shapes(account: Account) -> Iterator[dict[str, Any]]:
    for run in account.runs:
        yield {
            "run_id": run["run_id"],
            "state": run["state"],
            "resend_of": run["resend_of"],
            "started_at": instant(run["started_at"]),
            "finished_at": instant(run["finished_at"]),
            "rows": run["rows"],
            "rows_of_day": account.carried[run["resend_of"] or run["run_id"]],
            "file": run["file_name"],
            "sha256": run["sha256"],
        }


def _print(account: Account) -> None:
    export = account.export
    zone = export.definition.schedule.time_zone
    emit_line(f"{export.route.export_id} on {account.day:%A, %Y-%m-%d} ({zone}): {export.definition.name}")
    emit("")
    emit_facts(list(_facts(account)))
    if account.runs:
        emit("")
        emit_table(_RUNS, [_run_line(account, run, zone) for run in account.runs], empty="")
    todo = list(for_a_person(account))
    if todo:
        emit("")
        emit("For a person:")
        for line in todo:
            emit_line(f"- {line}")


def _facts(account: Account) -> Iterator[tuple[str, object]]:
    """The account. States in which nothing is are left out, but for what was delivered."""
    delivered = account.delivered
    verdict = "it adds up" if account.adds_up else "IT DOES NOT ADD UP"
    yield "tardies that match", account.matching
    yield "that once matched", account.former or None
    yield "earlier versions", account.others or None
    kinds = f" ({delivered['add']} added, {delivered['change']} changed, {delivered['void']} voided)"
    yield "delivered", f"{account.states['delivered']}{kinds if delivered.total() else ''}"
    for state in ENTRY_STATES:
        if state not in _TOLD_APART:
            yield _NAMES.get(state, state), account.states[state] or None
    yield "held", account.states["held"] or None
    yield "sum", f"{account.expected} = {account.accounted}: {verdict}"
    if account.states["buffered"] + account.states["sealed"]:
        yield "still to come", leaves(account)
    yield "quiet", "a school day without a single tardy: is it true?" if account.quiet else None


_NAMES = {"sealed": "in a run", "not_required": "not required"}
_RUNS = [
    Column("RUN"),
    Column("STATE"),
    Column("WHEN"),
    Column("ROWS", number=True),
    Column("OF THE DAY", number=True),
    Column("FILE"),
    Column("SHA-256"),
]


def _run_line(account: Account, run: Any, zone: str) -> tuple[object, ...]:
    source = run["resend_of"] or run["run_id"]
    state = f"{run['state']}, once more" if run["resend_of"] else run["state"]
    time = when((run["finished_at"] or run["started_at"]).replace(microsecond=0), zone)
    counts = (run["rows"], account.carried[source])
    return (run["run_id"], state, time, *counts, run["file_name"], run["sha256"])
