"""What has been asked of an SIS that takes records, row by row, and what it answered. Fenced by the claim."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import orjson
from sqlalchemy import Connection, RowMapping, and_, case, delete, exists, func, or_, select, update

from worker.core.definition import Definition
from worker.core.record_plans import Before, RecordRow, SoFar
from worker.errors import UnreadableError
from worker.store.catalogue.exports_in_force import load_definition
from worker.store.database.column_types import instant_text
from worker.store.database.recordset import as_parameter
from worker.store.database.statements import columns_of, insert_given, update_given
from worker.store.database.tables import attempts, entries, entry_rows, receipts, runs, tardies
from worker.store.entries.matching import carries_newest
from worker.store.runs.claims import Claim, fenced, lease_end

PAGE = 500
_KEY = ("run_id", "line")
_ENTRY = ("district_id", "tardy_id", "version", "ordinal")
_ASKED = ("step", "deed", "place", "batch", "outcome", "tries", "asked_at", "attempt")
_ANSWERED = (
    "step",
    "deed",
    "outcome",
    "sis_id",
    "sis_version",
    "words",
    "tries",
    "asked_at",
    "answered_at",
)


@dataclass(frozen=True, slots=True)
class EntryRow:
    """A row of the run with the entry it is of, as (district, tardy, version, ordinal)."""

    row: RecordRow
    entry: tuple[str, str, int, int]


@dataclass(frozen=True, slots=True)
class Asking:
    """A row's deed that is about to be asked for, of which SIS. `batch`: the first line of its request."""

    place: str
    row: EntryRow
    step: int
    deed: str
    batch: int


@dataclass(frozen=True, slots=True)
class Answered:
    """What came of a row's deed. `outcome` None: it is done, and another follows as `step`; or, with `taken_back`, it
    has certainly not been asked for after all."""

    line: int
    step: int
    deed: str
    outcome: str | None
    tries: int = 0
    sis_id: str | None = None
    sis_version: str | None = None
    words: str | None = None
    taken_back: bool = False


Pass = Literal["corrections", "adds", "lost"]
"""Rows in this order: what takes a record back or changes its key makes room for another; what was lost goes last, so
that one which breaks the SIS keeps no other waiting."""


def open_rows(
    connection: Connection,
    run: RowMapping,
    pinned: Definition,
    place: str,
    which: Pass,
    *,
    after: int,
    before: datetime,
    limit: int = PAGE,
) -> list[EntryRow]:
    """The run's rows of this pass beyond this line without a final answer, in order; of those lost, what was asked for
    `before` then: what has been lost since is looked at in another attempt."""
    e, r, t = entry_rows.c, receipts.c, tardies.c
    lost = and_(r.asked_at.is_not(None), or_(r.outcome.is_(None), r.outcome == "unknown"))
    fresh = or_(r.run_id.is_(None), and_(r.outcome.is_(None), r.asked_at.is_(None)))
    open_ = {
        "corrections": and_(fresh, e.action != "add"),
        "adds": and_(fresh, e.action == "add"),
        "lost": and_(lost, r.asked_at < before),
    }[which]
    statement = (
        select(
            *(t[name] for name in _ENTRY[:2]),
            *(e[name] for name in (*_ENTRY[2:], "line", "action", "row_values")),
            *(r[name].label(f"r_{name}") for name in (*_ASKED, "sis_id", "sis_version")),
        )
        .join(tardies, t.tardy == e.tardy)
        .outerjoin(receipts, and_(r.run_id == e.run_id, r.line == e.line))
        .where(e.run_id == run["run_id"], e.state == "sealed", e.line > after, open_)
        .order_by(e.line)
        .limit(limit)
    )
    found = list(connection.execute(statement).mappings())
    earlier = delivered_before(
        connection, run["export_id"], place, [row for row in found if row["action"] != "add"]
    )
    return [_entry_row(row, pinned, place, earlier) for row in found]


