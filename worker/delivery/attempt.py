"""One claimed run → receipt: fence, seal anew where nothing has left, render, upload, rename, settle."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import orjson
import structlog
from sqlalchemy import Connection, RowMapping
from sqlalchemy.exc import DBAPIError
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from worker import __version__, defects
from worker.clock import Clock
from worker.core.definition import Definition
from worker.core.formats import FORMATS, render
from worker.core.judging import Waits
from worker.core.retry import next_attempt_delay
from worker.destinations.file_port import (
    FileDestination,
    GivenNumber,
    Installation,
    Replaceable,
    Secret,
    Uploaded,
)
from worker.destinations.kinds import DESTINATIONS, require_known
from worker.errors import (
    DestinationError,
    ElsewhereError,
    RefusedError,
    StaleLeaseError,
    TransientError,
    UnavailableError,
    UnreadableError,
)
from worker.failpoints import Arrow, Step, reached
from worker.instruments import Instruments
from worker.store.catalogue.catalogue import load_document
from worker.store.database.engine import Database, share_catalogue
from worker.store.runs import claims, numbering, receipts, run_rows, starting
from worker.store.runs.claims import Claim, FileFacts
from worker.store.runs.marked_places import give_back, has_sent
from worker.store.runs.sealing import Place

log = structlog.get_logger("flush")

_STALE = "another worker has taken the run over; nothing was changed"
_GIVEN_UP = timedelta(days=7)  # a place that cannot be reached for so long keeps what lies there
_LEFT_ALONE = timedelta(minutes=1)
_LEFT = "the run is left for the next attempt"


@dataclass(frozen=True, slots=True)
class Names:
    """The temporary names of one attempt: they bear its token, begin with a dot and end in no file's extension."""

    file: str
    token: str

    @property
    def part(self) -> str:
        return f".{self.file}.{self.token}.part"

    @property
    def fenced(self) -> str:
        return f".{self.file}.{self.token}.fenced"

    @property
    def mark(self) -> str:
        return f".{self.file}.{self.token}.mark"

    @property
    def all(self) -> tuple[str, str, str]:
        return (self.part, self.fenced, self.mark)


