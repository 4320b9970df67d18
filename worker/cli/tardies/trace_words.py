"""The sentences that say where a tardy stands in an export, and why."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import RowMapping

from worker.cli.printing.output import when
from worker.core.judging import BY_POLICY, by_hand
from worker.store.queries.tracing import ExportTrace
from worker.views.leaving import leaves, run_stands

_ENDED = ("superseded", "cancelled", "ignored", "dismissed")
_AS = {"add": "", "change": " as a change", "void": " as a void", None: ""}
_SAID = {"release": "released", "dismiss": "dismissed"}


def summary(one: ExportTrace) -> str:
    """One sentence: what became of the tardy in this export, or what it waits for."""
    if not one.entries:
        return f"not in it: {excluded(one)}"
    last = one.entries[-1]
    state = last["state"]
    if state == "delivered":
        at = when(last["settled_at"], _zone(one))
        return f"delivered{_AS[last['action']]} {at} in {last['file_name']}, row {last['line']}"
    if state == "sealed":
        return f"row {last['line']} of run {last['run_id'][:8]}, which is {_run_stands(one)}"
    if state == "refused":
        return _refused(last)
    if state == "collapsed":
        return _collapsed(one, last)
    if state == "not_required":
        return f"not required: {last['reason']}; `writeback codes list` shows who and why"
    if state in _ENDED:
        return f"{state}: {_why_ended(one, last)}"
    if not one.export.active:
        return "the export is deleted: it is not sent"
    if state == "held":
        return f"held: {last['reason']}; {_what_frees(one, last)}"
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


def _id(entry: RowMapping) -> str:
    return f"{entry['export_id']}/{entry['tardy_id']}"


def _refused(entry: RowMapping) -> str:
    why = f"refused by the SIS: {entry['reason'] or 'it did not say why'}"
    return f"{why}; `writeback held release {_id(entry)}` sends it once more, `held dismiss` gives it up"


def _collapsed(one: ExportTrace, entry: RowMapping) -> str:
    if one.behind is None:
        return "collapsed: what went before it does so no longer; it is judged again within a minute"
    return f"{entry['state']}: {entry['reason']}; it goes if that one is voided or dismissed"


def _why_ended(one: ExportTrace, entry: RowMapping) -> str:
    if entry["state"] == "dismissed":
        last = one.decisions[-1] if one.decisions else None
        return f"{last['reason']} ({last['who']})" if last is not None else "by a person"
    return entry["reason"] or "nothing of it is to be sent"


def _what_frees(one: ExportTrace, entry: RowMapping) -> str:
    """What has to happen before a held entry goes."""
    dismiss = f"`writeback held dismiss {_id(entry)}`"
    if entry["reason_code"] == "purged":
        return f"it can only be dismissed: {dismiss}"
    if entry["reason_code"] not in BY_POLICY:
        mapped = " (`writeback codes map` can)" if (entry["reason_code"] or "").startswith("code-") else ""
        return f"it goes by itself once that is put right{mapped}"
    instead = by_hand(entry["action"], tells_action=one.export.definition.tells_action)
    if instead is not None:
        return f"{instead}, then {dismiss}"
    return f"`writeback held release {_id(entry)}` sends it, {dismiss} does not"


def overtaken(newest: int, versions: Sequence[RowMapping]) -> list[int]:
    """The versions that came when a higher one was there already: they had no effect, and none like them will."""
    came = {version["version"]: version["received_at"] for version in versions}
    if newest not in came:
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
