"""Who goes before whom while an export that collapses is judged, page by page."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

import orjson
from sqlalchemy import Connection, RowMapping, select

from schemas.fields.times import stored_instant
from worker.core.definition import Definition
from worker.core.judgement.collapse import (
    NO_KEY,
    Rival,
    collapse_key,
    goes_before,
)
from worker.core.judgement.judging import tardy_of
from worker.core.judgement.verdicts import (
    Ends,
    Ready,
    Verdict,
    Waits,
)
from worker.core.references import References
from worker.core.rows import Tardy, Unwritable
from worker.errors import UnreadableError
from worker.store.catalogue.exports_in_force import view_export
from worker.store.catalogue.references_in_force import ReferenceLoader
from worker.store.database.statements import update_given
from worker.store.database.tables import entry_rows, tardies
from worker.store.entries.collapsing import RowPlace, delivered_of, delivered_page, known_keys, rivals_of
from worker.store.entries.evidence import Unsealed, broken
from worker.store.entries.matching import ROW_KEY, EntryKey, active_in

_RECENT = timedelta(
    days=14
)  # so long a bell schedule or a time zone that comes late puts right what was sent
_CHUNK = 200  # documents in hand at a time: long ones may come to 50 MB


@dataclass(frozen=True, slots=True)
class Standing:
    """What an entry competes for, the tardy that goes before it, or why that can't be told."""

    key: str | None = None
    behind: str | None = None
    problem: Waits | None = None


_ALONE = Standing()


class _Judged(Protocol):
    @property
    def entry(self) -> RowMapping: ...
    @property
    def verdict(self) -> Verdict: ...
    @property
    def key(self) -> str | None: ...


class Contest:
    """Asks the database for what was judged before, and remembers the page under judgement.

    `stored`: each page's verdicts are in the database before the next is taken; else all is remembered. `goes`:
    what is found ready goes, so whatever comes after it in the same file is behind it.
    Without `collapse` in the definition every answer is an empty one.
    """

    def __init__(self, connection: Connection, definition: Definition, *, stored: bool, goes: bool) -> None:
        self._connection = connection
        self._definition = definition
        self._stored = stored
        self._goes = goes
        self._standings: dict[EntryKey, Standing] = {}
        self._rivals: dict[str, list[Rival]] = {}
        self._judged: dict[str, list[Rival]] = defaultdict(list)
        self._passed: set[EntryKey] = set()

    def take(self, page: Sequence[Unsealed], references: References) -> None:
        """The next page: what its entries compete for, and with whom."""
        if self._definition.collapse == "none":
            return
        self._standings = {one.entry_key: self._standing(one, references) for one in page}
        keys = {standing.key for standing in self._standings.values() if standing.key is not None}
        if self._stored:
            self._judged.clear()
            self._passed.clear()
        self._passed |= self._standings.keys()
        self._rivals = rivals_of(self._connection, self._definition.export_id, keys, self._passed)

    def _standing(self, one: Unsealed, references: References) -> Standing:
        if one.problem is not None or one.candidate.document is None:
            return Standing(NO_KEY)
        try:
            return Standing(
                collapse_key(self._definition, tardy_of(self._definition, one.candidate, references))
            )
        except Unwritable as problem:
            reason = f"whether it is the only one of its day or period can't be told: {problem}"
            return Standing(NO_KEY, problem=Waits(problem.code, reason))
        except Exception as error:  # noqa: BLE001 - the page's other entries compete
            return Standing(NO_KEY, problem=broken(error, one.entry))

    def place(self, one: Unsealed) -> Standing:
        """Where an entry of the page stands. Ask in file order: what goes before it has then been noted."""
        if self._definition.collapse == "none":
            return _ALONE
        standing = self._standings.get(one.entry_key, _ALONE)
        occurred_at = one.candidate.occurred_at
        if standing.key in (None, NO_KEY) or occurred_at is None:
            return standing
        rivals = [*self._rivals.get(standing.key or "", ()), *self._judged.get(standing.key or "", ())]
        first = goes_before(one.entry["tardy"], occurred_at, rivals)
        return Standing(standing.key, behind=first.tardy_id if first is not None else None)

    def note(self, one: Unsealed, standing: Standing, verdict: Verdict) -> str | None:
        """Remembers the verdict; returns the key to store with the entry."""
        ended = isinstance(verdict, Ends) and verdict.state != "collapsed"
        if standing.key is None or ended:
            return None if standing.key is None else NO_KEY
        in_doubt = isinstance(verdict, Waits) and verdict.code == "sis-unknown"  # the SIS may have it
        if (
            standing.key != NO_KEY
            and one.candidate.occurred_at is not None
            and (in_doubt or not isinstance(verdict, Waits))
        ):
            goes = in_doubt or (self._goes and isinstance(verdict, Ready))
            rival = Rival(
                one.entry["tardy"],
                one.candidate.tardy_id,
                one.candidate.occurred_at,
                "taken" if goes else "waiting",
            )
            self._judged[standing.key].append(rival)
        return standing.key


