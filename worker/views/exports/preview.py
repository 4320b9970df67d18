"""The bytes that a run would send now, rendered and thrown away, and what would be left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import IO, Any

from sqlalchemy import Connection, RowMapping

from schemas.definition.filename import render_name
from worker.core.definition import Definition
from worker.core.formats import render
from worker.core.judgement.verdicts import Ready, Waits
from worker.core.rows import Unwritable
from worker.core.sample import sample_row
from worker.destinations.file_port import Installation
from worker.destinations.opening import Opener
from worker.errors import RefusedError
from worker.store.catalogue.exports_in_force import Export, load_export
from worker.store.database.engine import Database, share_catalogue
from worker.store.definitions import definitions
from worker.store.entries.settling import release_entries
from worker.store.runs import run_rows, sealing
from worker.views.exports.previewed_records import ReadyRow, look_up, record_requests
from worker.views.words import counted


@dataclass(slots=True)
class Tally:
    """What judging everything came to: rows that would go, by what they are against what was delivered last (`add`,
    `change`, `void`); reasons for what would not."""

    rows: int = 0
    actions: Counter[str] = field(default_factory=Counter)
    held: Counter[str] = field(default_factory=Counter)
    ended: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Preview:
    """What was rendered and what of it is told. `most`: so many rows are shown (None: all); `sealed_anew`: it is the
    next attempt of the open `run`."""

    export: Export
    run: RowMapping | None
    tally: Tally
    most: int | None
    sealed_anew: bool
    now: datetime

    @property
    def definition(self) -> Definition:
        return self.export.definition

    @property
    def encoding(self) -> str:
        return "utf-8" if self.definition.file.format == "jsonl" else self.definition.file.encoding

    @property
    def columns(self) -> list[str]:
        return [spec.title for spec in self.definition.fields]

    @property
    def file_name(self) -> str | None:
        """None: no file would go. Raises RefusedError where the template comes to no name."""
        if self.definition.records is not None:
            return None
        if not self.tally.rows and self.definition.file.when_empty != "send":
            return None
        if self.sealed_anew and self.run is not None and self.run["file_name"] is not None:
            return str(self.run["file_name"])
        try:
            return render_name(
                self.definition.file.name,
                export=self.definition.export_id,
                due=self.now.astimezone(self.definition.schedule.zone),
                sequence=self.export.row["next_sequence"],
                run="0" * 32,
            )
        except ValueError as error:
            raise RefusedError(f"file.name: {error}") from None


class _PreviewedError(Exception):
    pass


def preview(
    database: Database,
    installation: Installation,
    export_id: str,
    spool: IO[bytes],
    *,
    most: int | None,
    now: datetime,
    asking: Opener | None = None,
) -> Preview:
    """Renders into `spool` what a run would send now, `most` rows of it: the file's bytes, or the requests of records.
    Raises RefusedError, UnavailableError. `asking`: the SIS is asked for what its requests need (and DeliveryError is
    raised where it does not say); None: nobody is.

    Nothing is changed, and no lock waits for whoever reads the spool.
    """
    put = _Spool(spool, installation, most)
    if asking is not None:
        with database.read() as connection:
            definition = _export(connection, export_id).definition
        look_up(definition, asking)
    with database.read() as connection:
        export = _export(connection, export_id)
        run = run_rows.open_run(connection, export_id)
        if run is None or not _is_sealed_anew(run):
            return Preview(export, run, _render(connection, export, put), most, False, now)
    tally = _render_with(database, export_id, run["run_id"], put)
    return Preview(export, run, tally, most, True, now)


@dataclass(frozen=True, slots=True)
class _Spool:
    """Where it is rendered to, and how much of it."""

    file: IO[bytes]
    installation: Installation
    most: int | None


def _export(connection: Connection, export_id: str) -> Export:
    definitions.active(connection, export_id)
    export = load_export(connection, export_id)
    assert export is not None
    return export


def _is_sealed_anew(run: RowMapping) -> bool:
    """Whether the open run's next attempt takes everything in again: certainly nothing of it has left."""
    idle = run["state"] in ("waiting", "failed", "guarded")
    return idle and run["departed_attempt"] is None and run["resend_of"] is None


def _render_with(database: Database, export_id: str, run_id: str, spool: _Spool) -> Tally:
    """The same with the open run's entries buffered again, in a transaction that is taken back."""
    tally = Tally()
    try:
        with database.write() as connection:
            share_catalogue(connection)
            release_entries(connection, run_id)
            tally = _render(connection, _export(connection, export_id), spool)
            raise _PreviewedError
    except _PreviewedError:
        return tally


