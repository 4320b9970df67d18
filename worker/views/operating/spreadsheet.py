"""The report's spreadsheet: one line an entry, safe to open."""

from __future__ import annotations

import re
from datetime import datetime

from schemas.shown import plain
from worker.store.queries.day import Line as Line
from worker.store.queries.day import Take as Take

COLUMNS = (
    "export",
    "tardy_id",
    "version",
    "student_local_id",
    "school",
    "time",
    "code",
    "action",
    "state",
    "reason",
    "run",
    "file",
    "line",
    "delivered_at",
    "outcome",
    "sis_id",
)
# A sheet may take any of these for the end of a cell, whatever the file is separated by; in a cell, blanks and quotes
# do not keep what follows from being a formula. Wide forms count as the plain ones.
_FORMULA = re.compile("(^|[,;|:\t\r\n])([\\s\"']*)([=+\\-@\uff1d\uff0b\uff0d\uff20])")


def cells(line: Line) -> list[str]:
    """An entry's values in the order of COLUMNS."""
    return [
        safe(value)
        for value in (
            line.export_id,
            line.tardy_id,
            str(line.version),
            line.local_id,
            line.school_id,
            local_time(line.occurred_at),
            line.code,
            line.action,
            line.state,
            line.reason,
            line.run_id,
            line.file_name,
            None if line.line is None else str(line.line),
            local_time(line.delivered_at),
            line.outcome,
            line.sis_id,
        )
    ]


def safe(value: str | None) -> str:
    """What a spreadsheet would take for a formula, were it opened with another separator, gets an apostrophe before
    it: then it is text. Nothing that cannot be seen is in it."""
    return _FORMULA.sub(r"\1'\2\3", plain(value or ""))


def local_time(moment: datetime | None) -> str | None:
    """A moment as a spreadsheet reads it, in the zone that it is in."""
    return None if moment is None else f"{moment:%Y-%m-%d %H:%M:%S}"
