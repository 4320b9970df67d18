"""A file name at a place belongs to one export: where two had it at once, one may have replaced the other's file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import lru_cache
from itertools import groupby
from operator import attrgetter
from typing import Any

from sqlalchemy import Row, and_, func, select

from worker.store.audit.findings import FILE_OF_TWO, Example, Looking
from worker.store.database.tables import (
    actions,
    attempts,
    definition_revisions,
    runs,
)

Run = Row[Any]
PlaceName = Callable[[Mapping[str, Any]], str]
Document = Mapping[str, Any]


def examine_places(looking: Looking, place_name: PlaceName) -> None:
    """Every file that went where another export's of the same name had gone, and could replace it."""
    history = _History(looking, place_name)
    for _, sent in groupby(_sent(looking), key=attrgetter("file_name")):
        _examine(looking, history, sent)


def _sent(looking: Looking) -> Iterator[Run]:
    """Delivered runs whose file names more than one export gave, in the order in which they left."""
    r = runs.c
    delivered = and_(r.state == "delivered", r.file_name.is_not(None))
    shared = (
        select(r.file_name)
        .where(delivered)
        .group_by(r.file_name)
        .having(func.count(r.export_id.distinct()) > 1)
    )
    written = and_(attempts.c.run_id == r.run_id, attempts.c.number == r.departed_attempt)
    statement = (
        select(r.run_id, r.export_id, r.file_name, r.started_at, r.finished_at, attempts.c.revision)
        .join(attempts, written)
        .where(delivered, r.file_name.in_(shared))
        .order_by(r.file_name, r.finished_at)
    )
    return looking.stream(statement)


def _examine(looking: Looking, history: _History, sent: Iterator[Run]) -> None:
    last: dict[str, dict[str, Run]] = {}  # {place: {export: its last run there}}
    for run in sent:
        document = history.document(run.export_id, run.revision)
        before = last.setdefault(history.place(run.export_id, run.revision), {})
        if document["file"].get("if_exists") == "replace" and _covers(looking, run):
            for other in before.values():
                if other.export_id != run.export_id and history.holds(other, run.finished_at):
                    detail = f"{run.file_name}, that of {other.export_id}'s run {other.run_id}"
                    example = Example(run.export_id, run_id=run.run_id, detail=detail)
                    looking.findings.note(FILE_OF_TWO, example)
        before[run.export_id] = run


def _covers(looking: Looking, run: Run) -> bool:
    wanted = looking.scope.export_id
    return wanted in (None, run.export_id) and looking.covers_run(run)


class _History:
    """What definitions said, and when."""

    def __init__(self, looking: Looking, place_name: PlaceName) -> None:
        self._looking = looking
        self._place_name = place_name
        self.document = lru_cache(maxsize=1000)(self._document)
        self.place = lru_cache(maxsize=10_000)(self._place)

    def _document(self, export_id: str, revision: int) -> Document:
        d = definition_revisions.c
        statement = select(d.document).where(d.export_id == export_id, d.revision == revision)
        return dict(self._looking.connection.execute(statement).scalar_one())

    def _place(self, export_id: str, revision: int) -> str:
        return self._place_name(self.document(export_id, revision)["destination"])

    def holds(self, run: Run, moment: datetime) -> bool:
        """Whether the run's export still was to send such a file there then."""
        d, a = definition_revisions.c, actions.c
        of_export = (a.export_id == run.export_id, a.action.in_(("save", "delete")), a.at <= moment)
        latest = select(a.action).where(*of_export).order_by(a.at.desc(), a.action_id.desc()).limit(1)
        if self._looking.connection.execute(latest).scalar_one_or_none() == "delete":
            return False
        current = select(func.max(d.revision)).where(d.export_id == run.export_id, d.saved_at <= moment)
        revision = self._looking.connection.execute(current).scalar_one_or_none() or run.revision
        named = [self.document(run.export_id, each)["file"]["name"] for each in (run.revision, revision)]
        places = [self.place(run.export_id, each) for each in (run.revision, revision)]
        return named[0] == named[1] and places[0] == places[1]
