"""A run sent to a destination that takes files: uploaded, checked, departing, renamed; or fenced by who takes over."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

import structlog
from sqlalchemy import RowMapping
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from worker.core.definition import Definition
from worker.delivery.rendering import are_fixed, rendered
from worker.destinations.file_port import (
    Departed,
    FileDestination,
    GivenNumber,
    Names,
    Replaceable,
    Uploaded,
)
from worker.destinations.kinds import require_known
from worker.destinations.opening import Opener
from worker.errors import ElsewhereError, StaleLeaseError, TransientError
from worker.failpoints import Arrow, reached
from worker.store.catalogue.exports_in_force import load_document
from worker.store.database.engine import Database
from worker.store.runs import claims, numbering, run_rows
from worker.store.runs.claims import Claim, FileFacts
from worker.store.runs.marked_places import has_sent

SHORT_RETRIES = 3

log = structlog.get_logger("flush")


@dataclass(frozen=True, slots=True)
class _Parcel:
    """A run's file on its way: rendered as `pinned` says, to where the current revision sends."""

    claim: Claim
    run: RowMapping
    pinned: Definition
    destination: FileDestination
    names: Names
    replace: Replaceable | None
    is_numbered: bool  # by the current revision

    def require_free(self) -> None:
        departed = None if self.run["departed_attempt"] is None else _departed(self.run)
        self.destination.require_free(self.names.file, replace=self.replace, departed=departed)

    def discard(self) -> None:
        self.destination.discard([self.names.part, self.names.mark])


