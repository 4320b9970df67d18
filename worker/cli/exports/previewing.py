"""`writeback exports preview`: the file to standard output, what is left out of it to standard error."""

from __future__ import annotations

import tempfile
from typing import IO

from worker.bootstrap import Program
from worker.cli.printing.output import emit, emit_object, emit_raw, note, on_terminal
from worker.views.exports.preview import preview, preview_lines, preview_shape

_CHUNK = 64 * 1024
_ROWS_IN_JSON = 1000  # where nobody says how many: it is one object, and held in memory


def preview_export(
    program: Program, export_id: str, most: int | None, *, asking: bool, as_json: bool
) -> None:
    """Prints the file and what it leaves out. Raises RefusedError, and DeliveryError where the SIS is asked."""
    if as_json and most is None:
        most = _ROWS_IN_JSON
    with tempfile.TemporaryFile() as spool:
        found = preview(
            program.database,
            program.installation,
            export_id,
            spool,
            most=most,
            now=program.clock(),
            asking=program.opener if asking else None,
        )
        spool.seek(0)
        if as_json:
            emit_object(preview_shape(found, spool.read()))
            return
        _print(spool, found.encoding)
    for line in preview_lines(found):
        note(line)


def _print(spool: IO[bytes], encoding: str) -> None:
    """Piped: byte for byte. On a terminal what would command it, or cannot be seen, is written out."""
    if not on_terminal():
        while chunk := spool.read(_CHUNK):
            emit_raw(chunk)
        return
    for line in spool:
        emit(line.decode(encoding, "backslashreplace").rstrip("\r\n"))
