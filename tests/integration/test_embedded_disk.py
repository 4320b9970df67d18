"""The embedded inbox on a disk of which every byte and every file is taken: it waits, as with any other trouble."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.builders import outgoing, tardy
from tests.mounts import filled, own_mounts, small_disk
from worker.broker.embedded.inbox_broker import EmbeddedBroker
from worker.errors import UnavailableError


def test_an_inbox_on_a_full_disk_is_unavailable_until_there_is_room(tmp_path: Path) -> None:
    """Neither taking it up again nor making it anew ends the program as a wrong setting would."""
    (tmp_path / "disk").mkdir()
    with own_mounts(), small_disk(tmp_path / "disk", "4m", 50) as disk:
        used, new = EmbeddedBroker(disk), EmbeddedBroker(disk / "new")
        used.publisher().publish(outgoing(tardy()))
        with filled(disk):
            for broker in (used, new):
                with pytest.raises(UnavailableError, match="No space left"):
                    broker.consumer(10)
        for broker in (used, new):
            broker.consumer(10).close()
