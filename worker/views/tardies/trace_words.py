"""The sentences that say where a tardy stands, in every export, and why."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlalchemy import RowMapping

from worker.store.queries.tracing import ExportTrace, Trace
from worker.views.leaving import leaves, run_stands
from worker.views.tardies.row_receipts_told import delivered_as, receipt_told
from worker.views.tardies.what_frees import what_frees
from worker.views.words import when

_ENDED = ("superseded", "cancelled", "ignored", "dismissed")
_AS = {"add": "", "change": " as a change", "void": " as a void", None: ""}
_SAID = {"release": "released", "dismiss": "dismissed", "undo": "dismissal taken back"}


def summary(one: ExportTrace) -> str:
    """One sentence: what became of the tardy in this export, or what it waits for."""
    if not one.entries:
        return f"not in it: {excluded(one)}"
    last = one.entries[-1]
    state = last["state"]
    if state == "delivered":
        at = when(last["settled_at"], _zone(one))
        return f"delivered{_AS[last['action']]} {at} {_where(one, last)}"
    if state == "sealed":
        return f"row {last['line']} of run {last['run_id'][:8]}, which is {_run_stands(one)}"
    if state == "refused":
        return f"refused by the SIS: {last['reason'] or 'it did not say why'}; {_frees(one, last)}"
    if state == "collapsed":
        return _collapsed(one, last)
    if state == "not_required":
        return f"not required: {last['reason']}; `writeback codes list` shows who and why"
    if state in _ENDED:
        return f"{state}: {_why_ended(one, last)}"
    if not one.export.active:
        return "the export is deleted: it is not sent"
    if state == "held":
        return f"held: {last['reason']}; {_frees(one, last)}"
    going = " by a person's release" if last["released"] else ""
    return f"buffered{going}; {leaves(one.export, one.open_run, run_asked_for=one.run_asked_for)}"


def excluded(one: ExportTrace) -> str:
    """Why the export has no entry of the tardy."""
    return {
        "schools": "its school is not one of the definition's schools",
        "codes": "its behavior code is not one of the definition's codes",
        "backfill_from": f"it happened before the definition's first day, {one.export.route.backfill_from}",
        "voided": "it was voided before the definition had it",
        "retired": "the definition is deleted",
        None: "the definition matches it; saving the definition again takes it in",
    }[one.excluded_by]


def decided(decision: RowMapping, zone: str) -> str:
    """What a person decided: when, who, why, and what it was held or refused for."""
    said, at = _SAID[decision["decision"]], when(decision["at"], zone)
    was = f" (it waited because: {decision['was']})" if decision["was"] else ""
    return f"{said} {at} by {decision['who']}: {decision['reason']}{was}"


def _zone(one: ExportTrace) -> str:
    return one.export.definition.schedule.time_zone


def _run_stands(one: ExportTrace) -> str:
    return "ending" if one.open_run is None else run_stands(one.open_run, _zone(one))


def _where(one: ExportTrace, entry: RowMapping) -> str:
    """Where the SIS has it: in a file, or as a record."""
    receipt = next((it for it in one.receipts_of(entry) if it["run_id"] == entry["run_id"]), None)
    if receipt is None:
        return f"in {entry['file_name']}, row {entry['line']}"
    return delivered_as(receipt)


def _frees(one: ExportTrace, entry: RowMapping) -> str:
    return what_frees(entry, tells_action=one.export.definition.tells_action)


def _collapsed(one: ExportTrace, entry: RowMapping) -> str:
    if one.behind is None:
        return "collapsed: what went before it does so no longer; it is judged again within a minute"
    return f"{entry['state']}: {entry['reason']}; it goes if that one is voided or dismissed"


def _why_ended(one: ExportTrace, entry: RowMapping) -> str:
    if entry["state"] == "dismissed":
        last = one.decisions[-1] if one.decisions else None
        return f"{last['reason']} ({last['who']})" if last is not None else "by a person"
    return entry["reason"] or "nothing of it is to be sent"


def overtaken(newest: int | None, versions: Sequence[RowMapping]) -> list[int]:
    """The versions that came when a higher one was there already: they had no effect, and none like them will."""
    came = {version["version"]: version["received_at"] for version in versions}
    if newest is None or newest not in came:
        return []
    return sorted(version for version, at in came.items() if version < newest and at > came[newest])


def overtaken_text(newest: int, late: Sequence[int]) -> str:
    """What that means for whoever publishes the tardy."""
    names = ", ".join(map(str, late[:5])) + (f" and {len(late) - 5} more" if len(late) > 5 else "")
    return (
        f"version {newest} was there before {names} came: the highest wins, so they had no effect; "
        f"only a version above {newest} will change this tardy, unless `writeback tardies take-back` ends that one"
    )


def taken_back(version: RowMapping, zone: str) -> str:
    """Who took the version back, when and why; nothing where nobody has."""
    if version["taken_back_at"] is None:
        return ""
    at = when(version["taken_back_at"], zone)
    return f"; taken back {at} by {version['taken_back_by']}: {version['take_back_reason']}"


def facts(found: Trace) -> list[tuple[str, object]]:
    """What the tardy is: name and value."""
    head = found.head
    version = f"version {head['version']}" if head["version"] is not None else "no version counts"
    voided = ", voided" if head["voided"] else ""
    unknown = "" if found.zone is not None else " (not known: no school.saved has arrived)"
    return [
        ("tardy", f"{head['tardy_id']}, {version}{voided}"),
        ("district", head["district_id"]),
        ("school", f"{head['school_id']}{unknown}"),
        ("code", head["behavior_code"]),
        ("occurred", when(head["occurred_at"], _school_zone(found))),
    ]


def arrivals(found: Trace) -> Iterator[str]:
    """How each of its versions arrived, and which had no effect."""
    zone, newest = _school_zone(found), found.head["version"]
    for one in found.versions:
        message = f"; message {one['message_id']} from {one['source']}" if one["message_id"] else ""
        at = when(one["received_at"], zone)
        yield f"version {one['version']}: {one['type']}, received {at}{message}{taken_back(one, zone)}"
    if late := overtaken(newest, found.versions):
        yield overtaken_text(newest, late)


def _school_zone(found: Trace) -> str:
    return found.zone.key if found.zone is not None else "UTC"


def outside(found: Trace) -> Iterator[str]:
    """The exports that have nothing of it, those that leave it out for the same reason together."""
    if found.head["version"] is None:
        yield "no version of it counts: the next that comes is its first"
    elif not found.exports:
        yield "its district has no export at all"
    reasons: dict[str, list[str]] = {}
    for one in found.exports:
        if not one.entries:
            reasons.setdefault(excluded(one), []).append(one.export.row["export_id"])
    for reason, names in reasons.items():
        yield f"not in {', '.join(names)}: {reason}"


def steps(one: ExportTrace) -> Iterator[tuple[str, list[str]]]:
    """Each of its entries in the export: what became of it, and below that its receipt and what persons decided."""
    for entry in one.entries:
        place = (entry["version"], entry["ordinal"])
        said = [
            decided(decision, _zone(one))
            for decision in one.decisions
            if (decision["version"], decision["ordinal"]) == place
        ]
        yield _step(entry, _zone(one), last=entry is one.entries[-1]), [*_receipt(one, entry), *said]


def _step(entry: RowMapping, zone: str, *, last: bool) -> str:
    """One entry's line; what the summary has said of the last one is not said again."""
    again = f" (entry {entry['ordinal'] + 1})" if entry["ordinal"] else ""
    action = f" as {entry['action']}" if entry["action"] and entry["state"] != "held" else ""
    ended = entry["settled_at"]
    at = f" {when(ended, zone)}" if ended else f" since {when(entry['buffered_at'], zone)}"
    reason = f": {entry['reason']}" if entry["reason"] and not last else ""
    return f"version {entry['version']}{again}: {entry['state']}{action}{at}{reason}"


def _receipt(one: ExportTrace, entry: RowMapping) -> Iterator[str]:
    """What the SIS said of it, run by run; of a file's row, where it stands."""
    told = one.receipts_of(entry)
    for receipt in told:
        yield receipt_told(receipt, _zone(one))
    if entry["run_id"] is None or told:
        return
    file = f" of {entry['file_name']}" if entry["file_name"] is not None else ""
    yield f"row {entry['line']}{file}, run {entry['run_id']}"
    if entry["sha256"] is not None:
        yield f"sha256 {entry['sha256']}"
    for run_id in one.resent_by.get(entry["run_id"], ()):
        yield f"the file was sent once more by run {run_id}"