def freed_keys(connection: Connection, definition: Definition, page: Sequence[_Judged]) -> set[str]:
    """Keys that entries of the page no longer compete under, or that earlier versions of their tardies did."""
    fresh = [judged for judged in page if judged.entry["collapse_key"] is None]
    known = known_keys(connection, definition.export_id, [judged.entry["tardy"] for judged in fresh])
    freed: set[str] = set()
    for judged in page:
        old = judged.entry["collapse_key"]
        if isinstance(judged.verdict, Waits) and judged.entry["state"] != "held" and judged.key is not None:
            freed.add(judged.key)  # what is held holds nothing else back
        if old is None:
            # Under the same key, too: it may stand elsewhere now.
            freed |= known.get(judged.entry["tardy"], set())
        elif old != judged.key:
            freed.add(old)
    return freed


def rekey_delivered(connection: Connection, definition: Definition) -> None:
    """Has what was delivered compete by the definition and the reference data as they are now. The caller owns the
    catalogue."""
    loader = ReferenceLoader(connection, definition.district_id)
    after: RowPlace | None = None
    while page := delivered_page(connection, definition.export_id, after, _CHUNK):
        _rekey(connection, definition, page, loader)
        if len(page) < _CHUNK:
            return
        after = (page[-1]["run_id"], page[-1]["line"])


def _rekey(
    connection: Connection, definition: Definition, page: Sequence[RowMapping], loader: ReferenceLoader
) -> None:
    texts = [row["document"] for row in page]
    documents = [None if text is None else orjson.loads(text) for text in texts]
    references = loader.cover({document["school_id"] for document in documents if document is not None})
    rows = [
        {name: row[name] for name in ROW_KEY}
        | {"collapse_key": _key_of(definition, row, document, references)}
        for row, document in zip(page, documents, strict=True)
    ]
    update_given(connection, entry_rows, ROW_KEY, ["collapse_key"], rows)


def rekey_schools(
    connection: Connection, district_id: str, school_ids: Collection[str], now: datetime
) -> None:
    """A school's days or periods are others now: what was delivered of the last days competes by them."""
    t = tardies.c
    recent = select(t.tardy).where(
        t.district_id == district_id, t.school_id.in_(sorted(school_ids)), t.occurred_at >= now - _RECENT
    )
    for export_id in connection.execute(active_in(district_id)).scalars().all() if school_ids else ():
        # What this version cannot read it cannot place either: the worker that can read it judges by the old places.
        export = view_export(connection, export_id)
        if export is not None and export.definition.collapse != "none":
            found = connection.execute(recent).scalars().all()
            loader = ReferenceLoader(connection, district_id)
            with suppress(UnreadableError):
                for start in range(0, len(found), _CHUNK):
                    page = delivered_of(connection, export_id, found[start : start + _CHUNK])
                    _rekey(connection, export.definition, page, loader)


def _key_of(
    definition: Definition, row: RowMapping, document: Mapping[str, Any] | None, references: References
) -> str:
    if document is None:
        return NO_KEY
    occurred_at = stored_instant(document["occurred_at"])
    tardy = Tardy(row["tardy_id"], row["version"], document, occurred_at, references, definition.gap)
    try:
        return collapse_key(definition, tardy)
    except Unwritable:
        return NO_KEY