def _entry_row(
    row: RowMapping, pinned: Definition, place: str, before: Mapping[tuple[Any, ...], Before]
) -> EntryRow:
    entry = (row["district_id"], row["tardy_id"], row["version"], row["ordinal"])
    properties = pinned.properties(orjson.loads(row["row_values"]))
    made = RecordRow(row["line"], row["action"], properties, before.get(entry), _asked(row, place))
    return EntryRow(made, entry)


def _asked(row: RowMapping, place: str) -> SoFar | None:
    if row["r_step"] is None:
        return None
    return SoFar(
        row["r_step"],
        row["r_deed"],
        row["r_batch"],
        row["r_asked_at"] is not None,
        row["r_tries"],
        row["r_sis_id"],
        row["r_sis_version"],
        elsewhere=row["r_place"] != place,
    )


def delivered_before(
    connection: Connection, export_id: str, place: str, rows: Sequence[RowMapping]
) -> dict[tuple[Any, ...], Before]:
    """{entry: what the SIS has of its tardy from earlier}, for corrections and voids."""
    columns = EarlierColumns(connection, export_id)
    found = {}
    for row in rows:
        last = _last_delivered(connection, export_id, place, row)
        if last is not None:
            entry = (row["district_id"], row["tardy_id"], row["version"], row["ordinal"])
            elsewhere = last["place"] != place
            found[entry] = Before(columns.named(last), last["sis_id"], last["sis_version"], elsewhere)
    return found


def _last_delivered(connection: Connection, export_id: str, place: str, row: RowMapping) -> RowMapping | None:
    """What this SIS was given last; only where it was given nothing, what another was."""
    e, r = entries.c, receipts.c
    here = case((r.place == place, 0), else_=1)
    # What an SIS has merely accepted bears a reference, which is not yet the record's id.
    proven_id = case((r.outcome == "done", r.sis_id), else_=None).label("sis_id")
    statement = (
        select(e.row_values, runs.c.revision, proven_id, r.sis_version, r.place)
        .join(runs, runs.c.run_id == e.run_id)
        .outerjoin(receipts, and_(r.run_id == e.run_id, r.line == e.line))
        .where(
            e.export_id == export_id,
            e.district_id == row["district_id"],
            e.tardy_id == row["tardy_id"],
            e.state == "delivered",
        )
        .order_by(here, e.version.desc(), e.ordinal.desc())
        .limit(1)
    )
    return connection.execute(statement).mappings().one_or_none()


class EarlierColumns:
    """The columns of earlier revisions, each read once."""

    def __init__(self, connection: Connection, export_id: str) -> None:
        self._connection = connection
        self._export_id = export_id
        self._known: dict[int, Definition | None] = {}

    def named(self, last: RowMapping) -> Mapping[str, Any]:
        """The delivered row by its properties; {}: they are not known any more."""
        revision = last["revision"]
        if revision not in self._known:
            try:
                self._known[revision] = load_definition(self._connection, self._export_id, revision)
            except UnreadableError:
                self._known[revision] = None
        definition = self._known[revision]
        if definition is None or last["row_values"] is None:
            return {}
        return definition.properties(orjson.loads(last["row_values"]))


def count_open(connection: Connection, run_id: str) -> int:
    """How many of the run's rows have no final answer."""
    e, r = entry_rows.c, receipts.c
    final = exists().where(
        r.run_id == e.run_id, r.line == e.line, r.outcome.is_not(None), r.outcome != "unknown"
    )
    statement = select(func.count()).where(e.run_id == run_id, e.state == "sealed", ~final)
    return int(connection.execute(statement).scalar_one())


def is_anothers(connection: Connection, entry: tuple[str, str, int, int], place: str, sis_id: str) -> bool:
    """Whether the SIS's record of this id is known to be another tardy's."""
    r = receipts.c
    others = (r.place == place, r.sis_id == sis_id, r.district_id == entry[0], r.tardy_id != entry[1])
    live = r.outcome.in_(("done", "accepted"))
    return bool(connection.execute(select(exists().where(*others, live, r.deed != "delete"))).scalar_one())


