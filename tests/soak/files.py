"""The account of the files: what the SIS has of each tardy, held against what was published of it."""

from __future__ import annotations

import csv
import io
import json
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.acceptance.tardies import Version
from tests.soak.exports import Export, Revision, Row
from tests.soak.history import History
from tests.soak.journal import Journal

_NUMBERED = re.compile(r"-(\d{6})\.txt$")


@dataclass(frozen=True, slots=True)
class Collected:
    """A file that the SIS has taken, with the name it had."""

    path: Path
    name: str
    order: int


@dataclass(frozen=True, slots=True)
class Sent:
    """One row of one file."""

    titles: tuple[str, ...]
    cells: tuple[str, ...]
    file: str

    @property
    def row(self) -> Row:
        return dict(zip(self.titles, self.cells, strict=True))

    @property
    def action(self) -> str:
        return self.row["Action"]

    def says(self) -> dict[str, str]:
        """All but why it went."""
        return {title: cell for title, cell in self.row.items() if title != "Action"}


def collected(folder: Path) -> list[Collected]:
    """An export's files in the order in which they left."""
    found = []
    for path in folder.iterdir():
        number, _, name = path.name.partition("__")
        sequence = _NUMBERED.search(name)
        found.append(Collected(path, name, int(sequence[1]) if sequence else int(number)))
    return sorted(found, key=lambda one: one.order)


def rows_of(export: Export, file: Collected) -> Iterator[Sent]:
    """The rows of a file."""
    text = file.path.read_bytes().decode("utf-8-sig" if "encoding" in export.written else "utf-8")
    if export.format == "jsonl":
        for line in text.splitlines():
            row = json.loads(line)
            cells = tuple("" if cell is None else str(cell) for cell in row.values())
            yield Sent(tuple(row), cells, file.name)
        return
    delimiter = export.written.get("delimiter", ",")
    titles, *rows = csv.reader(io.StringIO(text, newline=""), strict=True, delimiter=delimiter)
    yield from (Sent(tuple(titles), tuple(row), file.name) for row in rows)


