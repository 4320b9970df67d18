"""When every fault is over: everything that can go has gone, and what has not has its reason."""

from __future__ import annotations

from sqlalchemy import RowMapping

from tests.histories.expected import is_never_sent, row_of, same, says_the_same
from tests.histories.invariants import Facts
from tests.histories.payload import Holding, Payloads
from tests.histories.record import Export, Record, Version


class Ending:
    """Judges one tardy in one export after the other."""

    def __init__(self, record: Record, payloads: Payloads, facts: Facts) -> None:
        self._record = record
        self._payloads = payloads
        self._facts = facts

    def check(self) -> None:
        """Raises AssertionError naming the tardy that should have gone, or should not."""
        for export in self._record.exports.values():
            if export.active:
                assert self._facts.open_run(export.export_id) is None, f"{export.export_id} is still busy"
                for head in self._record.heads(export.district):
                    self._check(export, head)

    def _check(self, export: Export, head: Version) -> None:
        holding = self._payloads.holding(export.export_id, head.key)
        stays = self._payloads.stays(export.export_id, head.key, export.now, self._record.moment)
        entries = self._facts.of_tardy.get((export.export_id, head.key), [])
        entry = entries[-1] if entries else None
        about = f"{export.export_id}: version {head.number} of {head.key}: {_shown(entry)}"
        if holding is None:
            assert not stays, f"{about}; it belongs and the SIS has nothing of it"
            self._check_unsent(head, entry, about)
        elif holding.version < head.number:
            assert entry is not None and entry["version"] == head.number, f"{about}; older rows went"
            if stays and is_never_sent(self._record, head, self._record.moment):
                assert entry["state"] in ("not_required", "ignored"), f"{about}; its code is never sent"
            else:
                self._check_correction(export, head, holding, entry, about, stays=stays)

    def _check_unsent(self, head: Version, entry: RowMapping | None, about: str) -> None:
        if entry is not None and entry["state"] == "not_required":
            assert is_never_sent(self._record, head, self._record.moment), f"{about}; its code is sent"
        else:
            assert entry is None or entry["state"] in ("cancelled", "delivered"), about

    def _check_correction(
        self, export: Export, head: Version, holding: Holding, entry: RowMapping, about: str, *, stays: bool
    ) -> None:
        policy = export.now.document.get("corrections", "hold")
        if policy == "ignore":
            assert entry["state"] == "ignored", f"{about}; corrections are ignored"
        elif entry["state"] == "ignored":
            assert self._was_the_same(export, head, holding), f"{about}; it reads otherwise than what went"
        else:
            wanted = ("held", "correction")
            assert policy == "hold", f"{about}; corrections are sent, stays={stays}"
            assert (entry["state"], entry["reason_code"]) == wanted, f"{about}; corrections are held"
            given = self._record.tardies[head.key][holding.version]
            owed = (
                head.voided or not stays or not self._says_the_same(export, head, given, self._record.moment)
            )
            assert owed, f"{about}; the tardy itself has changed nothing in its row"

    def _was_the_same(self, export: Export, head: Version, holding: Holding) -> bool:
        """Whether the newest version read like the row that went, at a moment since it was known or saved."""
        if head.voided:
            return False
        revision, given = export.now, self._record.tardies[head.key][holding.version]
        for moment in range(max(head.since, revision.since), self._record.moment + 1):
            if self._says_the_same(export, head, given, moment):
                return True
            row = row_of(self._record, revision, head, moment, "change", 1)
            before: list[str] | None = holding.row
            if holding.revision.document["fields"] != revision.document["fields"]:
                before = row_of(self._record, revision, given, moment, "add", 1)
            if row is not None and before is not None and same(revision, before, row):
                return True
        return False

    def _says_the_same(self, export: Export, head: Version, given: Version, moment: int) -> bool:
        return says_the_same(self._record, export.now, given, head, moment)


def _shown(entry: RowMapping | None) -> str:
    if entry is None:
        return "no entry"
    return f"version {entry['version']} is {entry['state']} ({entry['reason_code']}: {entry['reason']})"
