"""`writeback exports preview`: the bytes that a run would send now, rendered and thrown away."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import IO, Any

from sqlalchemy import Connection, RowMapping

from schemas.filename import render_name
from schemas.zones import zone_of
from worker.bootstrap import Program
from worker.cli.output import counted, emit_raw, note
from worker.core.formats import render
from worker.core.judging import Ready, Waits
from worker.errors import RefusedError
from worker.store import definitions, runs, sealing
from worker.store.catalogue import Export, load_export
from worker.store.engine import share_catalogue

_CHUNK = 64 * 1024


@dataclass(slots=True)
class Tally:
    """What judging everything came to: rows that would go, reasons for what would not."""

    rows: int = 0
    held: Counter[str] = field(default_factory=Counter)
    ended: Counter[str] = field(default_factory=Counter)


class _Undone(Exception):
    pass


def preview_export(program: Program, export_id: str, most: int | None) -> None:
    """Prints the file to standard output and what it leaves out to standard error. Raises RefusedError.

    The file is rendered into a nameless temporary file first: no lock waits for whoever reads the output.
    """
    with tempfile.TemporaryFile() as spool:
        with program.database.read() as connection:
            export = _export(connection, export_id)
            run = runs.open_run(connection, export_id)
            sealed_anew = run is not None and _is_sealed_anew(run)
            tally = Tally() if sealed_anew else _render(connection, export, spool, most)
        if run is not None and sealed_anew:
            tally = _render_with(program, export_id, run, spool, most)
        spool.seek(0)
        while chunk := spool.read(_CHUNK):
            emit_raw(chunk)
    _tell(program, export, run, tally, most, sealed_anew=sealed_anew)


def _export(connection: Connection, export_id: str) -> Export:
    definitions.active(connection, export_id)
    export = load_export(connection, export_id)
    assert export is not None
    return export


def _is_sealed_anew(run: RowMapping) -> bool:
    """Whether the open run's next attempt takes everything in again: certainly nothing of it has left."""
    idle = run["state"] in ("waiting", "failed", "guarded")
    return idle and run["departed_attempt"] is None and run["resend_of"] is None


def _render_with(
    program: Program, export_id: str, run: RowMapping, spool: IO[bytes], most: int | None
) -> Tally:
    """The same with the open run's entries buffered again, in a transaction that is taken back."""
    tally = Tally()
    try:
        with program.database.write() as connection:
            share_catalogue(connection)
            definitions.release_entries(connection, run["run_id"])
            tally = _render(connection, _export(connection, export_id), spool, most)
            raise _Undone
    except _Undone:
        return tally


def _render(connection: Connection, export: Export, spool: IO[bytes], most: int | None) -> Tally:
    tally = Tally()
    definition = export.definition
    judged = sealing.preview_rows(connection, definition, export.route)
    for chunk in render(_values(judged, tally, most), definition.fields, definition.file):
        spool.write(chunk)
    if tally.rows == 0 and definition.file.when_empty == "skip":
        spool.truncate(0)  # a run with nothing to send sends no file, not even a header
    return tally


def _values(judged: Iterable[sealing.Judged], tally: Tally, most: int | None) -> Iterator[list[Any]]:
    for one in judged:
        if isinstance(one.verdict, Ready):
            tally.rows += 1
            if most is None or tally.rows <= most:
                yield one.verdict.values
        elif isinstance(one.verdict, Waits):
            tally.held[one.verdict.reason] += 1
        else:
            tally.ended[one.verdict.reason] += 1


def _tell(
    program: Program,
    export: Export,
    run: RowMapping | None,
    tally: Tally,
    most: int | None,
    *,
    sealed_anew: bool,
) -> None:
    name = _file_name(program, export, run if sealed_anew else None)
    would = "would go" if tally.rows or export.definition.file.when_empty == "send" else "no file would go"
    shown = f", the first {most} shown" if most is not None and most < tally.rows else ""
    note(f"{counted(tally.rows, 'row')}{shown}; {would}{f' as {name}' if would == 'would go' else ''}")
    if tally.rows == export.definition.row_limit:
        note(f"{tally.rows} rows is the most one run takes; what is left goes in the next")
    for reason, count in tally.held.most_common():
        note(f"{count} held: {reason}")
    for reason, count in tally.ended.most_common():
        note(f"{count} not to be sent: {reason}")
    if export.paused:
        note("the export is paused: nothing goes before it is resumed")
    if run is not None:
        note(_about(run, sealed_anew=sealed_anew))


def _file_name(program: Program, export: Export, run: RowMapping | None) -> str:
    if run is not None and run["file_name"] is not None:
        return str(run["file_name"])
    zone = zone_of(export.definition.schedule.time_zone)
    try:
        return render_name(
            export.definition.file.name,
            export=export.definition.export_id,
            due=program.clock().astimezone(zone),
            sequence=export.row["next_sequence"],
            run="0" * 32,
        )
    except ValueError as error:
        raise RefusedError(f"file.name: {error}") from None


def _about(run: RowMapping, *, sealed_anew: bool) -> str:
    about = f"run {run['run_id'][:8]} is {run['state']} with {counted(run['rows'], 'row')}"
    if run["state"] == "guarded":
        return f"{about}: this is what it would send once `writeback runs approve {run['run_id']}` lets it"
    if sealed_anew:
        return f"{about}: this is what its next attempt would send"
    return f"{about}: this is what the run after it would send"