class FileCheck:
    """Holds one export's files against the history. What is wrong goes to the journal; `bad` are the tardies."""

    def __init__(self, export: Export, revisions: Sequence[Revision], folder: Path, journal: Journal) -> None:
        self._export = export
        self._revisions = revisions
        self._folder = folder
        self._journal = journal
        self._sent: dict[str, list[Sent]] = defaultdict(list)
        self.bad: set[str] = set()
        self.held = 0  # that must be held because their row can never be written

    def check(self, history: History, blocks: int) -> None:
        """Looks at every file and every tardy of the first blocks."""
        for file in collected(self._folder):
            for sent in rows_of(self._export, file):
                self._sent[sent.row["Tardy"]].append(sent)
                self._journal.count("rows in files")
            self._journal.count("files collected")
        for versions in history.tardies(blocks):
            if versions[0].key[0] == self._export.district:
                self._check_tardy(versions, self._sent.pop(versions[0].key[1], []))
        for tardy_id, strange in self._sent.items():
            self._wrong("invented", tardy_id, f"no such tardy was published: {_shown(strange)}")

    def _wrong(self, what: str, tardy_id: str, detail: str) -> None:
        self.bad.add(tardy_id)
        self._journal.violation(what, f"{self._export.export_id}, tardy {tardy_id}: {detail}")

    def _check_tardy(self, versions: list[Version], sent: list[Sent]) -> None:
        self._check_sequence(versions, sent)
        self._check_end(versions, sent)

    # what went, row by row

    def _check_sequence(self, versions: list[Version], sent: list[Sent]) -> None:
        """Adds, changes and voids that make sense one after the other, each a row of a published version."""
        tardy_id = versions[0].key[1]
        there: Sent | None = None
        known: list[Version] = []
        last = 0
        for one in sent:
            if one.action == "void":
                self._check_void(tardy_id, there, one, sent)
                there = None
                continue
            known = [version for version in versions if self._export.reads(one.row, version)]
            if not known:
                self._wrong("wrong row", tardy_id, f"a row of no published version: {_shown(sent)}")
            elif max(version.number for version in known) < last:
                self._wrong("out of order", tardy_id, f"an earlier version after a later one: {_shown(sent)}")
            else:
                last = max(last, min(version.number for version in known))
            self._check_place(tardy_id, there, one, sent, known)
            there = one

    def _check_place(
        self, tardy_id: str, there: Sent | None, one: Sent, sent: list[Sent], known: list[Version]
    ) -> None:
        if one.action == "add":
            if there is not None:
                self._wrong("twice", tardy_id, f"added though it was there: {_shown(sent)}")
            elif not any(self._ever_matched(version) for version in known):
                self._wrong("invented", tardy_id, f"never belonged to the definition: {_shown(sent)}")
        elif one.action != "change" or there is None:
            self._wrong("wrong row", tardy_id, f"{one.action} without an add: {_shown(sent)}")
        elif there.says() == one.says():
            self._wrong("twice", tardy_id, f"a change that changes nothing: {_shown(sent)}")

    def _check_void(self, tardy_id: str, there: Sent | None, one: Sent, sent: list[Sent]) -> None:
        """A void repeats what was there, in today's columns."""
        if there is None:
            self._wrong("wrong row", tardy_id, f"voided though it was not there: {_shown(sent)}")
            return
        common = set(there.titles) & set(one.titles) - {"Action", "Label", "Code"}
        if any(there.row[title] != one.row[title] for title in common):
            self._wrong("wrong row", tardy_id, f"the void of another row: {_shown(sent)}")

    def _ever_matched(self, version: Version) -> bool:
        return any(self._export.matches(revision, version) for revision in self._revisions)

    # how it stands in the end

    def _check_end(self, versions: list[Version], sent: list[Sent]) -> None:
        newest = versions[-1]
        belongs = self._export.matches(self._revisions[-1], newest)
        writable = newest.data is not None and self._export.writable(newest)
        if belongs and not writable:
            self.held += 1
        if self._export.policy == "send":
            self._check_end_where_corrections_go(versions, sent, owed=belongs and writable)
        elif len(sent) > 1 or any(one.action != "add" for one in sent):
            self._wrong("twice", newest.key[1], f"corrections are not sent here: {_shown(sent)}")
        elif not sent and belongs and writable:
            self._wrong("lost", newest.key[1], "it belongs to the export and never went")

    def _check_end_where_corrections_go(
        self, versions: list[Version], sent: list[Sent], *, owed: bool
    ) -> None:
        newest = versions[-1]
        there = sent[-1] if sent and sent[-1].action != "void" else None
        if there is None:
            if owed:
                self._wrong(
                    "lost", newest.key[1], f"it belongs to the export and is not there: {_shown(sent)}"
                )
        elif newest.data is None:
            self._wrong("lost", newest.key[1], f"its void never went: {_shown(sent)}")
        elif not self._stands_for(there, versions):
            self._wrong("lost", newest.key[1], f"version {newest.number} never went: {_shown(sent)}")

    def _stands_for(self, there: Sent, versions: list[Version]) -> bool:
        """Whether the row is the newest version's, or one of a version that differs in no column of today's."""
        newest, today = versions[-1], self._revisions[-1]
        if self._export.reads(there.row, newest):
            return True
        wanted = self._export.row(today, newest, "add")
        known = [version for version in versions if self._export.reads(there.row, version)]
        return any(self._export.row(today, version, "add") == wanted for version in known)


def _shown(sent: Sequence[Sent]) -> str:
    """Rows for a person: the students of a soak are made up."""
    return "; ".join(f"{one.file}: {','.join(one.cells)}" for one in sent[-4:]) or "no row"
