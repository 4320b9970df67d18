"""20,000 tardies over 20 definitions, published by two clients that are not ours: the exact rows in the files."""

from __future__ import annotations

import hashlib
import threading
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from sqlalchemy import text

from tests.acceptance import district
from tests.acceptance.amqp import Client, publish_with_c_client
from tests.acceptance.exports import Export, apply_actions, multiset, twenty_exports
from tests.acceptance.layouts import Row
from tests.acceptance.tardies import Version, in_disorder, make_versions, newest
from tests.builders import command, save
from tests.processes import Processes, wait_for
from worker.broker.ports import COMMANDS_QUEUE, EVENTS_QUEUE, REJECTED_QUEUE
from worker.store.engine import Database

TARDIES = 20_000
SEED = 20_261_006
PIKA_CONNECTIONS = 8

Envelope = dict[str, Any]


def test_20000_tardies_over_20_definitions_are_in_the_files_exactly(
    writeback: Processes, client: Client, amqp_url: str, database: Database, home: Path
) -> None:
    """Whatever the order, the duplicates, the later versions and the voids; nothing is parked, every command is
    answered, and each export's entries add up."""
    workers = [writeback.start_ready(), writeback.start_ready()]
    client.bind_outcomes()
    exports = twenty_exports()
    versions = make_versions(TARDIES, SEED)
    morning = Morning(client, exports)

    morning.save(export for export in exports if export.run != "when saved")
    publish_all(amqp_url, list(district.reference_messages()), in_disorder(versions, SEED))
    morning.run_all()
    wait_for(lambda: unsettled(database) == 0, "every entry to be settled or held", 60)

    wanted = {export.export_id: export.wanted(newest(versions).values()) for export in exports}
    check_files(home, exports, wanted)
    check_entries(database, exports, wanted)

    client.publish([district.late_mapping()])
    [late] = [export for export in exports if export.export_id == "south-one"]
    morning.run(late)
    wanted["south-one"] = {key: row or mapped(versions, key, late) for key, row in wanted["south-one"].items()}
    check_files(home, exports, wanted)
    check_entries(database, exports, wanted)

    check_outcomes(client, home, exports)
    assert [client.depth(queue) for queue in (EVENTS_QUEUE, COMMANDS_QUEUE, REJECTED_QUEUE)] == [0, 0, 0]
    assert [worker.stop() for worker in workers] == [0, 0]
    assert [client.depth(queue) for queue in (EVENTS_QUEUE, COMMANDS_QUEUE, REJECTED_QUEUE)] == [0, 0, 0]
