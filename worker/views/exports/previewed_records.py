"""What a run of records would ask of its SIS now: each request as it would go, or each row with its deed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, cast

import orjson
from sqlalchemy import Connection, RowMapping

from worker.core.definition import Definition
from worker.core.judgement.verdicts import Ready
from worker.core.record_plans import Ask, Leave, RecordRow, SoFar, in_requests, is_last, next_ask
from worker.core.record_rules import RecordForm
from worker.destinations.file_port import FileKind, Installation
from worker.destinations.kinds import DESTINATIONS, chosen
from worker.destinations.opening import Opener, which_sis
from worker.destinations.record_port import LookingUpDestination, RowDeed, WrittenRequest
from worker.destinations.row_deeds import row_deed
from worker.store.runs.row_receipts import PAGE, delivered_before

ReadyRow = tuple[RowMapping, Ready]
"""An entry with the row that would go."""

_RUN = "<run>"  # stands for its id, in keys


def record_requests(
    connection: Connection,
    definition: Definition,
    installation: Installation,
    ready: Iterable[ReadyRow],
) -> Iterator[bytes]:
    """JSON Lines: `method`, `url`, `headers`, `body` of each request and the `rows` in it, also what it `looks_up` and
    where `only` it goes, where the kind of destination can say it; else `row`, `action`, `deed`, `record` of each deed
    of a row. Nobody is asked, and secrets are not read. The rows of one page may share requests, as in a run."""
    writer = _Writer(definition, installation)
    lines = iter(enumerate(ready, start=1))
    while page := list(islice(lines, PAGE)):
        rows = _rows(connection, definition, page)
        for line in writer.lines(rows):
            yield orjson.dumps(line) + b"\n"


def look_up(definition: Definition, opener: Opener) -> None:
    """Asks the SIS for what its requests need and what is kept then, so that it stands in a preview; nothing where
    there is no such thing. Raises DeliveryError."""
    if definition.records is not None:
        destination = cast(LookingUpDestination, opener.records(definition.destination))
        getattr(destination, "look_up", lambda: None)()


def _rows(
    connection: Connection, definition: Definition, page: Sequence[tuple[int, ReadyRow]]
) -> list[RecordRow]:
    place = which_sis(definition.destination)
    corrections = [entry for _, (entry, verdict) in page if verdict.action != "add"]
    before = delivered_before(connection, definition.export_id, place, corrections)
    found = []
    for line, (entry, verdict) in page:
        key = tuple(entry[name] for name in ("district_id", "tardy_id", "version", "ordinal"))
        values = orjson.loads(orjson.dumps(verdict.values))  # as a run stores them
        found.append(RecordRow(line, verdict.action, definition.properties(values), before.get(key)))
    return found


class _Writer:
    """Writes down what a definition's destination is asked."""

    def __init__(self, definition: Definition, installation: Installation) -> None:
        assert definition.records is not None
        self._form: RecordForm = definition.records
        self._options, self._installation = definition.destination, installation
        kind = chosen(DESTINATIONS[self._options["type"]], self._options)
        assert not isinstance(kind, FileKind)
        self._kind = kind

    def lines(self, rows: Sequence[RecordRow]) -> Iterator[Mapping[str, Any]]:
        """Corrections first, as a run does; of a row of two deeds both, one after the other."""
        ordered = sorted(rows, key=lambda row: row.action == "add")
        planned = [self._steps(row) for row in ordered]
        for step in range(max(map(len, planned), default=0)):
            asks = [steps[step] for steps in planned if step < len(steps)]
            yield from map(_left, (ask for ask in asks if isinstance(ask, Leave)))
            going = ((ask.row, ask) for ask in asks if isinstance(ask, Ask))
            for _, together in in_requests(self._form, going):
                yield from self._request(together)

    def _steps(self, row: RecordRow) -> list[Ask | Leave]:
        first = next_ask(self._form, row)
        if isinstance(first, Leave) or is_last(self._form, row, 0):
            return [first]
        done = RecordRow(
            row.line,
            row.action,
            row.properties,
            row.before,
            SoFar(1, first.deed, row.line, lost=False, tries=0),
        )
        return [first, next_ask(self._form, done)]

    def _request(self, asks: Sequence[Ask]) -> Iterator[Mapping[str, Any]]:
        deeds = [row_deed(ask, _RUN) for ask in asks]
        looked = asks[0].look
        written = () if looked else self._written(deeds)
        yield from map(_shown, written)
        within = {line for one in written for line in one.rows}
        for ask, deed in zip(asks, deeds, strict=True):
            if deed.line not in within:
                told = _told(ask, deed.deed.value, dict(deed.properties))
                yield told | ({"looked_for": True} if looked else {})

    def _written(self, deeds: Sequence[RowDeed]) -> Sequence[WrittenRequest]:
        if self._kind.written is None:
            return ()
        return self._kind.written(self._options, self._installation, deeds)


def _shown(one: WrittenRequest) -> Mapping[str, Any]:
    """What is not always there comes last."""
    about = {"method": one.method, "url": one.url, "headers": dict(one.headers), "body": one.body}
    more = {"looks_up": list(one.looks_up), "only": one.only}
    return about | {"rows": list(one.rows)} | {name: said for name, said in more.items() if said}


def _told(ask: Ask | Leave, deed: str, record: Mapping[str, Any]) -> dict[str, Any]:
    return {"row": ask.row.line, "action": ask.row.action, "deed": deed, "record": record}


def _left(ask: Leave) -> Mapping[str, Any]:
    return _told(ask, "hold", ask.row.properties)
