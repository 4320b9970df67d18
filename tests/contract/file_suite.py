"""What every destination that takes files does: one suite for the kinds there are and for those of other packages.

It asks for what `worker/destinations/file_port.py` states, and for no wording. Who writes a kind derives a class from
`FileDestinationSuite` and gives it a fixture `site`. It needs pytest and the program, nothing else of these tests.
"""

from __future__ import annotations

import hashlib
from typing import Protocol

import pytest

from worker.destinations.file_port import Departed, FileDestination, GivenNumber, Names, Replaceable
from worker.destinations.trial import Trial
from worker.errors import DeliveryError, DestinationError, TransientError

FILE = "a.csv"
FIRST, SECOND = Names(FILE, "1"), Names(FILE, "2")
KEY = "ab" * 16
DEPARTED = Departed(FILE, hashlib.sha256(b"one,two\n").hexdigest(), 8, KEY)


class Site(Protocol):
    """A destination, with its far side as the SIS sees it."""

    def open(self) -> FileDestination:
        """The destination as an attempt opens it, each time anew: what it knows of earlier ones lies there."""

    def names(self) -> set[str]:
        """What lies there, but for what the kind keeps there for itself."""

    def read(self, name: str) -> bytes:
        """What stands in a file there."""

    def put(self, name: str, content: bytes) -> None:
        """A file of somebody else's lies there from now on."""

    def obstruct(self, name: str) -> None:
        """Something lies there from now on that is no file, such as a folder."""

    def vanish(self) -> None:
        """The place is away from now on, with all that lies there: nobody can look into it or write to it."""


def yes(_sha256: str) -> bool:
    return True


def no(_sha256: str) -> bool:
    return False


def upload(site: Site, *chunks: bytes, names: Names = FIRST) -> FileDestination:
    """An attempt that has uploaded and goes no further."""
    destination = site.open()
    destination.upload(names.part, chunks or (b"one,", b"two\n"), mark=names.mark)
    return destination


def publish(site: Site, *chunks: bytes, replace: Replaceable | None = None) -> None:
    """An attempt that uploads and publishes."""
    upload(site, *chunks).publish(FIRST.part, FILE, replace=replace, key=KEY)


class FileDestinationSuite:
    """Each test has a site of its own, with nothing at it."""

    def test_an_upload_lies_under_its_temporary_name_with_its_checksum(self, site: Site) -> None:
        uploaded = site.open().upload(FIRST.part, [b"one,", b"two\n"], mark=FIRST.mark)
        assert (uploaded.bytes, uploaded.sha256) == (8, hashlib.sha256(b"one,two\n").hexdigest())
        assert site.names() == {FIRST.part, FIRST.mark}
        assert site.read(FIRST.part) == b"one,two\n"

    def test_an_upload_whose_rows_break_off_gives_no_file_its_name(self, site: Site) -> None:
        def rows() -> list[bytes]:
            raise KeyError("row 2")

        with pytest.raises(KeyError):
            site.open().upload(FIRST.part, (part for _ in range(1) for part in rows()), mark=FIRST.mark)
        assert FILE not in site.names()
        upload(site)
        assert site.read(FIRST.part) == b"one,two\n"

    def test_publishing_renames(self, site: Site) -> None:
        publish(site)
        assert site.names() == {FILE, FIRST.mark}
        assert site.read(FILE) == b"one,two\n"

    def test_an_uncollected_file_is_not_overwritten_unless_asked(self, site: Site) -> None:
        publish(site, b"first")
        with pytest.raises(TransientError):
            site.open().require_free(FILE, replace=None)
        second = upload(site, b"second")
        with pytest.raises(TransientError):
            second.publish(FIRST.part, FILE, replace=None, key=KEY)
        assert site.read(FILE) == b"first"
        second.publish(FIRST.part, FILE, replace=yes, key=KEY)
        assert site.read(FILE) == b"second"

    def test_only_what_may_be_replaced_is_replaced(self, site: Site) -> None:
        destination = upload(site, b"first")
        site.put(FILE, b"another's")
        asked: list[str] = []

        def refused(sha256: str) -> bool:
            asked.append(sha256)
            return False

        with pytest.raises(DestinationError):
            destination.require_free(FILE, replace=refused)
        with pytest.raises(DestinationError):
            destination.publish(FIRST.part, FILE, replace=refused, key=KEY)
        assert set(asked) == {hashlib.sha256(b"another's").hexdigest()}
        assert site.read(FILE) == b"another's"

    @pytest.mark.parametrize("replace", [None, yes, no])
    def test_what_is_no_file_is_never_replaced_nor_waited_for(
        self, site: Site, replace: Replaceable | None
    ) -> None:
        destination = upload(site)
        site.obstruct(FILE)
        with pytest.raises(DestinationError):
            destination.publish(FIRST.part, FILE, replace=replace, key=KEY)
        assert FIRST.part in site.names()

    def test_a_fence_takes_the_file_away_from_whoever_would_publish_it(self, site: Site) -> None:
        sleeper = upload(site)
        assert site.open().fence([FIRST.part], SECOND.fenced, mark=FIRST.mark, departed=DEPARTED)
        with pytest.raises(DestinationError):
            sleeper.publish(FIRST.part, FILE, replace=None, key=KEY)
        assert site.names() == {SECOND.fenced, FIRST.mark}

    def test_a_fence_finds_what_an_earlier_fence_has_moved(self, site: Site) -> None:
        upload(site)
        site.open().fence([FIRST.part], SECOND.fenced, mark=FIRST.mark, departed=DEPARTED)
        third = Names(FILE, "3")
        assert site.open().fence(
            [FIRST.part, SECOND.fenced], third.fenced, mark=FIRST.mark, departed=DEPARTED
        )
        assert site.names() == {third.fenced, FIRST.mark}

    def test_a_fence_finds_nothing_once_the_file_has_gone(self, site: Site) -> None:
        publish(site)
        assert not site.open().fence([FIRST.part], SECOND.fenced, mark=FIRST.mark, departed=DEPARTED)

    def test_a_fence_without_its_mark_is_another_place(self, site: Site) -> None:
        upload(site).discard([FIRST.mark, FIRST.part])
        with pytest.raises(DestinationError):
            site.open().fence([FIRST.part], SECOND.fenced, mark=FIRST.mark, departed=DEPARTED)

    def test_discarding_what_is_not_there_is_no_error(self, site: Site) -> None:
        upload(site)
        for _ in range(2):
            assert site.open().discard([FIRST.part, FIRST.mark])
        assert site.names() == set()

    def test_discarding_never_raises_wherever_the_place_may_be(self, site: Site) -> None:
        site.open().discard([FIRST.part, FIRST.mark])
        upload(site)
        site.vanish()
        assert not site.open().discard([FIRST.part, FIRST.mark]), "they may still be there"

    def test_a_check_leaves_nothing_behind(self, site: Site) -> None:
        for _ in range(2):
            before = site.names()
            site.open().check(Trial())
            assert site.names() == before
            upload(site)

    def test_a_check_of_a_place_that_is_away_fails(self, site: Site) -> None:
        upload(site)
        site.vanish()
        with pytest.raises(DeliveryError):
            site.open().check(Trial())

    def test_the_last_number_is_known_for_each_export_by_itself(self, site: Site) -> None:
        upload(site)
        assert site.open().last_given("daily") is None
        for number in (6, 7):
            site.open().note_given("daily", GivenNumber(number, "ab" * 16))
        site.open().note_given("other", GivenNumber(1, "cd" * 16))
        assert site.open().last_given("daily") == GivenNumber(7, "ab" * 16)
