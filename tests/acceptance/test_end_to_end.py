"""10,000 tardies over 20 definitions, published by two clients that are not ours: the exact rows in the files."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from sqlalchemy import text

from schemas.topology import QUEUE_NAMES
from tests.acceptance import district
from tests.acceptance.amqp import CClient, Client
from tests.acceptance.exports import Export, Wanted, apply_actions, multiset, twenty_exports
from tests.acceptance.layouts import Row
from tests.acceptance.tardies import in_disorder, make_versions, newest
from tests.builders import command, hidden_in, save
from tests.processes import Processes, wait_for
from worker.store.database.engine import Database

TARDIES = 10_000
SEED = 20_261_006
PIKA_CONNECTIONS = 8

_UNSETTLED = text(
    "SELECT (SELECT count(*) FROM named_entries WHERE state IN ('buffered', 'sealed'))"
    " + (SELECT count(*) FROM run_requests WHERE state = 'pending')"
    " + (SELECT count(*) FROM runs WHERE finished_at IS NULL)"
)
_ARRIVED = text("SELECT count(*) FROM tardy_versions")
_ENTRIES = text(
    "SELECT tardy_id, state, action FROM named_entries WHERE export_id = :export_id ORDER BY version, ordinal"
)
_DONE_WITH = {"cancelled", "superseded", "ignored"}


def test_10000_tardies_over_20_definitions_are_in_the_files_exactly(
    writeback: Processes, client: Client, amqp_url: str, database: Database, home: Path
) -> None:
    """Whatever the order, the duplicates, the later versions and the voids; nothing is parked, every command is
    answered, and each export's entries add up."""
    workers = [writeback.start_ready(), writeback.start_ready()]
    client.bind_outcomes()
    exports = twenty_exports()
    versions = make_versions(TARDIES, SEED)
    final = newest(versions).values()

    ask = Commands(client, exports)
    ask.save(export for export in exports if export.run != "when saved")
    publish(
        amqp_url,
        list(district.reference_messages()),
        in_disorder(versions, SEED),
        lambda: count(database, _ARRIVED) == len(versions),
    )
    ask.run_everything()
    wait_for(lambda: count(database, _UNSETTLED) == 0, "every entry to be settled or held")
    check(database, home, {export: export.wanted(final) for export in exports})

    client.publish([district.late_mapping()])
    ask.run(export for export in exports if export.export_id == "south-one")
    wanted = {export: export.wanted(final, all_mapped=export.export_id == "south-one") for export in exports}
    check(database, home, wanted)

    check_outcomes(client, home, exports, ask.sent)
    audit = writeback.run("audit")
    assert audit.returncode == 0, audit.stdout + audit.stderr
    assert [worker.stop() for worker in workers] == [0, 0]
    assert {queue: client.depth(queue) for queue in QUEUE_NAMES} == dict.fromkeys(QUEUE_NAMES, 0)


class Commands:
    """Commands about the exports by pika, each with its replies checked."""

    def __init__(self, client: Client, exports: list[Export]) -> None:
        self._client = client
        self._exports = exports
        self._saved: list[Export] = []
        self.sent = 0

    def save(self, exports: Iterable[Export], *, run_now: bool = False) -> None:
        """Saves them all and waits for the answers."""
        chosen = list(exports)
        self._saved += chosen
        messages = [save(export.document, run_now=run_now) for export in chosen]
        self._answered([(one, [export]) for one, export in zip(messages, chosen, strict=True)], runs=run_now)

    def run(self, exports: Iterable[Export]) -> None:
        """Runs each by its id, and waits for the answers."""
        asked = [(command("export.run_now", {"export_id": export.export_id}), [export]) for export in exports]
        self._answered(asked, runs=True)

    def run_everything(self) -> None:
        """Runs each export in the way it is meant to be run."""
        self.run(export for export in self._exports if export.run == "by its id")
        self._answered([self._by_school(name, "s4") for name in district.DISTRICTS], runs=True)
        self.save((export for export in self._exports if export.run == "when saved"), run_now=True)

    def _by_school(self, name: str, school_id: str) -> tuple[dict[str, Any], list[Export]]:
        naming = [
            export
            for export in self._saved
            if export.district == name and (export.schools is None or school_id in export.schools)
        ]
        return command("export.run_now", {"district_id": name, "school_id": school_id}), naming

    def _answered(self, asked: list[tuple[dict[str, Any], list[Export]]], *, runs: bool) -> None:
        """Sends the commands, then waits until each is answered for all its exports."""
        correlations = [self._client.command(message) for message, _ in asked]
        self.sent += len(asked)
        for (message, exports), correlation in zip(asked, correlations, strict=True):
            replies = self._client.replies(correlation, 1 + (len(exports) if runs else 0))
            _check_replies(replies, message["id"], {export.export_id for export in exports}, runs=runs)


