"""`writeback exports preview`: the bytes that a run would send now, rendered and thrown away."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import IO, Any

from sqlalchemy import Connection, RowMapping

from schemas.definition.filename import render_name
from schemas.fields.zones import zone_of
from worker.bootstrap import Program
from worker.cli.printing.output import (
    counted,
    emit,
    emit_object,
    emit_raw,
    note,
    on_terminal,
)
from worker.core.formats import render
from worker.core.judging import Ready, Waits
from worker.core.rows import Unwritable
from worker.core.sample import sample_row
from worker.errors import RefusedError
from worker.store.catalogue.catalogue import Export, load_export
from worker.store.database.engine import share_catalogue
from worker.store.definitions import definitions
from worker.store.runs import run_rows, sealing

_CHUNK = 64 * 1024
_ROWS_IN_JSON = 1000  # where nobody says how many: it is one object, and held in memory


@dataclass(slots=True)
class Tally:
    """What judging everything came to: rows that would go, reasons for what would not."""

    rows: int = 0
    held: Counter[str] = field(default_factory=Counter)
    ended: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Preview:
    """What was rendered and what of it is told. `most`: so many rows are shown; `sealed_anew`: it is the open run's
    next attempt."""

    program: Program
    export: Export
    run: RowMapping | None
    tally: Tally
    most: int | None
    sealed_anew: bool

    @property
    def would_go(self) -> bool:
        return bool(self.tally.rows) or self.export.definition.file.when_empty == "send"


class _PreviewedError(Exception):
    pass


def preview_export(program: Program, export_id: str, most: int | None, *, as_json: bool) -> None:
    """Prints the file to standard output and what it leaves out to standard error. Raises RefusedError.

    The file is rendered into a nameless temporary file first: no lock waits for whoever reads the output.
    """
    if as_json and most is None:
        most = _ROWS_IN_JSON
    with tempfile.TemporaryFile() as spool:
        with program.database.read() as connection:
            export = _export(connection, export_id)
            run = run_rows.open_run(connection, export_id)
            sealed_anew = run is not None and _is_sealed_anew(run)
            tally = Tally() if sealed_anew else _render(connection, export, spool, most)
        if run is not None and sealed_anew:
            tally = _render_with(program, export_id, run, spool, most)
        spool.seek(0)
        found = Preview(program, export, run, tally, most, sealed_anew)
        if as_json:
            emit_object(_shape(found, spool.read()))
            return
        _print(spool, _encoding(export))
    _tell(found)
    if not tally.rows:
        _tell_sample(found)


def _print(spool: IO[bytes], encoding: str) -> None:
    """Piped: byte for byte. On a terminal what would command it, or cannot be seen, is written out."""
    if not on_terminal():
        while chunk := spool.read(_CHUNK):
            emit_raw(chunk)
        return
    for line in spool:
        emit(line.decode(encoding, "backslashreplace").rstrip("\r\n"))


def _encoding(export: Export) -> str:
    return "utf-8" if export.definition.file.format == "jsonl" else export.definition.file.encoding


def _shape(found: Preview, content: bytes) -> dict[str, Any]:
    tally, run, encoding = found.tally, found.run, _encoding(found.export)
    return {
        "export_id": found.export.definition.export_id,
        "file": _file_name(found) if found.would_go else None,
        "rows": tally.rows,
        "rows_shown": tally.rows if found.most is None else min(tally.rows, found.most),
        "held": [{"reason": reason, "count": count} for reason, count in tally.held.most_common()],
        "not_to_be_sent": [{"reason": reason, "count": count} for reason, count in tally.ended.most_common()],
        "paused": found.export.paused,
        "open_run": {"run_id": run["run_id"], "state": run["state"]} if run is not None else None,
        "columns": [spec.title for spec in found.export.definition.fields],
        "content": content.decode(encoding, "backslashreplace"),
        "sample": None if tally.rows else "".join(_sample(found)[0]),
    }


def _tell_sample(found: Preview) -> None:
    """While nothing is ready: what a file looks like, of a made-up student, on standard error."""
    lines, problem = _sample(found)
    if problem is not None:
        note(f"no sample can be made up: {problem}")
        return
    note("a SAMPLE of what a file looks like; its student is made up, and it is not sent:")
    if not found.export.definition.file.header:
        note(f"  (columns: {', '.join(spec.title for spec in found.export.definition.fields)})")
    for line in lines:
        note("  " + line.rstrip("\r\n"))


def _sample(found: Preview) -> tuple[list[str], str | None]:
    """The header and one row, or why there is none."""
    definition = found.export.definition
    try:
        row = sample_row(definition, found.program.clock())
        content = b"".join(render([row], definition.fields, definition.file))
    except (Unwritable, RefusedError) as error:
        return [], str(error)
    text = content.decode(_encoding(found.export), "backslashreplace")
    return text.removeprefix("\ufeff").splitlines(keepends=True), None


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
            raise _PreviewedError
    except _PreviewedError:
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


def _tell(found: Preview) -> None:
    tally, run, most = found.tally, found.run, found.most
    would = f"would go as {_file_name(found)}" if found.would_go else "no file would go"
    shown = f", the first {most} shown" if most is not None and most < tally.rows else ""
    note(f"{counted(tally.rows, 'row')}{shown}; {would}")
    if tally.rows == found.export.definition.row_limit:
        note(f"{tally.rows} rows is the most one run takes; what is left goes in the next")
    for reason, count in tally.held.most_common():
        note(f"{count} held: {reason}")
    for reason, count in tally.ended.most_common():
        note(f"{count} not to be sent: {reason}")
    if found.export.paused:
        note("the export is paused: nothing goes before it is resumed")
    if run is not None:
        note(_about(run, sealed_anew=found.sealed_anew))


def _file_name(found: Preview) -> str:
    definition, run = found.export.definition, found.run
    if found.sealed_anew and run is not None and run["file_name"] is not None:
        return str(run["file_name"])
    try:
        return render_name(
            definition.file.name,
            export=definition.export_id,
            due=found.program.clock().astimezone(zone_of(definition.schedule.time_zone)),
            sequence=found.export.row["next_sequence"],
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
