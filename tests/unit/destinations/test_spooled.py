"""A file kept on this side: whole, known by its checksum, and compared with what lies at the other end."""

from __future__ import annotations

import hashlib
import tempfile
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.mounts import own_mounts, small_disk
from worker.destinations.files.spooled import Spool
from worker.errors import DestinationError, TransientError


def test_what_is_kept_is_read_as_often_as_it_is_asked_for() -> None:
    spool = Spool()
    uploaded = spool.keep("a", [b"one,", b"two\n"])
    assert (uploaded.bytes, uploaded.sha256) == (8, hashlib.sha256(b"one,two\n").hexdigest())
    for _ in range(2):
        assert b"".join(spool.kept("a").chunks(3)) == b"one,two\n"


@pytest.mark.parametrize(
    ("theirs", "may_be_half"),
    [
        ([], True),
        ([b"one"], True),
        ([b"on", b"e,two\n"], True),
        ([b"one,two\n", b"x"], False),
        ([b"two"], False),
    ],
)
def test_half_a_file_is_told_from_another(theirs: list[bytes], may_be_half: bool) -> None:
    spool = Spool()
    spool.keep("a", [b"one,two\n"])
    assert spool.kept("a").begins_with(theirs) is may_be_half


def test_what_was_dropped_cannot_be_sent() -> None:
    spool = Spool()
    spool.keep("a", [b"x"])
    assert spool.last is spool.kept("a")
    spool.drop(["a", "never there"])
    with pytest.raises(DestinationError, match="no uploaded file to send"):
        spool.kept("a")
    assert spool.last is None
    spool.close()


def test_rows_that_break_off_leave_nothing() -> None:
    def rows() -> Iterator[bytes]:
        yield b"x"
        raise KeyError("a row")

    spool = Spool()
    with pytest.raises(KeyError):
        spool.keep("a", rows())
    assert spool.last is None


def test_a_full_disk_on_this_side_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with own_mounts(), small_disk(tmp_path, "64k", 10):
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
        with pytest.raises(TransientError, match="no room to keep the file"):
            Spool().keep("a", (bytes(10_000) for _ in range(10)))


def test_memory_stays_flat_however_long_the_file() -> None:
    spool = Spool()
    tracemalloc.start()
    try:
        spool.keep("a", (bytes(100_000) for _ in range(300)))
        assert sum(map(len, spool.kept("a").chunks())) == 30_000_000
        assert tracemalloc.get_traced_memory()[1] < 3_000_000
    finally:
        tracemalloc.stop()
        spool.close()