def _render(connection: Connection, export: Export, spool: _Spool) -> Tally:
    tally = Tally()
    definition = export.definition
    ready = _ready(sealing.preview_rows(connection, definition, export.route), tally, spool.most)
    if definition.records is not None:
        spool.file.writelines(record_requests(connection, definition, spool.installation, ready))
        return tally
    for chunk in render((verdict.values for _, verdict in ready), definition.fields, definition.file):
        spool.file.write(chunk)
    if tally.rows == 0 and definition.file.when_empty == "skip":
        spool.file.truncate(0)  # a run with nothing to send sends no file, not even a header
    return tally


def _ready(judged: Iterable[sealing.Judged], tally: Tally, most: int | None) -> Iterator[ReadyRow]:
    """Each entry that would go, with its row; all are counted."""
    for one in judged:
        if isinstance(one.verdict, Ready):
            tally.rows += 1
            tally.actions[one.verdict.action] += 1
            if most is None or tally.rows <= most:
                yield one.entry, one.verdict
        elif isinstance(one.verdict, Waits):
            tally.held[one.verdict.reason] += 1
        else:
            tally.ended[one.verdict.reason] += 1


def preview_lines(found: Preview) -> Iterator[str]:
    """What the file's bytes do not say, a line each; while nothing is ready, also a sample of a file."""
    tally, run, most = found.tally, found.run, found.most
    name = found.file_name
    shown = f", the first {most} shown" if most is not None and most < tally.rows else ""
    yield f"{counted(tally.rows, 'row')}{shown}; {_goes_as(found, name)}"
    if tally.rows:
        new, changed, void = (tally.actions[action] for action in ("add", "change", "void"))
        yield f"against what was delivered: {new} new, {changed} changed, {void} void"
    if tally.rows == found.definition.row_limit:
        yield f"{tally.rows} rows is the most one run takes; what is left goes in the next"
    for reason, count in tally.held.most_common():
        yield f"{count} held: {reason}"
    for reason, count in tally.ended.most_common():
        yield f"{count} not to be sent: {reason}"
    if found.export.paused:
        yield "the export is paused: nothing goes before it is resumed"
    if run is not None:
        yield _about(run, sealed_anew=found.sealed_anew)
    if not tally.rows:
        yield from _sample_lines(found)


def _goes_as(found: Preview, name: str | None) -> str:
    if found.definition.records is None:
        return f"would go as {name}" if name else "no file would go"
    kind = found.definition.destination["type"]
    return f"would go as records to {kind}" if found.tally.rows else "nothing would go"


def _about(run: RowMapping, *, sealed_anew: bool) -> str:
    about = f"run {run['run_id'][:8]} is {run['state']} with {counted(run['rows'], 'row')}"
    if run["state"] == "guarded":
        return f"{about}: this is what it would send once `writeback runs approve {run['run_id']}` lets it"
    if sealed_anew:
        return f"{about}: this is what its next attempt would send"
    return f"{about}: this is what the run after it would send"


def _sample_lines(found: Preview) -> Iterator[str]:
    lines, problem = _sample(found)
    if problem is not None:
        yield f"no sample can be made up: {problem}"
        return
    is_file = found.definition.records is None
    what = "file" if is_file else "record"
    yield f"a SAMPLE of what a {what} looks like; its student is made up, and it is not sent:"
    if is_file and not found.definition.file.header:
        yield f"  (columns: {', '.join(found.columns)})"
    for line in lines:
        yield "  " + line.rstrip("\r\n")


def _sample(found: Preview) -> tuple[list[str], str | None]:
    """The header and one row, or why there is none."""
    definition = found.definition
    try:
        row = sample_row(definition, found.now)
        content = b"".join(render([row], definition.fields, definition.file))
    except (Unwritable, RefusedError) as error:
        return [], str(error)
    text = content.decode(found.encoding, "backslashreplace")
    return text.removeprefix("\ufeff").splitlines(keepends=True), None


def preview_shape(found: Preview, content: bytes) -> dict[str, Any]:
    """A preview as JSON, with the file's bytes as text."""
    tally, run = found.tally, found.run
    return {
        "export_id": found.definition.export_id,
        "file": found.file_name,
        "rows": tally.rows,
        "actions": {action: tally.actions[action] for action in ("add", "change", "void")},
        "rows_shown": tally.rows if found.most is None else min(tally.rows, found.most),
        "held": [{"reason": reason, "count": count} for reason, count in tally.held.most_common()],
        "not_to_be_sent": [{"reason": reason, "count": count} for reason, count in tally.ended.most_common()],
        "paused": found.export.paused,
        "open_run": {"run_id": run["run_id"], "state": run["state"]} if run is not None else None,
        "columns": found.columns,
        "content": content.decode(found.encoding, "backslashreplace"),
        "sample": None if tally.rows else "".join(_sample(found)[0]),
    }