class ByFile:
    """Keeps nothing between runs. Its methods raise TransientError or DestinationError, UnavailableError where the
    database is down, StaleLeaseError once the run is another's.

    `short_retries`: how often an upload is tried within one attempt, a second or so apart.
    """

    def __init__(self, database: Database, opener: Opener, *, short_retries: int = SHORT_RETRIES) -> None:
        self._database = database
        self._opener = opener
        self._short_retries = short_retries

    def fence(self, claim: Claim, run: RowMapping) -> bool:
        """Makes sure that no earlier attempt can still rename; True: none of them had."""
        with self._database.read() as connection:
            earlier = claims.earlier_attempts(connection, claim)
            departed = next(row for row in earlier if row["number"] == run["departed_attempt"])
            document = load_document(connection, claim.export_id, departed["revision"])
            require_known(document["destination"])
        first = Names(run["file_name"], departed["token"])
        later = [
            Names(run["file_name"], row["token"]) for row in earlier if row["number"] > departed["number"]
        ]
        # Oldest first: files only ever move to a later attempt's name, so no move slips past this search.
        searched = [first.part, *(names.fenced for names in later)]
        reached(Arrow.FENCE_BEFORE, claim.export_id)
        fenced = Names(run["file_name"], claim.token).fenced
        with closing(self._opener.files(document["destination"])) as destination:
            found = destination.fence(searched, fenced, mark=first.mark, departed=_departed(run))
        reached(Arrow.FENCE_DONE, claim.export_id)
        return found

    def send(self, claim: Claim, run: RowMapping) -> RowMapping:
        """Has the run's file there under its final name; returns the run as it went, perhaps under another number.
        Raises UnrenderedError as well; ElsewhereError only while nothing has been written."""
        with self._parcel(claim, run) as parcel:
            last = self._taken_number(parcel)
            if last is None:
                self._go(parcel)
                return run
        renumbered = self._renumbered(parcel, last)
        with self._parcel(claim, renumbered) as parcel:
            self._go(parcel)
        return renumbered

    def _taken_number(self, parcel: _Parcel) -> int | None:
        """The last number that the place has had, where the run's own is none behind it: of a run that this database
        does not know."""
        run = parcel.run
        if are_fixed(run) or not parcel.is_numbered:
            return None
        last = parcel.destination.last_given(parcel.claim.export_id)
        mine = GivenNumber(run["sequence"], run["run_id"])
        return None if last is None or last.number < mine.number or last == mine else last.number

    def _renumbered(self, parcel: _Parcel, last: int) -> RowMapping:
        claim, run = parcel.claim, parcel.run
        with self._database.write() as connection:
            numbering.renumber(connection, claim, last)
            renumbered = claims.hold(connection, claim)
        log.warning(
            "file numbers go on behind the last that the place has had: was the database restored?",
            export=claim.export_id,
            run=claim.run_id,
            number=run["sequence"],
            last=last,
        )
        return renumbered

    def _go(self, parcel: _Parcel) -> None:
        parcel.require_free()
        with _begun():
            uploaded = self._uploaded(parcel)
            self._depart(parcel, uploaded)
            self._publish(parcel)

    @contextmanager
    def _parcel(self, claim: Claim, run: RowMapping) -> Iterator[_Parcel]:
        with self._database.read() as connection:
            current = claims.definition_of(connection, claim)
            pinned = run_rows.pinned(connection, run)
        names = Names(run["file_name"], claim.token)
        replace = self._own_file(claim, names.file) if current.file.if_exists == "replace" else None
        with closing(self._opener.files(current.destination)) as destination:
            yield _Parcel(claim, run, pinned, destination, names, replace, current.file.is_numbered)

    def _own_file(self, claim: Claim, name: str) -> Replaceable:
        """Only what the export itself wrote is ever replaced."""

        def is_own(sha256: str) -> bool:
            with self._database.read() as connection:
                return has_sent(connection, claim.export_id, name, sha256)

        return is_own

    def _uploaded(self, parcel: _Parcel) -> Uploaded:
        """What lies there under the temporary name, checked; after an error nothing does."""
        try:
            uploaded = self._upload(parcel)
            parcel.require_free()
            _check_bytes(parcel.run, uploaded)
        except Exception:
            parcel.discard()
            raise
        return uploaded

    def _upload(self, parcel: _Parcel) -> Uploaded:
        retries = Retrying(
            stop=stop_after_attempt(self._short_retries),
            wait=wait_random_exponential(multiplier=0.2, max=2),
            retry=retry_if_exception_type(TransientError),
            reraise=True,
        )
        export_id, names = parcel.claim.export_id, parcel.names
        for attempt in retries:
            with attempt, self._database.read() as connection:
                reached(Arrow.UPLOAD_BEFORE, export_id)
                chunks = _passing(rendered(connection, parcel.run, parcel.pinned), export_id)
                uploaded = parcel.destination.upload(names.part, chunks, mark=names.mark)
        reached(Arrow.UPLOAD_DONE, export_id)
        return uploaded

    def _depart(self, parcel: _Parcel, uploaded: Uploaded) -> None:
        """Commits that the file may go from now on. Where it is not known whether the commit took effect, the
        temporary file stays: its absence would mean that it had gone."""
        claim = parcel.claim
        try:
            with self._database.write() as connection:
                claims.depart(connection, claim, FileFacts(uploaded.sha256, uploaded.bytes))
                reached(Arrow.DEPART_BEFORE_COMMIT, claim.export_id)
        except StaleLeaseError:
            parcel.discard()
            raise
        reached(Arrow.DEPART_COMMITTED, claim.export_id)

    def _publish(self, parcel: _Parcel) -> None:
        run, names, export_id = parcel.run, parcel.names, parcel.claim.export_id
        if parcel.pinned.file.is_numbered and run["resend_of"] is None:
            parcel.destination.note_given(export_id, GivenNumber(run["sequence"], run["run_id"]))
        reached(Arrow.RENAME_BEFORE, export_id)
        parcel.destination.publish(names.part, names.file, replace=parcel.replace, key=run["run_id"])
        reached(Arrow.RENAME_DONE, export_id)


def _departed(run: RowMapping) -> Departed:
    return Departed(run["file_name"], run["sha256"], run["bytes"], run["run_id"])


def _check_bytes(run: RowMapping, uploaded: Uploaded) -> None:
    if are_fixed(run) and uploaded.sha256 != run["sha256"]:
        raise RuntimeError("the file was rendered differently from the one that may have been sent")


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
