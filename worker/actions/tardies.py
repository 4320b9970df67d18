"""What a person decides about a tardy: a version of it taken back."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, RowMapping

from schemas.fields.scalars import LARGEST_INTEGER
from schemas.messages.payload import DEFAULT_DISTRICT
from worker.actions.acting import Act
from worker.errors import RefusedError
from worker.store import trail
from worker.store.database.engine import own_catalogue
from worker.store.entries import taking_back
from worker.store.queries.tracing import districts_of
from worker.views.done import TakenBack


@Act
def take_back(
    connection: Connection,
    tardy_id: str,
    version: int,
    *,
    district_id: str | None = None,
    who: str,
    reason: str,
    now: datetime,
) -> TakenBack:
    """Takes a tardy's newest version back, as if it had never come; when it comes once more it changes nothing.

    What came below it counts again, also what came after it. Raises RefusedError where it is not the newest, where
    something of it has gone out, or where the data of the version before it has been purged; then nothing is changed.
    """
    own_catalogue(connection)
    district = _district(connection, tardy_id, district_id)
    taken = _newest(connection, district, tardy_id, version)
    exports = taking_back.hold_exports(connection, district, tardy_id)
    _refuse_gone_out(connection, taken)
    before = taking_back.next_in_force(connection, taken)
    if before is not None and before["document"] is None:
        raise RefusedError(
            f"{_about(taken)} cannot be taken back: version {before['version']} would count again, and its data has"
            f" been purged; {_newer(version)}"
        )
    taking_back.take_version_back(connection, taken, before, exports, who=who, reason=reason, now=now)
    in_district = "" if district == DEFAULT_DISTRICT else f" of district {district}"
    trail.note(connection, "tardy.take-back", who, now, reason=f"{_about(taken)}{in_district}: {reason}")
    concerned = {*exports, *taking_back.hold_exports(connection, district, tardy_id)}
    left = None if before is None else before["version"]
    return TakenBack(district, tardy_id, version, left, tuple(sorted(concerned)))


def _district(connection: Connection, tardy_id: str, wanted: str | None) -> str:
    known = districts_of(connection, tardy_id)
    if wanted is not None and wanted in known:
        return wanted
    if not known or wanted is not None:
        where = f" of district {wanted!r}" if wanted is not None else ""
        raise RefusedError(
            f"no version of a tardy {tardy_id!r}{where} counts; `writeback trace {tardy_id}` shows what is known of it"
        )
    if len(known) > 1:
        raise RefusedError(
            f"tardy {tardy_id!r} is in districts {', '.join(known)}; say which with --district"
        )
    return known[0]


def _newest(connection: Connection, district_id: str, tardy_id: str, version: int) -> RowMapping:
    found = taking_back.version_of(connection, district_id, tardy_id, version)
    newest = taking_back.in_force(connection, district_id, tardy_id)
    if found is None:
        raise RefusedError(f"version {version} of tardy {tardy_id} has not arrived; version {newest} counts")
    if found["taken_back_at"] is not None:
        by = found["taken_back_by"]
        raise RefusedError(f"{_about(found)} has been taken back already, by {by}; version {newest} counts")
    if version != newest:
        raise RefusedError(
            f"{_about(found)} does not count: version {newest} does, and only that can be taken back"
        )
    return found


def _refuse_gone_out(connection: Connection, taken: RowMapping) -> None:
    """Raises RefusedError where the SIS may have heard of the version, or a person has seen to it."""
    entry = taking_back.gone_out(connection, taken)
    if entry is None:
        return
    instead = _newer(taken["version"])
    if entry["state"] == "dismissed":
        instead = f"take that back first: `writeback held undo {entry['export_id']}/{entry['tardy_id']}`"
    if entry["state"] == "sealed":
        instead = f"abandon the run (`writeback runs abandon {entry['run_id'][:8]}`) or {instead}"
    raise RefusedError(f"{_about(taken)} cannot be taken back: {_stands(entry)}; {instead}")


def _stands(entry: RowMapping) -> str:
    export_id = entry["export_id"]
    if entry["sis_waits"] == "unknown":
        return f"the SIS may have it from {export_id}: its answer was lost"
    if entry["sis_waits"] == "half":
        return f"for it {export_id} has taken back in the SIS what was there before"
    return {
        "sealed": f"it is in the open run {(entry['run_id'] or '')[:8]} of {export_id}",
        "delivered": f"{export_id} has delivered it",
        "refused": f"the SIS has refused it from {export_id}",
        "dismissed": f"a person has dismissed it in {export_id}",
    }[entry["state"]]


def _newer(version: int) -> str:
    """What puts a version right that has to stay."""
    if version >= LARGEST_INTEGER:
        return "no version can be higher: correct the tardy in the SIS by hand"
    return f"have a corrected version published, {version + 1} or higher"


def _about(version: RowMapping) -> str:
    return f"version {version['version']} of tardy {version['tardy_id']}"
