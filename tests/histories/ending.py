"""When every fault is over: everything that can go has gone, and what has not has its reason."""

from __future__ import annotations

from sqlalchemy import RowMapping

from tests.histories.cells import Row
from tests.histories.expected import group_of, is_never_sent, row_of, same, says_the_same
from tests.histories.invariants import Facts
from tests.histories.payload import Holding, Payloads
from tests.histories.policies import is_late, lets_go
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
        if holding is None and stays:
            self._check_absent(export, head, entry, about)
        elif holding is None:
            self._check_unsent(export, head, entry, about)
        elif holding.version < head.number:
            assert entry is not None and entry["version"] == head.number, f"{about}; older rows went"
            if entry["state"] == "dismissed":
                assert self._said(export, head) == "dismiss", f"{about}; nobody said so"
            elif stays and is_never_sent(self._record, head, self._record.moment):
                assert entry["state"] in ("not_required", "ignored"), f"{about}; its code is never sent"
            else:
                self._check_correction(export, head, holding, entry, about, stays=stays)

    def _said(self, export: Export, head: Version) -> str | None:
        """What a person has decided last about the newest version."""
        said = self._record.decided(export.export_id, head.key, head.number, self._record.moment)
        return said[-1] if said else None

    def _check_absent(self, export: Export, head: Version, entry: RowMapping | None, about: str) -> None:
        """It belongs, and the SIS has nothing of it: it waits for a person or for what nobody will say any more, or
        another one of its day or period went."""
        assert entry is not None and entry["version"] == head.number, f"{about}; it belongs and was not taken"
        match entry["state"]:
            case "dismissed":
                assert self._said(export, head) == "dismiss", f"{about}; nobody said so"
            case "held":
                assert self._is_held(export, head, entry), f"{about}; nothing holds it"
            case "collapsed":
                assert self._is_behind(export, head), f"{about}; none of its day or period went"
            case _:
                raise AssertionError(f"{about}; it belongs and the SIS has nothing of it")

    def _is_held(self, export: Export, head: Version, entry: RowMapping) -> bool:
        record, revision, moment = self._record, export.now, self._record.moment
        if entry["reason_code"] in ("closed", "too-old", "ahead"):
            return is_late(record, revision, head, moment, None) is not False
        if entry["reason_code"] == "correction":
            return self._payloads.is_seen_to(export.export_id, head.key)
        collapses = revision.document.get("collapse", "none") != "none"
        if collapses and group_of(record, revision, head, moment) is None:
            return True
        return row_of(record, revision, head, moment, "add", 1) is None

    def _is_behind(self, export: Export, head: Version) -> bool:
        """Whether the SIS has another of its day or period, by what was known at some time since it was saved or
        came: bells and zones saved long after a day move nobody's place."""
        record, revision = self._record, export.now
        for moment in range(record.moment, 0, -1):
            mine = group_of(record, revision, head, moment)
            theirs = self._payloads.groups(export.export_id, export.district, revision, moment)
            if mine is not None and mine in theirs.values():
                return True
        return False

    def _check_unsent(self, export: Export, head: Version, entry: RowMapping | None, about: str) -> None:
        if entry is not None and entry["state"] == "not_required":
            assert is_never_sent(self._record, head, self._record.moment), f"{about}; its code is sent"
        elif entry is not None and entry["state"] == "dismissed":
            assert self._said(export, head) == "dismiss", f"{about}; nobody said so"
        else:
            assert entry is None or entry["state"] in ("cancelled", "delivered"), about

    def _check_correction(
        self, export: Export, head: Version, holding: Holding, entry: RowMapping, about: str, *, stays: bool
    ) -> None:
        if entry["state"] == "ignored":
            is_ignored = export.now.document.get("corrections", "hold") == "ignore"
            assert is_ignored or self._was_the_same(export, head, holding), f"{about}; it reads otherwise"
            return
        assert entry["state"] == "held", f"{about}; corrections go, or are held; stays={stays}"
        assert self._holds_a_correction(export, head, holding, entry, stays=stays), (
            f"{about}; nothing holds it"
        )
        given = self._record.tardies[head.key][holding.version]
        owed = head.voided or not stays or not self._says_the_same(export, head, given, self._record.moment)
        assert owed, f"{about}; the tardy itself has changed nothing in its row"

    def _holds_a_correction(
        self, export: Export, head: Version, holding: Holding, entry: RowMapping, *, stays: bool
    ) -> bool:
        record, revision, moment = self._record, export.now, self._record.moment
        action = "change" if stays else "void"
        released = self._said(export, head) == "release"
        if entry["reason_code"] == "correction":
            return not lets_go(revision.document, action, released=released)
        if entry["reason_code"] in ("closed", "ahead"):
            given = record.tardies[head.key][holding.version]
            return is_late(record, revision, head, moment, given) is not False
        if stays:
            return row_of(record, revision, head, moment, action, 1) is None
        return self._payloads.void_row(head.key, holding, revision, moment, 1) is None

    def _was_the_same(self, export: Export, head: Version, holding: Holding) -> bool:
        """Whether the newest version read like the row that went, at a moment since it was known or saved."""
        if head.voided:
            return False
        revision, given = export.now, self._record.tardies[head.key][holding.version]
        for moment in range(max(head.since, revision.since), self._record.moment + 1):
            if self._says_the_same(export, head, given, moment):
                return True
            row = row_of(self._record, revision, head, moment, "change", 1)
            before: Row | None = holding.row
            if holding.revision.document["fields"] != revision.document["fields"]:
                before = row_of(self._record, revision, given, moment, "change", 0)
            if row is not None and before is not None and same(revision, before, row):
                return True
        return False

    def _says_the_same(self, export: Export, head: Version, given: Version, moment: int) -> bool:
        return says_the_same(self._record, export.now, given, head, moment)


def _shown(entry: RowMapping | None) -> str:
    if entry is None:
        return "no entry"
    return f"version {entry['version']} is {entry['state']} ({entry['reason_code']}: {entry['reason']})"