class Flush:
    """Works on claimed runs. Safe to use from several threads: between runs it keeps only which exports it leaves
    alone."""

    def __init__(
        self,
        database: Database,
        installation: Installation,
        secret: Secret,
        clock: Clock,
        instruments: Instruments,
        *,
        short_retries: int = 3,
        version: str = __version__,
    ) -> None:
        self._database = database
        self._installation = installation
        self._secret = secret
        self._clock = clock
        self._instruments = instruments
        self._short_retries = short_retries
        self._version = version[:32]
        self._left_alone: dict[str, datetime] = {}

    def attempt(self, claim: Claim) -> None:
        """One attempt of a run, settled whatever happens. Raises what keeps it from being settled, nothing else."""
        bound = log.bind(run=claim.run_id, export=claim.export_id, attempt=claim.attempt)
        try:
            self._deliver(claim)
        except StaleLeaseError:
            bound.warning(_STALE)
        except UnavailableError as error:
            bound.warning(_LEFT, reason=str(error))
        except ElsewhereError as error:
            self._give_back(claim, error, bound)
        except (TransientError, DestinationError) as error:
            self._settle_error(claim, error, bound)
        except UnreadableError as error:
            self._settle_error(claim, TransientError(str(error)), bound)
        except Exception as error:  # noqa: BLE001 - whatever it is, the process lives and the run says so
            self._settle_bug(claim, error)
        else:
            self._count(claim)

    # the steps of a delivery

    def _deliver(self, claim: Claim) -> None:
        run = self._hold(claim)
        if run["departed_attempt"] is not None:
            if not self._fence(claim, run):
                self._settle(claim, run)
                return
            if run["abandon_by"] is not None:
                self._give_up(claim, run, who=run["abandon_by"], reason=run["abandon_reason"])
                return
        else:
            if claim.attempt > 1:
                self._sweep_interrupted(claim, run)
            if run["resend_of"] is None and self._wants_resealing(claim, run):
                if not self._reseal(claim):
                    self._sweep(claim, run)
                    return
                run = self._hold(claim)
            if run["resend_of"] is None and self._renumbered(claim, run):
                run = self._hold(claim)
        try:
            self._send(claim, run)
        except UnrenderedError as found:
            if self._are_fixed(run):
                raise
            self._send_without(claim, run, found)

    def _renumbered(self, claim: Claim, run: RowMapping) -> bool:
        """Whether the run got another number: the place has had its own, of a run that this database does not know."""
        with self._database.read() as connection:
            definition = claims.definition_of(connection, claim)
        if not definition.file.is_numbered:
            return False
        last = self._open(definition.destination).last_given(claim.export_id)
        if (
            last is None
            or last.number < run["sequence"]
            or last == GivenNumber(run["sequence"], run["run_id"])
        ):
            return False
        with self._database.write() as connection:
            numbering.renumber(connection, claim, last.number)
        log.warning(
            "file numbers go on behind the last that the place has had: was the database restored?",
            export=claim.export_id,
            run=claim.run_id,
            number=run["sequence"],
            last=last.number,
        )
        return True

    @staticmethod
    def _are_fixed(run: RowMapping) -> bool:
        """Whether the run's bytes are: once something may have left, and for a resend."""
        return run["departed_attempt"] is not None or run["resend_of"] is not None

    def _send_without(self, claim: Claim, run: RowMapping, found: UnrenderedError) -> None:
        """Holds the rows that cannot be rendered, and sends what is left: nothing of the run has left yet."""
        reference = defects.noted("render", found.error, run=claim.run_id, lines=list(found.lines)[:20])
        held = self._held_rows(claim, found, reference)
        if self._reseal(claim, held):
            self._send(claim, self._hold(claim))
        else:
            self._sweep(claim, run)

    def _held_rows(self, claim: Claim, found: UnrenderedError, reference: str) -> Mapping[Place, Waits]:
        waits = Waits("defect", f"its row could not be written: {defects.told(reference)}")
        with self._database.read() as connection:
            return dict.fromkeys(run_rows.places_of(connection, claim.run_id, found.lines), waits)

    def _hold(self, claim: Claim) -> RowMapping:
        with self._database.write() as connection:
            return claims.hold(connection, claim)

    def _wants_resealing(self, claim: Claim, run: RowMapping) -> bool:
        """Each attempt but the first seals anew; so does the first where it had to wait, as in a pause."""
        if claim.attempt > 1:
            return True
        with self._database.read() as connection:
            return claims.is_outdated(connection, claim, run)

    def _reseal(self, claim: Claim, held: Mapping[Place, Waits] | None = None) -> bool:
        for attempt in self._database.retrying():
            with attempt, self._database.write() as connection:
                share_catalogue(connection)
                left = starting.reseal(connection, claim, self._clock(), held or {})
                starting.note_sealed(connection, claim.run_id)
                reached(Arrow.RESEAL_BEFORE_COMMIT, claim.export_id)
        reached(Arrow.RESEAL_COMMITTED, claim.export_id)
        return left

    def _send(self, claim: Claim, run: RowMapping) -> None:
        with self._database.read() as connection:
            current = claims.definition_of(connection, claim)
            pinned = run_rows.pinned(connection, run)
        destination = self._open(current.destination)
        names = Names(run["file_name"], claim.token)
        replace = self._own_file(claim, names.file) if current.file.if_exists == "replace" else None
        destination.require_free(names.file, replace=replace)
        with _begun():
            self._put(claim, run, pinned, destination, names, replace)
        self._settle(claim, run)

    def _put(
        self,
        claim: Claim,
        run: RowMapping,
        pinned: Definition,
        destination: FileDestination,
        names: Names,
        replace: Replaceable | None,
    ) -> None:
        try:
            uploaded = self._upload(destination, names, run, pinned)
            destination.require_free(names.file, replace=replace)
            self._check_bytes(run, uploaded)
        except Exception:
            destination.discard([names.part, names.mark])
            raise
        self._depart(claim, destination, names, uploaded)
        if pinned.file.is_numbered and run["resend_of"] is None:
            destination.note_given(claim.export_id, GivenNumber(run["sequence"], run["run_id"]))
        reached(Arrow.RENAME_BEFORE, claim.export_id)
        destination.publish(names.part, names.file, replace=replace)
        reached(Arrow.RENAME_DONE, claim.export_id)

    def _own_file(self, claim: Claim, name: str) -> Replaceable:
        """Only what the export itself wrote is ever replaced."""

        def is_own(sha256: str) -> bool:
            with self._database.read() as connection:
                return has_sent(connection, claim.export_id, name, sha256)

        return is_own

    def _upload(
        self, destination: FileDestination, names: Names, run: RowMapping, pinned: Definition
    ) -> Uploaded:
        retries = Retrying(
            stop=stop_after_attempt(self._short_retries),
            wait=wait_random_exponential(multiplier=0.2, max=2),
            retry=retry_if_exception_type(TransientError),
            reraise=True,
        )
        for attempt in retries:
            with attempt, self._database.read() as connection:
                reached(Arrow.UPLOAD_BEFORE, run["export_id"])
                chunks = _rendered(connection, run, pinned)
                uploaded = destination.upload(names.part, _passing(chunks, run["export_id"]), mark=names.mark)
        reached(Arrow.UPLOAD_DONE, run["export_id"])
        return uploaded

    def _check_bytes(self, run: RowMapping, uploaded: Uploaded) -> None:
        """Once something may have left, or for a resend, the bytes are fixed."""
        if self._are_fixed(run) and uploaded.sha256 != run["sha256"]:
            raise RuntimeError("the file was rendered differently from the one that may have been sent")

    def _depart(self, claim: Claim, destination: FileDestination, names: Names, uploaded: Uploaded) -> None:
        """Commits that the file may go from now on. Where it is not known whether the commit took effect, the
        temporary file stays: its absence would mean that it had gone."""
        try:
            with self._database.write() as connection:
                facts = FileFacts(uploaded.sha256, uploaded.bytes)
                claims.depart(connection, claim, facts)
                reached(Arrow.DEPART_BEFORE_COMMIT, claim.export_id)
        except StaleLeaseError:
            destination.discard([names.part, names.mark])
            raise
        reached(Arrow.DEPART_COMMITTED, claim.export_id)

    def _fence(self, claim: Claim, run: RowMapping) -> bool:
        """Makes sure that no earlier attempt can still rename; True: none of them had."""
        with self._database.read() as connection:
            earlier = claims.earlier_attempts(connection, claim)
            departed = next(row for row in earlier if row["number"] == run["departed_attempt"])
            document = load_document(connection, claim.export_id, departed["revision"])
            require_known(document["destination"])
            destination = self._open(document["destination"])
        first = Names(run["file_name"], departed["token"])
        later = [
            Names(run["file_name"], row["token"]) for row in earlier if row["number"] > departed["number"]
        ]
        # Oldest first: files only ever move to a later attempt's name, so no move slips past this search.
        searched = [first.part, *(names.fenced for names in later)]
        reached(Arrow.FENCE_BEFORE, claim.export_id)
        found = destination.fence(searched, Names(run["file_name"], claim.token).fenced, mark=first.mark)
        reached(Arrow.FENCE_DONE, claim.export_id)
        return found

    def _settle(self, claim: Claim, run: RowMapping) -> None:
        for attempt in self._database.retrying():
            with attempt, self._database.write() as connection:
                receipts.settle_delivered(connection, claim, self._clock())
                reached(Arrow.SETTLE_BEFORE_COMMIT, claim.export_id)
        reached(Arrow.SETTLE_COMMITTED, claim.export_id)
        self._sweep(claim, run)

    def _sweep_interrupted(self, claim: Claim, run: RowMapping) -> None:
        """Nothing of the run can have left: what attempts that died or were cut off wrote is of no use to anybody."""
        with self._database.read() as connection:
            earlier = claims.earlier_attempts(connection, claim)
        last = claim.attempt - 1
        interrupted = [row for row in earlier if row["outcome"] is None or row["number"] == last]
        names = [Names(run["file_name"], row["token"]) for row in interrupted]
        self._discard(claim.export_id, names, {row["revision"] for row in interrupted})

    def _sweep(self, claim: Claim, run: RowMapping) -> None:
        """The run is closed: removes what its attempts left behind, and those of the run before, whose worker may
        have died before it came to this. What cannot be done now is left to `sweep_closed`."""
        try:
            self._sweep_run(run["export_id"], run["run_id"], run["file_name"])
            with self._database.read() as connection:
                before = claims.unswept(connection, claim.export_id, limit=1)
            for closed in before:
                self._sweep_run(closed["export_id"], closed["run_id"], closed["file_name"])
        except UnavailableError:
            return
        except Exception as error:  # noqa: BLE001 - the run itself is settled
            defects.noted("sweep", error, run=claim.run_id, export=claim.export_id)

    def unswept(self, besides: Collection[str] = ()) -> list[RowMapping]:
        """Closed runs that nobody has swept, but for these. Raises UnavailableError."""
        with self._database.read() as connection:
            return claims.unswept(connection, besides=besides)

    def sweep_closed(self) -> None:
        """Sweeps every closed run that nobody has swept. Raises UnavailableError."""
        for run in self.unswept():
            self.sweep_one(run)

    def sweep_one(self, run: RowMapping) -> None:
        """Removes what attempts on a closed run left behind. Raises UnavailableError."""
        reached(Step.SWEEP, run["export_id"])
        is_old = self._clock() - run["finished_at"] > _GIVEN_UP
        self._sweep_run(run["export_id"], run["run_id"], run["file_name"], give_up=is_old)

    def _sweep_run(self, export_id: str, run_id: str, file_name: str, *, give_up: bool = False) -> None:
        with self._database.read() as connection:
            closed = claims.attempts_of(connection, run_id)
        names = [Names(file_name, row["token"]) for row in closed]
        if self._discard(export_id, names, {row["revision"] for row in closed}) or give_up:
            with self._database.write() as connection:
                claims.note_swept(connection, run_id)

    def _discard(self, export_id: str, attempts: Sequence[Names], revisions: Iterable[int]) -> bool:
        """Removes the attempts' temporary files wherever these revisions send to. False: some may still be there."""
        with self._database.read() as connection:
            places = [load_document(connection, export_id, each)["destination"] for each in revisions]
        gone = True
        for place in places:
            with suppress(DestinationError):  # what cannot be opened any more keeps what lies there
                gone &= self._open(place).discard([name for names in attempts for name in names.all])
        return gone

    def _open(self, options: Mapping[str, Any]) -> FileDestination:
        kind = DESTINATIONS.get(options["type"])
        if kind is None:
            raise DestinationError(
                f"destination type {options['type']!r} is not known to this version; known: {', '.join(DESTINATIONS)}"
            )
        return kind.open(options, self._installation, self._secret)

    # what happens next

    def _settle_error(self, claim: Claim, error: TransientError | DestinationError, bound: Any) -> None:
        now = self._clock()
        if isinstance(error, DestinationError):
            if self._try_settle(
                claim, lambda connection: receipts.settle_failed(connection, claim, str(error), now), bound
            ):
                bound.error("the run failed; a person must act", reason=str(error))
            return
        jitter = random.random()
        delay = next_attempt_delay(claim.attempt, jitter=jitter, retry_after=error.retry_after)
        if self._try_settle(
            claim,
            lambda connection: receipts.settle_waiting(connection, claim, str(error), delay, now),
            bound,
        ):
            bound.warning("the run waits", reason=str(error), seconds=round(delay.total_seconds()))

    def _settle_bug(self, claim: Claim, error: Exception) -> None:
        """The run fails; another version of the program tries it again by itself."""
        reference = defects.noted("attempt", error, run=claim.run_id, export=claim.export_id)
        text = f"an error of the program, not of the destination; look for reference {reference} in the log"
        now, version = self._clock(), self._version

        def settle(connection: Connection, *, tells: bool = True) -> None:
            receipts.settle_failed(connection, claim, text, now, defect_version=version, tells=tells)

        bound = log.bind(run=claim.run_id, export=claim.export_id)
        try:
            self._try_settle(claim, settle, bound)
        except Exception as more:  # noqa: BLE001 - a run that cannot be told of is closed all the same
            defects.noted("settle", more, run=claim.run_id, export=claim.export_id)
            self._try_settle(claim, partial(settle, tells=False), bound)

    def _give_back(self, claim: Claim, error: ElsewhereError, bound: Any) -> None:
        """Another worker may see the place: the run is as it was, and this worker leaves the export alone a while."""
        self._left_alone[claim.export_id] = self._clock() + _LEFT_ALONE
        try:
            for attempt in self._database.retrying():
                with attempt, self._database.write() as connection:
                    give_back(connection, claim, str(error))
        except StaleLeaseError:
            bound.warning(_STALE)
        except UnavailableError:
            bound.warning(_LEFT, reason=str(error))
        else:
            bound.warning("the run is left to another worker", reason=str(error))

    def left_alone(self) -> Collection[str]:
        """Exports whose places this worker did not see a moment ago."""
        now = self._clock()
        return [export_id for export_id, until in list(self._left_alone.items()) if until > now]

    def _try_settle(self, claim: Claim, settle: Callable[[Connection], None], bound: Any) -> bool:
        """Settles and counts; False where the database is down or the run is another's: the lease's end does it."""
        try:
            for attempt in self._database.retrying():
                with attempt, self._database.write() as connection:
                    settle(connection)
        except StaleLeaseError:
            bound.warning(_STALE)
            return False
        except UnavailableError as error:
            bound.warning(_LEFT, reason=str(error))
            return False
        reached(Arrow.WAIT_COMMITTED, claim.export_id)
        self._count(claim)
        return True

    def _count(self, claim: Claim) -> None:
        """A count that is lost, with the database or by a defect, is no more than that: the run is settled."""
        try:
            reached(Step.COUNT, claim.export_id)
            self._count_run(claim)
        except UnavailableError:
            return
        except Exception as error:  # noqa: BLE001 - the run itself is settled
            defects.noted("count", error, run=claim.run_id, export=claim.export_id)

    def _count_run(self, claim: Claim) -> None:
        with self._database.read() as connection:
            run = run_rows.get(connection, claim.run_id)
            kind = claims.definition_of(connection, claim).destination["type"]
        assert run is not None
        outcome = run["state"]
        if outcome == "delivered":
            log.info(
                "delivered", run=claim.run_id, export=claim.export_id, file=run["file_name"], rows=run["rows"]
            )
        self._instruments.attempts.labels(kind, outcome).inc()
        self._instruments.runs.labels(claim.export_id, run["trigger"], outcome).inc()
        if outcome == "delivered":
            self._instruments.rows.labels(claim.export_id, "delivered").inc(run["rows"])
            self._instruments.run_seconds.observe((run["finished_at"] - run["started_at"]).total_seconds())

    # what a person asks for

    def abandon(self, claim: Claim, *, who: str, reason: str | None, unsent: bool) -> int:
        """Gives a claimed run up; returns how many entries are buffered again.

        A file that may have left is fenced first; RefusedError where it has left: then the run is delivered.
        `unsent`: a person has seen that it did not arrive and the place cannot be asked.
        """
        run = self._hold(claim)
        if run["departed_attempt"] is not None and not unsent and not self._fence(claim, run):
            self._settle(claim, run)
            raise RefusedError(
                f"run {claim.run_id}: its file had been sent; the run is delivered, not abandoned"
            )
        return self._give_up(claim, run, who=who, reason=reason)

    def _give_up(self, claim: Claim, run: RowMapping, *, who: str, reason: str | None) -> int:
        with self._database.write() as connection:
            released = receipts.settle_abandoned(connection, claim, who=who, reason=reason, now=self._clock())
        if run["file_name"] is not None:
            self._sweep(claim, run)
        return released


