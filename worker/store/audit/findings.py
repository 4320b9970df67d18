"""What an audit looks at and what it finds: named checks with counts and examples. Ids only, no student's data."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import MAXYEAR, MINYEAR, UTC, date, datetime, time, timedelta
from typing import Any

from sqlalchemy import Connection, Row, Select

from schemas.fields.zones import Zone, zone_of
from worker.store.catalogue.exports_in_force import Export
from worker.store.database.tables import ENTRY_STATES

PAGE = 2000  # rows fetched at once: what bounds the memory
_MARGIN = timedelta(days=2)  # a local date is within a day of the UTC date; one more for good measure
_UTC = zone_of("UTC")

Tell = Callable[[str, int], None]  # what is looked at, and how many rows of it have been


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that must not be. `means` says what was found; a `warning` fails an audit only where asked to."""

    name: str
    means: str
    warning: bool = False


ENTRY_MISSING = Check(
    "entry-missing", "a tardy matches the definition, and there is no entry of its newest version"
)
CORRECTION_MISSING = Check(
    "correction-missing", "the definition has a tardy, and there is no entry of a later version of it"
)
NO_VERSION = Check("entry-without-version", "an entry of a version that never arrived")
NO_DEFINITION = Check(
    "definition-missing", "an entry or a run of a definition that is not there, or is another district's"
)
STATE_UNKNOWN = Check("state-unknown", "an entry in a state that there is not")
WAITS_TWICE = Check(
    "waits-twice", "an entry waits beside another of its tardy that is newer or of the same version"
)
HEAD_WRONG = Check("newest-version-wrong", "what is known as a tardy's newest version is not the newest")
UNBALANCED = Check("day-unbalanced", "the entries a definition should have on a day are not those it has")
NO_RUN = Check(
    "entry-without-run",
    "a sealed or delivered entry in no run, another export's, or one that ended otherwise",
)
RUN_ROWS = Check("run-rows", "a run's count of rows is not that of its entries")
RUN_LINES = Check("run-lines", "a run's lines are not 1, 2, 3 … without a gap")
RUN_FILE = Check("run-file", "a file, rendered again from its entries, is not the one its receipt tells of")
RESEND = Check("resend-differs", "a run that sends another's file once more does not say what that one says")
SENT_TWICE = Check(
    "sent-twice", "a tardy was added twice, twice in one run, or changed or voided without having been added"
)
ORDER = Check("out-of-order", "a tardy's earlier version went in a later run")
NUMBER = Check("number-twice", "a file's number was used twice, or would be used again")
FILE_OF_TWO = Check(
    "file-of-two",
    "a file went where another export's file of the same name had gone, and could replace it uncollected",
)
UNJUDGED = Check("unjudged", "an entry has waited to be judged for over an hour", warning=True)
REQUEST_WAITS = Check(
    "request-waiting", "a run was asked for over an hour ago, and its export does nothing", warning=True
)
RUN_IDLE = Check("run-idle", "an open run is due for over an hour, and nobody works on it", warning=True)
LEFT_OVER = Check("deleted-export-waiting", "an entry waits in an export that was deleted", warning=True)

CHECKS = (
    ENTRY_MISSING,
    CORRECTION_MISSING,
    NO_VERSION,
    NO_DEFINITION,
    STATE_UNKNOWN,
    WAITS_TWICE,
    HEAD_WRONG,
    UNBALANCED,
    NO_RUN,
    RUN_ROWS,
    RUN_LINES,
    RUN_FILE,
    RESEND,
    SENT_TWICE,
    ORDER,
    NUMBER,
    FILE_OF_TWO,
    UNJUDGED,
    REQUEST_WAITS,
    RUN_IDLE,
    LEFT_OVER,
)


@dataclass(frozen=True, slots=True)
class Example:
    """Where something was found: what is not None says where to look."""

    export_id: str | None = None
    day: date | None = None
    tardy_id: str | None = None
    version: int | None = None
    run_id: str | None = None
    detail: str | None = None


@dataclass(slots=True)
class Finding:
    """How often a check found what it looks for, with the first few places."""

    check: Check
    count: int = 0
    examples: list[Example] = field(default_factory=list)


