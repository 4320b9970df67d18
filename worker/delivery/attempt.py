"""One attempt of a claimed run, from top to bottom: hold, fence or prepare, send, settle.

A run without a file name sends records."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from sqlalchemy import RowMapping

from worker import defects
from worker.core.judgement.verdicts import Waits
from worker.delivery.aftermath import Aftermath
from worker.delivery.by_file import ByFile
from worker.delivery.by_record import ByRecord
from worker.delivery.means import Means
from worker.delivery.rendering import UnrenderedError, are_fixed
from worker.delivery.sweeping import Sweeping
from worker.errors import RefusedError
from worker.failpoints import Arrow, reached
from worker.store.catalogue.exports_in_force import view_export
from worker.store.database.engine import share_catalogue
from worker.store.entries.matching import EntryKey
from worker.store.runs import claims, receipts, run_rows, starting
from worker.store.runs.claims import Claim
from worker.store.runs.settling_records import give_up, settle_records


class Flush:
    """Works on claimed runs. Safe to use from several threads."""

    def __init__(self, means: Means, by_file: ByFile, by_record: ByRecord, sweeping: Sweeping) -> None:
        self._database = means.database
        self._clock = means.clock
        self._by_file = by_file
        self._by_record = by_record
        self._sweeping = sweeping
        self._aftermath = Aftermath(means)

    def attempt(self, claim: Claim) -> None:
        """One attempt of a run, settled whatever happens. Raises what keeps it from being settled, nothing else."""
        try:
            self._deliver(claim)
        except Exception as error:  # noqa: BLE001 - whatever it is, the process lives and the run says so
            self._aftermath.of(claim, error)
        else:
            self._aftermath.count(claim)

    def stop(self) -> None:
        """Runs of records end where they are; what of them is under way is waited for."""
        self._by_record.stop()

    def left_alone(self) -> Collection[str]:
        """Exports whose places this worker did not see a moment ago."""
        return self._aftermath.left_alone()

    def abandon(self, claim: Claim, *, who: str, reason: str | None, unsent: bool) -> int:
        """Gives a claimed run up, as a person asks; returns how many entries are buffered again.

        A file that may have left is fenced first; RefusedError where it has left: then the run is delivered.
        `unsent`: a person has seen that it did not arrive and the place cannot be asked.
        """
        run = self._hold(claim)
        asks = run["departed_attempt"] is not None and not unsent and not run_rows.is_of_records(run)
        if asks and not self._by_file.fence(claim, run):
            self._settle(claim, run)
            raise RefusedError(
                f"run {claim.run_id}: its file had been sent; the run is delivered, not abandoned"
            )
        return self._give_up(claim, run, who=who, reason=reason)

    # the steps, in their order

    def _deliver(self, claim: Claim) -> None:
        with self._database.write() as connection:
            run, outdated = claims.hold_to_send(connection, claim)
        ready = self._ready(claim, run, outdated)
        if ready is None:
            return
        sent = self._sent(claim, ready)
        if sent is not None:
            self._settle(claim, sent)

    def _hold(self, claim: Claim) -> RowMapping:
        with self._database.write() as connection:
            return claims.hold(connection, claim)

    def _ready(self, claim: Claim, run: RowMapping, outdated: bool) -> RowMapping | None:
        """The run as it is to be sent; None: it has ended, nothing of it is to be sent any more."""
        if run["departed_attempt"] is None:
            return self._prepared(claim, run, outdated)
        if not run_rows.is_of_records(run) and not self._by_file.fence(claim, run):
            self._settle(claim, run)
        elif run["abandon_by"] is not None:
            self._give_up(claim, run, who=run["abandon_by"], reason=run["abandon_reason"])
        elif run_rows.is_of_records(run) and not self._is_active(claim):
            self._give_up(claim, run, who="the program", reason="the export was deleted")
        else:
            return run
        return None

    def _is_active(self, claim: Claim) -> bool:
        with self._database.read() as connection:
            export = view_export(connection, claim.export_id)
        return export is not None and export.active

    def _prepared(self, claim: Claim, run: RowMapping, outdated: bool) -> RowMapping | None:
        """Nothing of the run can have left: it goes as things stand now. None: nothing of it is left to send."""
        if claim.attempt > 1:
            self._sweeping.sweep_interrupted(claim, run)
        if run["resend_of"] is not None:
            return run
        if outdated:
            resealed = self._resealed(claim, run)
            if resealed is None:
                return None
            run = resealed
        return run

    def _resealed(
        self, claim: Claim, run: RowMapping, held: Mapping[EntryKey, Waits] | None = None
    ) -> RowMapping | None:
        """The run sealed anew, without what is to be held; None: it is closed, nothing is left to send."""
        for attempt in self._database.retrying():
            with attempt, self._database.write() as connection:
                share_catalogue(connection)
                left = starting.reseal(connection, claim, self._clock(), held or {})
                starting.note_sealed(connection, claim.run_id)
                reached(Arrow.RESEAL_BEFORE_COMMIT, claim.export_id)
        reached(Arrow.RESEAL_COMMITTED, claim.export_id)
        if left:
            return self._hold(claim)
        self._sweeping.sweep(run)
        return None

    def _sent(self, claim: Claim, run: RowMapping) -> RowMapping | None:
        """The run that went: without the rows that cannot be rendered, as long as nothing of it can have left. None:
        no other row is left."""
        if run_rows.is_of_records(run):
            self._by_record.send(claim, run)
            return run
        try:
            return self._by_file.send(claim, run)
        except UnrenderedError as found:
            if are_fixed(run):
                raise
            rest = self._resealed(claim, run, self._held_rows(claim, found))
            return None if rest is None else self._by_file.send(claim, rest)

    def _held_rows(self, claim: Claim, found: UnrenderedError) -> Mapping[EntryKey, Waits]:
        reference = defects.noted("render", found.error, run=claim.run_id, lines=list(found.lines)[:20])
        waits = Waits("defect", f"its row could not be written: {defects.told(reference)}")
        with self._database.read() as connection:
            return dict.fromkeys(run_rows.places_of(connection, claim.run_id, found.lines), waits)

    def _settle(self, claim: Claim, run: RowMapping) -> None:
        for attempt in self._database.retrying():
            with attempt, self._database.write() as connection:
                settle = settle_records if run_rows.is_of_records(run) else receipts.settle_delivered
                settle(connection, claim, self._clock())
                reached(Arrow.SETTLE_BEFORE_COMMIT, claim.export_id)
        reached(Arrow.SETTLE_COMMITTED, claim.export_id)
        self._sweeping.sweep(run)

    def _give_up(self, claim: Claim, run: RowMapping, *, who: str, reason: str | None) -> int:
        with self._database.write() as connection:
            released = give_up(connection, claim, run, who=who, reason=reason, now=self._clock())
        self._sweeping.sweep(run)
        return released