def _check_replies(
    replies: list[dict[str, Any]], command_id: str, export_ids: set[str], *, runs: bool
) -> None:
    accepted, *ran = replies
    assert accepted["type"] == "command.accepted", accepted
    assert set(accepted["data"]["export_ids"]) == export_ids
    assert {reply["data"]["command_id"] for reply in replies} == {command_id}
    assert {reply["type"] for reply in ran} <= {"run.delivered", "run.empty"}
    assert sorted(reply["data"]["export_id"] for reply in ran) == (sorted(export_ids) if runs else [])


def publish(
    amqp_url: str,
    references: list[dict[str, Any]],
    messages: list[dict[str, Any]],
    arrived: Callable[[], bool],
) -> None:
    """Publishes half of the messages with pika over several connections and half with the C client, the
    reference data among them, until all have `arrived`."""
    half = len(references) // 2
    ours = references[:half] + messages[0::2]
    ours[1000:1000] = references[half:]
    theirs = CClient(amqp_url)
    with ThreadPoolExecutor(PIKA_CONNECTIONS) as pool:
        done = [
            pool.submit(_publish_with_pika, amqp_url, ours[place::PIKA_CONNECTIONS])
            for place in range(PIKA_CONNECTIONS)
        ]
        theirs.publish(messages[1::2])
        for future in done:
            future.result()
    wait_for(arrived, "everything to arrive")
    assert theirs.close() == 0


def _publish_with_pika(amqp_url: str, messages: list[dict[str, Any]]) -> None:
    client = Client(amqp_url)
    client.publish(messages)
    client.close()


def count(database: Database, statement: Any) -> int:
    with database.read() as connection:
        return int(connection.execute(statement).scalar_one())


def check(database: Database, home: Path, wanted: Mapping[Export, Wanted]) -> None:
    """The files and the entries of each export are what follows from the messages."""
    for export, rows in wanted.items():
        files = files_of(home, export)
        if export.run == "continuously":
            assert apply_actions(files) == {row[0]: row for row in rows.values() if row is not None}
        else:
            assert multiset(row for rows_of in files for row in rows_of) == multiset(rows.values()), export
        check_entries(database, export, rows, sum(map(len, files)))


def files_of(home: Path, export: Export) -> list[list[Row]]:
    """The rows of the export's files, oldest file first. Nothing else is left there."""
    folder = home / "sis" / export.export_id

    wait_for(lambda: not hidden_in(folder), "temporary files to be removed")
    return [export.layout.read(path.read_bytes()) for path in finished(folder)]


def finished(folder: Path) -> list[Path]:
    """The files in a folder that may be collected."""
    return sorted(path for path in folder.glob("*") if not path.name.startswith("."))


def check_entries(database: Database, export: Export, wanted: Wanted, rows_sent: int) -> None:
    """Every entry has ended or is held; one is delivered for each row sent; each tardy's last entry says what
    became of it."""
    with database.read() as connection:
        entries = connection.execute(_ENTRIES, {"export_id": export.export_id}).all()
    states = Counter(entry.state for entry in entries)
    last = {(export.district, entry.tardy_id): entry for entry in entries}
    delivered = {(export.district, entry.tardy_id) for entry in entries if entry.state == "delivered"}
    assert states["delivered"] == rows_sent
    assert states["held"] == sum(row is None for row in wanted.values())
    assert states["delivered"] + states["held"] + sum(states[name] for name in _DONE_WITH) == len(entries)
    assert wanted.keys() <= last.keys()
    for key, entry in last.items():
        if key not in wanted:
            assert entry.state in _DONE_WITH or entry.action == "void", (key, entry)
        elif wanted[key] is None:
            assert entry.state == "held", (key, entry)
        else:  # a correction that leaves the delivered row as it was is ignored
            assert key in delivered and entry.state in {"delivered", "ignored"}, (key, entry)


def check_outcomes(client: Client, home: Path, exports: list[Export], commands: int) -> None:
    """Every run and every command was told of, with the very files that are there."""
    told = {outcome["id"]: outcome for outcome in client.outcomes()}.values()
    kinds = Counter(outcome["type"] for outcome in told)
    assert kinds["command.accepted"] == commands
    assert set(kinds) <= {"command.accepted", "run.delivered", "run.empty"}, kinds
    delivered = [outcome["data"] for outcome in told if outcome["type"] == "run.delivered"]
    for export in exports:
        runs = [data for data in delivered if data["export_id"] == export.export_id]
        assert sum(data["rows"] for data in runs) == sum(map(len, files_of(home, export)))
        folder = home / "sis" / export.export_id
        found = {path.name: path.read_bytes() for path in finished(folder)}
        assert {data["file"]["name"]: data["file"]["sha256"] for data in runs} == {
            name: hashlib.sha256(content).hexdigest() for name, content in found.items()
        }
        assert sorted(data["sequence"] for data in runs) == list(range(1, len(runs) + 1))