class Findings:
    """Collects what the checks find; keeps at most `limit` examples of each."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._results = {check.name: Finding(check) for check in CHECKS}

    def note(self, check: Check, example: Example, *, count: int = 1) -> None:
        """Something was found, `count` times."""
        result = self._results[check.name]
        result.count += count
        if len(result.examples) < self._limit:
            result.examples.append(example)

    def results(self) -> list[Finding]:
        """Every check, also those that found nothing."""
        return list(self._results.values())


@dataclass(slots=True, kw_only=True)
class Balance:
    """Entries counted from both sides; the report of a day shows the same.

    The left side is counted from tardies and versions alone: `matching` are tardies that match the definition
    now, each owing an entry of its newest version; `former` those that no longer match but have such an entry;
    `others` the entries of other versions. The right side is counted from the entries' states.
    """

    matching: int = 0
    former: int = 0
    others: int = 0
    states: dict[str, int] = field(default_factory=lambda: dict.fromkeys(ENTRY_STATES, 0))

    @property
    def expected(self) -> int:
        return self.matching + self.former + self.others

    @property
    def accounted(self) -> int:
        return sum(self.states[state] for state in ENTRY_STATES)

    @property
    def adds_up(self) -> bool:
        return self.expected == self.accounted


@dataclass(slots=True)
class Day(Balance):
    """One definition's entries on one local day (None: what bears no date), by the tardy's own date and school."""

    export_id: str
    day: date | None


@dataclass(slots=True)
class Files:
    """What became of the runs' files: rendered again and equal; not to be rendered any more, since their rows
    were purged; not equal; and those that send another run's once more."""

    verified: int = 0
    purged: int = 0
    wrong: int = 0
    resends: int = 0
    rows: int = 0


@dataclass(frozen=True, slots=True)
class Report:
    """A whole audit. `days` by export and day; `results` one for each check."""

    exports: int
    days: Sequence[Day]
    files: Files
    results: Sequence[Finding]

    def failed(self, *, strict: bool) -> list[Finding]:
        """What does not add up; with `strict` warnings as well."""
        return [one for one in self.results if one.count and (strict or not one.check.warning)]


def not_before(day: date, moment: Any) -> list[Any]:
    """SQL conditions that leave out what is certainly before this local day, whatever the time zone."""
    if day.year == MINYEAR:
        return []  # nothing is, and a day before it could not be told
    return [moment >= datetime.combine(day, time(), tzinfo=UTC) - _MARGIN]


@dataclass(frozen=True, slots=True)
class Scope:
    """What to look at: one export or all; tardies of these local days, runs sealed on them (None: without end)."""

    export_id: str | None = None
    first: date | None = None
    last: date | None = None

    def covers(self, day: date | None) -> bool:
        """Whether a day is meant; what bears no date is always looked at."""
        if day is None:
            return True
        return (self.first is None or day >= self.first) and (self.last is None or day <= self.last)

    def near(self, moment: Any) -> list[Any]:
        """SQL conditions that leave out what is certainly on another day, whatever the time zone."""
        wanted = [] if self.first is None else not_before(self.first, moment)
        if self.last is not None and self.last.year < MAXYEAR:
            wanted.append(moment <= datetime.combine(self.last, time(), tzinfo=UTC) + _MARGIN)
        return wanted

    def of_export(self, column: Any) -> list[Any]:
        """SQL conditions that leave out other exports."""
        return [] if self.export_id is None else [column == self.export_id]


@dataclass(frozen=True, slots=True)
class Looking:
    """What every part of an audit works with. `exports` are those in scope, `zones` the schools' time zones."""

    connection: Connection
    scope: Scope
    now: datetime
    exports: Mapping[str, Export]
    zones: Mapping[tuple[str, str], Zone]
    findings: Findings
    tell: Tell

    def stream(self, statement: Select[Any], page: int = PAGE) -> Iterator[Row[Any]]:
        """The rows, a page at a time in memory; other statements may run meanwhile."""
        yield from self.connection.execute(statement, execution_options={"yield_per": page})

    def run_day(self, run: Any) -> date:
        """The local day of a run: when it was first sealed, in its schedule's time zone."""
        export = self.exports.get(run.export_id)
        return run.started_at.astimezone(export.route.zone if export else _UTC).date()  # type: ignore[no-any-return]

    def covers_run(self, run: Any) -> bool:
        """Whether the run, if it is there at all, is of a day that is meant."""
        return run.started_at is None or self.scope.covers(self.run_day(run))
