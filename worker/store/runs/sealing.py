"""Buffered → sealed: every entry of an export is judged, the ready ones become the lines of a run."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Connection, RowMapping, exists, func, select

from worker.core.compiled_rows import RowBuilder
from worker.core.definition import Definition
from worker.core.judgement.collapse import NO_KEY
from worker.core.judgement.judging import judge
from worker.core.judgement.verdicts import (
    Ends,
    Ready,
    Verdict,
    Waits,
)
from worker.core.references import References
from worker.core.routing import Route
from worker.failpoints import Step, reached
from worker.store.catalogue.exports_in_force import Export
from worker.store.catalogue.references_in_force import ReferenceLoader
from worker.store.database.column_types import instant_text
from worker.store.database.portions import BYTES
from worker.store.database.statements import but_for, update_given
from worker.store.database.tables import IS_UNSEALED, UNSEALED, definitions, entry_rows
from worker.store.entries.collapsing import wake
from worker.store.entries.contest import Contest, freed_keys
from worker.store.entries.evidence import Unsealed, broken
from worker.store.entries.matching import ROW_KEY, EntryKey, of_export
from worker.store.entries.pages import in_open_run, pages

_NOTHING_HELD: Mapping[EntryKey, Waits] = {}
_VERDICT = ("state", "reason_code", "reason", "action", "run_id", "line", "row_values", "settled_at")


@dataclass(frozen=True, slots=True)
class Filling:
    """What judging an export's buffer came to."""

    rows: int
    held: int


@dataclass(frozen=True, slots=True)
class Judged:
    """One entry with its verdict, and what it competes for where the definition collapses."""

    entry: RowMapping
    verdict: Verdict
    key: str | None = None


def fill_run(
    connection: Connection,
    export: Export,
    run_id: str,
    now: datetime,
    held: Mapping[EntryKey, Waits] = _NOTHING_HELD,
    *,
    only_later: bool = False,
) -> Filling:
    """Judges everything unsealed, in file order, and seals what is ready as the run's lines 1, 2, 3 …

    `held`: entries whose verdict is known already; they are not judged. `only_later`: what the SIS had put off, and
    nothing else. The caller shares the catalogue and holds
    the definition's row: where it collapses, two who judge at once could each let one go.
    """
    definition, lines = export.definition, 0
    for page in _judged_pages(
        connection, definition, export.route, lock=True, held=held, only_later=only_later
    ):
        rows = []
        for judged in page:
            sealed = isinstance(judged.verdict, Ready)
            lines += sealed
            rows.append(
                _verdict_row(judged, now, run_id=run_id if sealed else None, line=lines if sealed else None)
            )
        _store_verdicts(connection, definition, page, rows)
    return Filling(lines, count_held(connection, definition.export_id))


def judge_unjudged(connection: Connection, definition: Definition, route: Route, now: datetime) -> int:
    """Judges one page of entries nobody has judged yet (fewer, where they are long), sealing nothing; returns how
    many.

    An entry whose tardy is in an open run waits: whether that run delivers decides what the entry means.
    """
    page = next(_judged_pages(connection, definition, route, lock=True, unjudged=True), [])
    rows = [_verdict_row(judged, now, run_id=None, line=None) for judged in page]
    _store_verdicts(connection, definition, page, rows)
    return len(rows)


def preview_rows(connection: Connection, definition: Definition, route: Route) -> Iterator[Judged]:
    """Judges everything unsealed and changes nothing: where the definition collapses, what has been judged is
    remembered until the end."""
    for page in _judged_pages(connection, definition, route, lock=False):
        yield from page


def exports_with_unjudged(connection: Connection, limit: int, *, besides: Collection[str] = ()) -> list[str]:
    """Active exports that have entries nobody has judged yet; but for these."""
    unjudged = exists().where(
        IS_UNSEALED,
        entry_rows.c.export == definitions.c.export,
        entry_rows.c.state.in_(UNSEALED),
        ~entry_rows.c.judged,
        ~in_open_run(),
    )
    return list(
        connection.execute(
            select(definitions.c.export_id)
            .where(definitions.c.state == "active", unjudged, *but_for(definitions.c.export_id, besides))
            .limit(limit)
        ).scalars()
    )


