"""What arrived at the SIS, row by row: is each what it had to be at a moment, in order, and once?"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from tests.histories.cells import Row, rendered
from tests.histories.expected import again, belongs, group_of, is_never_sent, row_of, says_the_same
from tests.histories.installation import Arrival, Sent
from tests.histories.policies import is_late, lets_go
from tests.histories.record import Key, Record, Revision, Version


@dataclass(frozen=True, slots=True)
class Holding:
    """A row that the SIS was given."""

    version: int
    action: str
    row: Row
    revision: Revision
    run_id: str


class Wrong(Exception):
    """A file is not as it had to be at a moment."""


class Payloads:
    """Takes arrivals in one after another, and knows what the SIS has."""

    def __init__(self, record: Record) -> None:
        self._record = record
        self._given: dict[tuple[str, Key], list[Holding]] = defaultdict(list)
        self._contents: set[str] = set()
        self._seen_to: dict[tuple[str, Key], int] = {}
        self._last_sequence: dict[str, int] = defaultdict(int)

    def holding(self, export_id: str, key: Key) -> Holding | None:
        """What the SIS has of a tardy now: its last row, unless that took it back, or a person has seen to that."""
        given = self._given[(export_id, key)]
        if not given or given[-1].action == "void" or self.is_seen_to(export_id, key):
            return None
        return given[-1]

    def is_seen_to(self, export_id: str, key: Key) -> bool:
        """Whether a person has dismissed a void of what was last given: it is no longer there."""
        given = self._given[(export_id, key)]
        return bool(given) and self._seen_to.get((export_id, key), 0) > given[-1].version

    def see_to(self, export_id: str, key: Key, version: int | None) -> None:
        """A person dismisses the void in this version; None: and takes that back."""
        if version is None:
            self._seen_to.pop((export_id, key), None)
        else:
            self._seen_to[(export_id, key)] = version

    def disown(self, run_id: str) -> None:
        """A person has seen that the run's file did not arrive; whether or not that is so, it counts no more."""
        for given in self._given.values():
            given[:] = [holding for holding in given if holding.run_id != run_id]

    def take(self, arrival: Arrival) -> None:
        """Raises AssertionError naming the row that is wrong."""
        about = f"{arrival.name} of {arrival.export_id}"
        if arrival.resent:
            assert arrival.sha256 in self._contents, f"{about} was not sent before"
            return
        self._contents.add(arrival.sha256)
        last = self._last_sequence[arrival.export_id]
        assert arrival.sequence > last, f"{about}: number {arrival.sequence} after {last}"
        self._last_sequence[arrival.export_id] = arrival.sequence
        revision = self._record.exports[arrival.export_id].revisions[arrival.revision - 1]
        self._check_size(arrival, revision, about)
        for sent, row in zip(arrival.rows, self._rows(arrival, revision, about), strict=True):
            holding = Holding(sent.version, sent.action, row, revision, arrival.run_id)
            self._give(arrival.export_id, sent, holding)

    def _check_size(self, arrival: Arrival, revision: Revision, about: str) -> None:
        document, rows = revision.document, len(arrival.rows)
        guard = document.get("guard")
        is_approved = arrival.run_id in self._record.approved
        assert guard is None or rows <= guard["max_rows"] or is_approved, (
            f"{about}: nobody let {rows} rows go"
        )
        if document["schedule"]["frequency"] == "continuous":
            assert rows <= document["schedule"].get("max_rows", 1000), f"{about}: {rows} rows"
        assert rows or document["file"].get("when_empty") == "send", f"{about}: it is empty"

    def _rows(self, arrival: Arrival, revision: Revision, about: str) -> list[Row]:
        """The rows as they had to be at one moment between sealing and arrival, byte for byte."""
        moments = range(max(arrival.sealed_after, revision.since), arrival.moment + 1)
        wrong = "there is none"
        for moment in reversed(moments):
            try:
                return self._rows_at(arrival, revision, moment)
            except Wrong as problem:
                wrong = str(problem)
        raise AssertionError(f"{about} is right at no moment of {moments}; at the first: {wrong}")

    def _give(self, export_id: str, sent: Sent, holding: Holding) -> None:
        given = self._given[(export_id, sent.key)]
        about = f"{export_id}: {holding.action} of version {sent.version} of {sent.key}"
        before = given[-1] if given else None
        fresh = before is None or before.action == "void" or self.is_seen_to(export_id, sent.key)
        assert (sent.action == "add") == fresh, f"{about} after {before}"
        if before is not None:
            again_after_void = sent.version == before.version and before.action == "void"
            assert sent.version > before.version or again_after_void, f"{about} after {before}"
        given.append(holding)

    def _rows_at(self, arrival: Arrival, revision: Revision, moment: int) -> list[Row]:
        """Raises Wrong naming the first row that is not as it had to be at this moment."""
        if self._record.exports[arrival.export_id].at(moment) is not revision:
            raise Wrong("another revision was in force")
        added = [self._version(sent).occurred_at for sent in arrival.rows if sent.action != "void"]
        if added != sorted(added):
            raise Wrong("rows are not in order of time")
        rows = [
            self._wanted(arrival.export_id, sent, revision, moment, number)
            for number, sent in enumerate(arrival.rows, start=1)
        ]
        if revision.document.get("collapse", "none") != "none":
            self._check_collapsed(arrival, revision, moment)
        if rendered(revision.document, rows) != arrival.content:
            raise Wrong(f"it reads {arrival.content!r}, wanted {rendered(revision.document, rows)!r}")
        return rows

    def _check_collapsed(self, arrival: Arrival, revision: Revision, moment: int) -> None:
        """Of a student's tardies in one day or period only the earliest goes out: none where the SIS has one."""
        taken = set(self.groups(arrival.export_id, arrival.district, revision, moment).values())
        for sent in arrival.rows:
            if sent.action == "add":
                group = group_of(self._record, revision, self._version(sent), moment)
                if group is None or group in taken:
                    raise Wrong(f"{sent.key} is not the only one of {group}")
                taken.add(group)

    def groups(
        self, export_id: str, district: str, revision: Revision, moment: int
    ) -> dict[Key, tuple[str, ...]]:
        """The day or period of each tardy that the SIS has."""
        found = {}
        for key in list(self._record.tardies):
            holding = self.holding(export_id, key) if key[0] == district else None
            if holding is not None:
                given = self._record.tardies[key][holding.version]
                found[key] = group_of(self._record, revision, given, moment)
        return {key: group for key, group in found.items() if group is not None}

    def _version(self, sent: Sent) -> Version:
        return self._record.tardies[sent.key][sent.version]

    def _wanted(self, export_id: str, sent: Sent, revision: Revision, moment: int, line: int) -> Row:
        about = f"line {line}: {sent}"
        if sent.version != self._record.head(sent.key, moment):
            raise Wrong(f"{about} was not the newest")
        self._check_may_go(export_id, sent, revision, moment, about)
        holding = self.holding(export_id, sent.key)
        stays = self.stays(export_id, sent.key, revision, moment)
        if sent.action == "void":
            row = (
                None if holding is None or stays else self.void_row(sent.key, holding, revision, moment, line)
            )
        else:
            row = self._fresh(sent, holding, revision, moment, line) if stays else None
        if row is None:
            raise Wrong(f"{about} had nothing to tell, or could not be written")
        return row

    def _fresh(
        self, sent: Sent, holding: Holding | None, revision: Revision, moment: int, line: int
    ) -> Row | None:
        version = self._version(sent)
        if is_never_sent(self._record, version, moment):
            return None
        if sent.action == "change" and self._is_idle(holding, version, revision, moment):
            return None
        return row_of(self._record, revision, version, moment, sent.action, line)

    def _check_may_go(self, export_id: str, sent: Sent, revision: Revision, moment: int, about: str) -> None:
        """A policy of the definition holds a row back until a person has released it."""
        released = "release" in self._record.decided(export_id, sent.key, sent.version, moment)
        if not lets_go(revision.document, sent.action, released=released):
            raise Wrong(f"{about}: corrections do not go by themselves")
        if released:
            return
        if self.is_seen_to(export_id, sent.key):
            raise Wrong(f"{about}: a person has seen to its void, and has not released it")
        holding = self.holding(export_id, sent.key)
        given = None if holding is None else self._record.tardies[sent.key][holding.version]
        if is_late(self._record, revision, self._version(sent), moment, given):
            raise Wrong(f"{about}: it came too late, or from a wrong clock")

    def _is_idle(self, holding: Holding | None, version: Version, revision: Revision, moment: int) -> bool:
        """Whether a change would tell the SIS of what was saved since alone, and of nothing in the tardy."""
        if holding is None:
            return False
        given = self._record.tardies[version.key][holding.version]
        return says_the_same(self._record, revision, given, version, moment)

    def stays(self, export_id: str, key: Key, revision: Revision, moment: int) -> bool:
        """Whether the newest version has its place in the SIS. Narrowing a definition takes nothing back, nor does
        an administrator's word that its code is never sent."""
        head = self._record.tardies[key][self._record.head(key, moment)]
        if head.voided:
            return False
        holding = self.holding(export_id, key)
        is_owed = belongs(self._record, revision, head, moment)
        is_spared = is_never_sent(self._record, head, moment)
        if holding is None:
            return is_owed and not is_spared
        sent = self._record.tardies[key][holding.version]
        left = not is_owed and belongs(self._record, revision, sent, moment)
        return not left and not (is_spared and not is_never_sent(self._record, sent, moment))

    def void_row(self, key: Key, holding: Holding, revision: Revision, moment: int, line: int) -> Row | None:
        """The row last given, once more: in today's columns where they have changed."""
        row: Row | None = holding.row
        if holding.revision.document["fields"] != revision.document["fields"]:
            given = self._record.tardies[key][holding.version]
            row = row_of(self._record, revision, given, moment, "void", line)
        return None if row is None else again(revision, row, "void", line)
