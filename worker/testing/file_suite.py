"""What every destination that takes files does: suites for the kinds there are and for those of other packages.

They ask for what `worker/destinations/file_port.py` states, and for no wording. Who writes a kind derives a class from
the suite that says most of it, and gives it a fixture `site`:

- `FileDestinationSuite`: what each of them does.
- `SightedSuite`: and that sees what lies there, so that a file waits until the one before it has been collected.
- `RenamingSuite`: and that writes under a temporary name first and renames.
- `ResendingSuite`: and that cannot rename: a file is sent under its final name, and sent again where it is not there.
- `NumberedSuite` beside one of them: keeps the file numbers that were given.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Protocol

import pytest

from worker.destinations.file_port import Departed, FileDestination, GivenNumber, Names, Replaceable
from worker.destinations.trial import Trial
from worker.errors import DeliveryError, DestinationError, TransientError

FILE = "a.csv"
CONTENT = b"one,two\n"
FIRST, SECOND, THIRD = Names(FILE, "1"), Names(FILE, "2"), Names(FILE, "3")
KEY = "ab" * 16
DEPARTED = Departed(FILE, hashlib.sha256(CONTENT).hexdigest(), len(CONTENT), KEY)


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

    def close(self) -> None:
        """The test is over: ends whatever was opened or started."""


def yes(_sha256: str) -> bool:
    return True


def no(_sha256: str) -> bool:
    return False


def upload(site: Site, *chunks: bytes, names: Names = FIRST) -> FileDestination:
    """An attempt that has uploaded and goes no further."""
    destination = site.open()
    destination.upload(names.part, chunks or (CONTENT[:4], CONTENT[4:]), mark=names.mark)
    return destination


def publish(site: Site, *chunks: bytes, replace: Replaceable | None = None) -> None:
    """An attempt that uploads and publishes."""
    upload(site, *chunks).publish(FIRST.part, FILE, replace=replace, key=KEY)


def broken_off(*chunks: bytes) -> Iterator[bytes]:
    """Rows of which one cannot be had."""
    yield from chunks
    raise KeyError("a row")


class FileDestinationSuite:
    """Each test has a site of its own, with nothing at it."""

    @pytest.fixture(autouse=True)
    def _closed(self, site: Site) -> Iterator[None]:
        yield
        site.close()

    def test_an_upload_is_told_by_its_size_and_checksum_and_gets_no_name_yet(self, site: Site) -> None:
        uploaded = site.open().upload(FIRST.part, [CONTENT[:4], CONTENT[4:]], mark=FIRST.mark)
        assert (uploaded.bytes, uploaded.sha256) == (DEPARTED.bytes, DEPARTED.sha256)
        assert FILE not in site.names()

    def test_an_upload_whose_rows_break_off_gives_no_file_its_name(self, site: Site) -> None:
        destination = site.open()
        with pytest.raises(KeyError):
            destination.upload(FIRST.part, broken_off(b"half"), mark=FIRST.mark)
        assert FILE not in site.names()
        destination.upload(FIRST.part, [CONTENT], mark=FIRST.mark)
        destination.publish(FIRST.part, FILE, replace=None, key=KEY)
        assert site.read(FILE) == CONTENT

    def test_publishing_gives_the_file_its_name(self, site: Site) -> None:
        site.open().require_free(FILE, replace=None)
        publish(site)
        assert FILE in site.names() and site.read(FILE) == CONTENT

    def test_what_was_discarded_cannot_be_published(self, site: Site) -> None:
        destination = upload(site)
        destination.discard([FIRST.part, FIRST.mark])
        with pytest.raises(DestinationError):
            destination.publish(FIRST.part, FILE, replace=None, key=KEY)
        assert FILE not in site.names()

    def test_what_had_not_gone_is_sent_by_who_takes_over(self, site: Site) -> None:
        upload(site)
        assert site.open().fence([FIRST.part], SECOND.fenced, mark=FIRST.mark, departed=DEPARTED)
        later = site.open()
        later.require_free(FILE, replace=None, departed=DEPARTED)
        later.upload(SECOND.part, [CONTENT], mark=SECOND.mark)
        later.publish(SECOND.part, FILE, replace=None, key=KEY)
        assert site.read(FILE) == CONTENT

    def test_discarding_what_is_not_there_is_no_error(self, site: Site) -> None:
        upload(site)
        for _ in range(2):
            assert site.open().discard([FIRST.part, FIRST.mark])
        assert site.names() == set()

    def test_discarding_never_raises_wherever_the_place_may_be(self, site: Site) -> None:
        site.open().discard([FIRST.part, FIRST.mark])
        destination = upload(site)
        site.vanish()
        for one in (destination, site.open()):
            one.discard([FIRST.part, FIRST.mark])

    def test_closing_twice_is_no_error_wherever_the_place_may_be(self, site: Site) -> None:
        destination = upload(site)
        site.vanish()
        for _ in range(2):
            destination.close()
        site.open().close()

    def test_a_check_leaves_nothing_behind(self, site: Site) -> None:
        for _ in range(2):
            before = site.names()
            site.open().check(Trial())
            assert site.names() == before
            upload(site)

    def test_a_check_of_a_place_that_is_away_fails(self, site: Site) -> None:
        upload(site)
        site.vanish()
        trial = Trial()
        with pytest.raises(DeliveryError):
            site.open().check(trial)
        assert trial.steps[-1].problem is not None

    def test_a_number_that_was_noted_is_known_or_no_number_ever_is(self, site: Site) -> None:
        upload(site)
        given = GivenNumber(7, KEY)
        assert site.open().last_given("daily") is None
        site.open().note_given("daily", given)
        assert site.open().last_given("daily") in (given, None)


class SightedSuite(FileDestinationSuite):
    """For kinds that see which files lie there and may read them."""

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
        before = site.names()
        with pytest.raises(DestinationError):
            site.open().require_free(FILE, replace=replace)
        with pytest.raises(DestinationError):
            destination.publish(FIRST.part, FILE, replace=replace, key=KEY)
        assert site.names() == before

    def test_a_fence_finds_that_the_file_has_gone(self, site: Site) -> None:
        publish(site)
        assert not site.open().fence([FIRST.part], SECOND.fenced, mark=FIRST.mark, departed=DEPARTED)


class RenamingSuite(SightedSuite):
    """For kinds that write under a temporary name: nobody sees half a file, and a fence decides for good."""

    def test_an_upload_lies_under_its_temporary_name_with_its_mark_beside_it(self, site: Site) -> None:
        upload(site)
        assert site.names() == {FIRST.part, FIRST.mark}
        assert site.read(FIRST.part) == CONTENT

    def test_an_upload_writes_over_what_a_broken_one_has_left(self, site: Site) -> None:
        with pytest.raises(KeyError):
            site.open().upload(FIRST.part, broken_off(b"longer than what comes next"), mark=FIRST.mark)
        upload(site)
        assert site.read(FIRST.part) == CONTENT

    def test_publishing_renames(self, site: Site) -> None:
        publish(site)
        assert site.names() == {FILE, FIRST.mark}

    def test_a_fence_takes_the_file_away_from_whoever_would_publish_it(self, site: Site) -> None:
        sleeper = upload(site)
        assert site.open().fence([FIRST.part], SECOND.fenced, mark=FIRST.mark, departed=DEPARTED)
        with pytest.raises(DestinationError):
            sleeper.publish(FIRST.part, FILE, replace=None, key=KEY)
        assert site.names() == {SECOND.fenced, FIRST.mark}

    def test_a_fence_finds_what_an_earlier_fence_has_moved(self, site: Site) -> None:
        upload(site)
        site.open().fence([FIRST.part], SECOND.fenced, mark=FIRST.mark, departed=DEPARTED)
        searched = [FIRST.part, SECOND.fenced]
        assert site.open().fence(searched, THIRD.fenced, mark=FIRST.mark, departed=DEPARTED)
        assert site.names() == {THIRD.fenced, FIRST.mark}

    def test_a_fence_without_its_mark_is_another_place(self, site: Site) -> None:
        upload(site).discard([FIRST.mark, FIRST.part])
        with pytest.raises(DestinationError):
            site.open().fence([FIRST.part], SECOND.fenced, mark=FIRST.mark, departed=DEPARTED)

    def test_what_cannot_be_discarded_is_told(self, site: Site) -> None:
        upload(site)
        site.vanish()
        assert not site.open().discard([FIRST.part, FIRST.mark]), "they may still be there"


class ResendingSuite(SightedSuite):
    """For kinds that cannot rename: `publish` sends what `upload` has kept on this side. What lies there under the
    final name may be half a file of our own, and is known by what stands in it."""

    def test_nothing_lies_there_before_it_is_published_and_nothing_else_afterwards(self, site: Site) -> None:
        destination = upload(site)
        assert site.names() == set()
        destination.publish(FIRST.part, FILE, replace=None, key=KEY)
        assert site.names() == {FILE}

    def test_a_file_of_the_same_size_with_something_else_in_it_is_not_the_departed_one(
        self, site: Site
    ) -> None:
        upload(site)
        site.put(FILE, b"1234567\n")
        assert site.open().fence([FIRST.part], SECOND.fenced, mark=FIRST.mark, departed=DEPARTED)

    @pytest.mark.parametrize("replace", [None, no])
    @pytest.mark.parametrize("half", [b"", CONTENT[:4]])
    def test_half_a_file_of_our_own_is_written_over(
        self, site: Site, half: bytes, replace: Replaceable | None
    ) -> None:
        upload(site)
        site.put(FILE, half)
        assert site.open().fence([FIRST.part], SECOND.fenced, mark=FIRST.mark, departed=DEPARTED)
        later = site.open()
        later.require_free(FILE, replace=replace, departed=DEPARTED)
        later.upload(SECOND.part, [CONTENT], mark=SECOND.mark)
        later.require_free(FILE, replace=replace, departed=DEPARTED)
        later.publish(SECOND.part, FILE, replace=replace, key=KEY)
        assert site.read(FILE) == CONTENT

    def test_a_shorter_file_of_somebody_else_is_not_taken_for_half_of_ours(self, site: Site) -> None:
        upload(site)
        site.put(FILE, b"two")
        assert site.open().fence([FIRST.part], SECOND.fenced, mark=FIRST.mark, departed=DEPARTED)
        later = upload(site, names=SECOND)
        with pytest.raises(TransientError):
            later.require_free(FILE, replace=None, departed=DEPARTED)
        with pytest.raises(TransientError):
            later.publish(SECOND.part, FILE, replace=None, key=KEY)
        assert site.read(FILE) == b"two"


class NumberedSuite:
    """For kinds that keep, at the place, which file numbers were given."""

    def test_the_last_number_is_known_for_each_export_by_itself(self, site: Site) -> None:
        upload(site)
        assert site.open().last_given("daily") is None
        for number in (6, 7):
            site.open().note_given("daily", GivenNumber(number, KEY))
        site.open().note_given("other", GivenNumber(1, "cd" * 16))
        assert site.open().last_given("daily") == GivenNumber(7, KEY)