class UnrenderedError(Exception):
    """Rows of a run that cannot be rendered: their lines, and what the first of them met."""

    def __init__(self, lines: Sequence[int], error: Exception) -> None:
        super().__init__(f"{len(lines)} rows of the run could not be rendered")
        self.lines = lines
        self.error = error


def require_readable(connection: Connection, claim: Claim) -> None:
    """Raises UnreadableError where this version does not know all of what the run's definition asks for."""
    require_known(claims.definition_of(connection, claim).destination)
    run = run_rows.get(connection, claim.run_id)
    assert run is not None
    run_rows.pinned(connection, run)


def _rendered(connection: Connection, run: RowMapping, pinned: Definition) -> Iterator[bytes]:
    """The file's bytes. Raises UnrenderedError, which names every row that cannot be rendered."""
    rows = _Rows(connection, run)
    try:
        yield from render(rows, pinned.fields, pinned.file)
    except DBAPIError:
        raise
    except Exception as error:
        if rows.line == 0:
            raise  # the header
        lines = _broken_lines(connection, run, pinned) or [rows.line]
        raise UnrenderedError(lines, error) from error


class _Rows:
    """The run's rows as they are asked for; `line` is the last that was."""

    def __init__(self, connection: Connection, run: RowMapping) -> None:
        self._connection = connection
        self._run = run
        self.line = 0

    def __iter__(self) -> Iterator[list[Any]]:
        for values in run_rows.lines(self._connection, self._run):
            self.line += 1
            yield _row(values)


def _row(values: str) -> list[Any]:
    reached(Step.ROW_RENDERED, values)
    row: list[Any] = orjson.loads(values)
    return row


def _broken_lines(connection: Connection, run: RowMapping, pinned: Definition) -> list[int]:
    """Each row rendered by itself."""
    form, broken = FORMATS[pinned.file.format], []
    for line, values in enumerate(run_rows.lines(connection, run), start=1):
        try:
            form.row(_row(values), pinned.fields, pinned.file)
        except Exception:  # noqa: BLE001 - whatever it is, this row meets it
            broken.append(line)
    return broken


@contextmanager
def _begun() -> Iterator[None]:
    """From here on an attempt counts, whatever becomes of the place: it may have written something."""
    try:
        yield
    except ElsewhereError as error:
        raise TransientError(str(error)) from None


def _passing(chunks: Iterable[bytes], export_id: str) -> Iterator[bytes]:
    for chunk in chunks:
        yield chunk
        reached(Arrow.UPLOAD_HALF, export_id)