def count_held(connection: Connection, export_id: str) -> int:
    """How many of the export's entries are held."""
    return int(
        connection.execute(
            select(func.count()).where(of_export(export_id), IS_UNSEALED, entry_rows.c.state == "held")
        ).scalar_one()
    )


def _judged_pages(
    connection: Connection,
    definition: Definition,
    route: Route,
    *,
    lock: bool,
    unjudged: bool = False,
    held: Mapping[EntryKey, Waits] = _NOTHING_HELD,
    only_later: bool = False,
) -> Iterator[list[Judged]]:
    loader, rows = ReferenceLoader(connection, definition.district_id), RowBuilder(definition)
    contest = Contest(connection, definition, stored=lock, goes=not unjudged)
    ready = 0
    for page in pages(connection, definition, lock=lock, unjudged=unjudged, only_later=only_later):
        references = loader.cover(_schools(page))
        contest.take(page, references)
        judged: list[Judged] = []
        weight = 0
        for one in page:
            if definition.row_limit is not None and ready >= definition.row_limit and not unjudged:
                yield judged
                return
            if weight > BYTES:
                yield judged
                judged, weight = [], 0
            known = one.problem or (held.get(one.entry_key) if held else None)
            verdict, key = (
                (known, NO_KEY)
                if known is not None
                else _verdict(definition, route, one, references, contest, ready + 1, rows)
            )
            if isinstance(verdict, Ready):
                ready += 1
                weight += _weight(verdict)
            judged.append(Judged(one.entry, verdict, key))
        yield judged


def _weight(verdict: Ready) -> int:
    return sum(len(value) for value in verdict.values if type(value) is str)


def _verdict(
    definition: Definition,
    route: Route,
    one: Unsealed,
    references: References,
    contest: Contest,
    line: int,
    rows: RowBuilder,
) -> tuple[Verdict, str | None]:
    """The entry's verdict and what it competes for; a defect met over it holds it alone."""
    try:
        reached(Step.ENTRY_JUDGED, one.entry["tardy_id"])
        place = contest.place(one)
        verdict = judge(
            definition,
            route,
            one.candidate,
            references,
            one.delivered,
            line=line,
            behind=place.behind,
            unplaced=place.problem,
            rows=rows,
        )
        return verdict, contest.note(one, place, verdict)
    except Exception as error:  # noqa: BLE001 - the other entries are judged
        return broken(error, one.entry), NO_KEY


def _schools(page: Sequence[Unsealed]) -> set[str]:
    documents = [one.candidate.document for one in page]
    documents += [one.delivered.document for one in page if one.delivered is not None]
    return {document["school_id"] for document in documents if document is not None}


def _verdict_row(judged: Judged, now: datetime, *, run_id: str | None, line: int | None) -> dict[str, Any]:
    entry, verdict = judged.entry, judged.verdict
    row: dict[str, Any] = (
        {name: entry[name] for name in ROW_KEY}
        | dict.fromkeys(_VERDICT)
        | {"judged": True, "collapse_key": judged.key}
    )
    if isinstance(verdict, Waits):
        held = {"state": "held", "reason_code": verdict.code, "reason": verdict.reason}
        return row | held | {"action": verdict.action}
    if isinstance(verdict, Ends):
        return row | {"state": verdict.state, "reason": verdict.reason, "settled_at": instant_text(now)}
    if run_id is None:
        return row | {"state": "buffered"}
    values = orjson.dumps(verdict.values).decode()
    return row | {
        "state": "sealed",
        "action": verdict.action,
        "run_id": run_id,
        "line": line,
        "row_values": values,
    }


def _store_verdicts(
    connection: Connection, definition: Definition, page: Sequence[Judged], rows: Sequence[Mapping[str, Any]]
) -> None:
    collapses = definition.collapse != "none"
    freed = freed_keys(connection, definition, page) if collapses else set()
    values = [*_VERDICT, "judged", *(["collapse_key"] if collapses else [])]
    update_given(connection, entry_rows, ROW_KEY, values, rows)
    wake(connection, definition.export_id, freed)
