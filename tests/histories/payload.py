"""What arrived at the SIS, row by row: is each what it had to be at a moment, in order, and once?"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime

from tests.histories.expected import Row, again, belongs, is_never_sent, row_of, says_the_same
from tests.histories.installation import Arrival, Sent
from tests.histories.record import Key, Record, Revision, Version


@dataclass(frozen=True, slots=True)
class Holding:
    """A row that the SIS was given."""

    version: int
    action: str
    row: Row
    revision: Revision
    run_id: str


class Payloads:
    """Takes arrivals in one after another, and knows what the SIS has."""

    def __init__(self, record: Record) -> None:
        self._record = record
        self._given: dict[tuple[str, Key], list[Holding]] = defaultdict(list)
        self._lines: dict[str, tuple[str, ...]] = {}
        self._last_sequence: dict[str, int] = defaultdict(int)

    def holding(self, export_id: str, key: Key) -> Holding | None:
        """What the SIS has of a tardy now: its last row, unless that took it back."""
        given = self._given[(export_id, key)]
        return given[-1] if given and given[-1].action != "void" else None

    def disown(self, run_id: str) -> None:
        """A person has seen that the run's file did not arrive; whether or not that is so, it counts no more."""
        for given in self._given.values():
            given[:] = [holding for holding in given if holding.run_id != run_id]

    def take(self, arrival: Arrival) -> None:
        """Raises AssertionError naming the row that is wrong."""
        about = f"{arrival.name} of {arrival.export_id}"
        if arrival.resent:
            assert self._lines[arrival.sha256] == arrival.lines, f"{about} was not sent before"
            return
        self._lines[arrival.sha256] = arrival.lines
        last = self._last_sequence[arrival.export_id]
        assert arrival.sequence > last, f"{about}: number {arrival.sequence} after {last}"
        self._last_sequence[arrival.export_id] = arrival.sequence
        assert len(arrival.lines) == len(arrival.rows), f"{about}: {len(arrival.lines)} lines"
        revision = self._record.exports[arrival.export_id].revisions[arrival.revision - 1]
        moments = range(max(arrival.sealed_after, revision.since), arrival.moment + 1)
        wrong = [self._wrong(arrival, revision, moment) for moment in moments]
        assert not all(wrong), f"{about} is right at no moment of {moments}; at the last: {wrong[-1]}"
        for sent, line in zip(arrival.rows, arrival.lines, strict=True):
            self._give(
                arrival.export_id,
                sent,
                Holding(sent.version, sent.action, line.split(","), revision, arrival.run_id),
            )

    def _give(self, export_id: str, sent: Sent, holding: Holding) -> None:
        given = self._given[(export_id, sent.key)]
        about = f"{export_id}: {holding.action} of version {sent.version} of {sent.key}"
        before = given[-1] if given else None
        fresh = before is None or before.action == "void"
        assert (sent.action == "add") == fresh, f"{about} after {before}"
        if before is not None:
            again_after_void = sent.version == before.version and before.action == "void"
            assert sent.version > before.version or again_after_void, f"{about} after {before}"
        given.append(holding)

    def _wrong(self, arrival: Arrival, revision: Revision, moment: int) -> str | None:
        """The first row that is not as it had to be at this moment, or None."""
        if self._record.exports[arrival.export_id].at(moment) is not revision:
            return "another revision was in force"
        added = [self._place(sent) for sent in arrival.rows if sent.action != "void"]
        if added != sorted(added):
            return "rows are not in order of time"
        for number, (sent, line) in enumerate(zip(arrival.rows, arrival.lines, strict=True), start=1):
            if sent.version != self._record.head(sent.key, moment):
                return f"line {number}: version {sent.version} of {sent.key} was not the newest"
            wanted = self._wanted(arrival.export_id, sent, revision, moment, number)
            if wanted is None or ",".join(wanted) != line:
                return f"line {number}: {line}, wanted {wanted}"
        return None

    def _place(self, sent: Sent) -> tuple[datetime, str]:
        return self._record.tardies[sent.key][sent.version].occurred_at, sent.key[1]

    def _wanted(self, export_id: str, sent: Sent, revision: Revision, moment: int, line: int) -> Row | None:
        version = self._record.tardies[sent.key][sent.version]
        holding = self.holding(export_id, sent.key)
        stays = self.stays(export_id, sent.key, revision, moment)
        if sent.action == "void":
            return None if holding is None or stays else self._void(sent.key, holding, revision, moment, line)
        if not stays or is_never_sent(self._record, version, moment):
            return None
        if sent.action == "change" and self._is_idle(holding, version, revision, moment):
            return None
        return row_of(self._record, revision, version, moment, sent.action, line)

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

    def _void(self, key: Key, holding: Holding, revision: Revision, moment: int, line: int) -> Row | None:
        """The row last given, once more: in today's columns where they have changed."""
        row: Row | None = holding.row
        if holding.revision.document["fields"] != revision.document["fields"]:
            given = self._record.tardies[key][holding.version]
            row = row_of(self._record, revision, given, moment, "add", line)
        return None if row is None else again(revision, row, "void", line)