def count_tries(connection: Connection, claim: Claim) -> None:
    """The answers that this attempt lost count against their rows."""
    r = receipts.c
    lost = (r.run_id == claim.run_id, r.attempt == claim.attempt, r.outcome == "unknown")
    connection.execute(update(receipts).where(*lost).values(tries=r.tries + 1))


def undepart(connection: Connection, claim: Claim) -> None:
    """Nothing of the run has left after all, if no row was asked for: the next attempt seals it anew."""
    r = receipts.c
    told = or_(r.asked_at.is_not(None), r.answered_at.is_not(None), r.step > 0)
    went = exists().where(r.run_id == claim.run_id, told)
    if not connection.execute(select(went)).scalar_one():
        connection.execute(delete(receipts).where(r.run_id == claim.run_id))
        fenced(connection, claim, departed_attempt=None)


def release_outdated(connection: Connection, claim: Claim) -> int:
    """Takes rows out of the run that nobody has asked for and whose tardies have newer versions by now."""
    e, r = entry_rows.c, receipts.c
    asked = exists().where(r.run_id == e.run_id, r.line == e.line)
    outdated = (e.run_id == claim.run_id, e.state == "sealed", ~asked, ~carries_newest())
    superseded = {
        "state": "superseded",
        "reason": "a newer version arrived before it was sent",
        "judged": True,
    }
    nothing = dict.fromkeys(("run_id", "line", "row_values"))
    return connection.execute(update(entry_rows).where(*outdated).values(**superseded, **nothing)).rowcount


def depart(connection: Connection, claim: Claim) -> None:
    """From here on a row may have gone. Raises StaleLeaseError: then none must go."""
    fenced(connection, claim, departed_attempt=claim.attempt, lease_until=lease_end(connection))
    connection.execute(
        update(attempts)
        .where(attempts.c.run_id == claim.run_id, attempts.c.number == claim.attempt)
        .values(phase="departing")
    )


def keep(connection: Connection, claim: Claim) -> None:
    """Renews the lease. Raises StaleLeaseError."""
    fenced(connection, claim, lease_until=lease_end(connection))


def ask(connection: Connection, claim: Claim, asking: Sequence[Asking], now: datetime) -> None:
    """Notes that these deeds are about to be asked for. The caller has renewed the lease in this transaction."""
    rows = [_asked_row(claim, one, now) for one in asking]
    if not rows:
        return
    columns = columns_of(receipts, list(rows[0]))
    statement = insert_given(connection, receipts, columns)
    statement = statement.on_conflict_do_update(
        index_elements=list(_KEY), set_={name: statement.excluded[name] for name in _ASKED}
    )
    connection.execute(statement, {"rows": as_parameter(connection, columns, rows)})


def _asked_row(claim: Claim, one: Asking, now: datetime) -> dict[str, Any]:
    receipt = one.row.row.asked
    return {
        "run_id": claim.run_id,
        "line": one.row.row.line,
        **dict(zip(_ENTRY, one.row.entry, strict=True)),
        "action": one.row.row.action,
        "step": one.step,
        "deed": one.deed,
        "place": one.place,
        "batch": one.batch,
        "outcome": None,
        "tries": 0 if receipt is None or receipt.step != one.step else receipt.tries,
        "asked_at": instant_text(now),
        "attempt": claim.attempt,
    }


def answer(connection: Connection, claim: Claim, answers: Sequence[Answered], now: datetime) -> None:
    """Notes what came of deeds. The caller has renewed the lease in this transaction."""
    rows = [_answered_row(claim, one, now) for one in answers]
    update_given(connection, receipts, _KEY, _ANSWERED, rows)


def _answered_row(claim: Claim, one: Answered, now: datetime) -> dict[str, Any]:
    open_ = one.outcome == "unknown"
    return {
        "run_id": claim.run_id,
        "line": one.line,
        "step": one.step,
        "deed": one.deed,
        "outcome": one.outcome,
        "sis_id": one.sis_id,
        "sis_version": one.sis_version,
        "words": one.words,
        "tries": one.tries,
        "asked_at": instant_text(now) if open_ else None,
        "answered_at": None if one.taken_back else instant_text(now),
    }
