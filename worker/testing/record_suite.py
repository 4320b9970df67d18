"""What every destination that takes records does: one suite for the kinds there are and for those of other packages.

It asks for what `worker/destinations/record_port.py` states and what the kind's own form says it can do, and for no
wording but the SIS's. Who writes a kind derives a class from `RecordDestinationSuite` and gives it a fixture `site`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol, cast

import pytest

from worker.core.record_rules import Deed, Demand, RecordForm, course
from worker.destinations.record_port import (
    CodedDestination,
    RecordDestination,
    RowAccepted,
    RowDeed,
    RowDone,
    RowLater,
    RowOutcome,
    RowRefused,
    RowUnknown,
    WrittenRequest,
)
from worker.destinations.trial import Trial
from worker.errors import DeliveryError, DestinationError, TransientError
from worker.testing.as_written import is_as_written
from worker.testing.web_server import Seen

Row = Mapping[str, Any]
"""A row's properties, by their dotted names."""

_THREADS = 6


class RecordSite(Protocol):
    """A destination, with its far side as the SIS sees it."""

    @property
    def form(self) -> RecordForm:
        """How a destination with its options takes records."""

    def open(self) -> RecordDestination:
        """The destination as an attempt opens it, each time anew; of one process."""

    def open_with_wrong_secret(self) -> tuple[RecordDestination, str]:
        """One whose secret the SIS does not know, and that secret."""

    def row(self, number: int) -> Row:
        """A right row, of another record for each number; any few of them may go in one request."""

    def changed(self, row: Row) -> Row:
        """The same record with another content, in nothing by which the SIS knows it."""

    def tardies(self) -> int:
        """How many records there say that somebody was tardy."""

    def holds(self, row: Row) -> bool:
        """Whether a record is there that says what this row does."""

    def lose_answer(self) -> None:
        """The next request that changes something is carried out, and its answer is lost."""

    def refuse(self, row: Row, words: str) -> None:
        """From now on the SIS takes no record of this row, and says these words."""

    def put_off(self, words: str) -> None:
        """The next request that would change something is answered as when the roster lags, in these words."""

    def throttle(self, seconds: int) -> None:
        """The next request that would change something is answered by a wish to wait so long."""

    def stumble(self) -> None:
        """The next request that would change something is answered by a fault of the SIS's own."""

    def expire(self) -> None:
        """What the SIS has given out to log in with is over, where it gives out anything."""

    def vanish(self) -> None:
        """The SIS is away from now on."""

    def close(self) -> None:
        """The test is over: ends whatever was opened or started."""


class WritingSite(RecordSite, Protocol):
    """One whose kind has `written`."""

    def written(self, deeds: Sequence[RowDeed]) -> Sequence[WrittenRequest]:
        """What a preview of these deeds shows."""

    def asked(self) -> Sequence[Seen]:
        """Every request that has come to the SIS so far, but for tokens and for what is looked up and kept."""


def deed(line: int, row: Row, what: Deed = Deed.CREATE, known: RowOutcome | None = None) -> RowDeed:
    """One deed about a row, with what the SIS said of its record before."""
    sis_id = known.sis_id if isinstance(known, RowDone) else None
    version = known.sis_version if isinstance(known, RowDone) else None
    return RowDeed(line, what, row, f"{line:032x}", sis_id, version)


def created(site: RecordSite, row: Row, destination: RecordDestination | None = None) -> RowOutcome:
    """What became of a row that was sent by itself; it is in the SIS."""
    [outcome] = (destination or site.open()).send([deed(1, row)])
    assert isinstance(outcome, RowDone | RowAccepted), outcome
    return outcome


def _sent_as_written(site: WritingSite, row: Row, what: Deed, known: RowOutcome | None = None) -> RowOutcome:
    deeds, before = [deed(1, row, what, known)], len(site.asked())
    written = site.written(deeds)
    assert len(site.asked()) == before, "a preview asks nobody"
    [outcome] = site.open().send(deeds)
    sent = site.asked()[before:]
    assert [one.rows for one in written] == [(1,)] * len(sent) != []
    unlike = [pair for pair in zip(sent, written, strict=True) if not is_as_written(*pair)]
    assert unlike == []
    return outcome


def _rows(site: RecordSite, most: int = 3) -> Sequence[Row]:
    """As many as go in one request."""
    return [site.row(number) for number in range(1, 1 + min(most, site.form.can.rows_a_request))]


class RecordDestinationSuite:
    """Each test has a site of its own, with nothing at it."""

    def test_a_right_row_is_one_that_the_kind_sees_no_problem_in(self, site: RecordSite) -> None:
        assert site.form.problem(site.row(1)) is None
        assert site.form.key <= site.row(1).keys()
        assert all(site.row(1)[name] == site.row(2)[name] for name in site.form.together)

    def test_rows_that_are_created_are_there_and_the_answer_says_whether_it_is_proven(
        self, site: RecordSite
    ) -> None:
        rows = _rows(site)
        outcomes = site.open().send([deed(line, row) for line, row in enumerate(rows, 1)])
        expected = RowDone if site.form.can.synchronous else RowAccepted
        assert [type(outcome) for outcome in outcomes] == [expected] * len(rows)
        assert site.tardies() == len(rows)
        assert all(site.holds(row) for row in rows)

    def test_an_update_changes_the_record_that_is_there(self, site: RecordSite) -> None:
        if "update" not in site.form.can.verbs:
            return
        row = site.row(1)
        known, after = created(site, row), site.changed(row)
        [outcome] = site.open().send([deed(1, after, Deed.UPDATE, known)])
        assert isinstance(outcome, RowDone | RowAccepted)
        assert (site.tardies(), site.holds(after)) == (1, True)

    def test_a_delete_takes_the_record_away_and_one_that_finds_nothing_is_done(
        self, site: RecordSite
    ) -> None:
        if "delete" not in site.form.can.verbs:
            return
        known = created(site, site.row(1))
        created(site, site.row(2))
        for _ in range(2):
            [outcome] = site.open().send([deed(1, site.row(1), Deed.DELETE, known)])
            assert isinstance(outcome, RowDone | RowAccepted)
            assert site.tardies() == 1
        assert site.holds(site.row(2))

    def test_a_lost_answer_is_told_and_what_follows_makes_no_second_record(self, site: RecordSite) -> None:
        row = site.row(1)
        site.lose_answer()
        [outcome] = site.open().send([deed(1, row)])
        assert isinstance(outcome, RowUnknown)
        asked_next = course(site.form.can, Demand.LOST_CREATE).deeds[0]
        if asked_next is Deed.AGAIN:
            created(site, row)
        elif asked_next is Deed.LOOK:
            assert isinstance(site.open().look(deed(1, row)), RowDone)
        assert site.tardies() == 1

    def test_looking_finds_what_is_there_and_nothing_else(self, site: RecordSite) -> None:
        if not site.form.can.reads_back:
            return
        created(site, site.row(1))
        assert isinstance(site.open().look(deed(1, site.row(1))), RowDone)
        assert site.open().look(deed(2, site.row(2))) is None

    def test_a_dictionary_lacks_what_stands_in_no_right_row_and_nothing_else(self, site: RecordSite) -> None:
        if (name := site.form.dictionary) is None:
            return
        destination = cast(CodedDestination, site.open())
        there = str(site.row(1)[name])
        assert list(destination.lacking([there, "no-such-code"])) == ["no-such-code"]
        assert list(destination.lacking([])) == []

    def test_what_a_preview_writes_down_is_what_is_sent_and_writing_it_asks_nobody(
        self, site: RecordSite
    ) -> None:
        """A site whose kind does not write its requests down has no `written`."""
        if not hasattr(site, "written"):
            return
        writing, row = cast(WritingSite, site), site.row(1)
        known = _sent_as_written(writing, row, Deed.CREATE)
        if "update" in site.form.can.verbs:
            known = _sent_as_written(writing, site.changed(row), Deed.UPDATE, known)
            row = site.changed(row)
        if "delete" in site.form.can.verbs:
            _sent_as_written(writing, row, Deed.DELETE, known)

    def test_a_refused_row_has_the_words_of_the_sis_and_refuses_no_other(self, site: RecordSite) -> None:
        rows = _rows(site)
        site.refuse(rows[0], "no record of this student is taken")
        outcomes = site.open().send([deed(line, row) for line, row in enumerate(rows, 1)])
        assert isinstance(outcomes[0], RowRefused)
        assert "no record of this student is taken" in outcomes[0].words
        assert all(isinstance(outcome, RowDone | RowAccepted) for outcome in outcomes[1:])
        assert site.tardies() == len(rows) - 1

    def test_a_row_that_is_put_off_waits_and_is_taken_later(self, site: RecordSite) -> None:
        site.put_off("the roster does not have the student yet")
        [outcome] = site.open().send([deed(1, site.row(1))])
        assert isinstance(outcome, RowLater)
        assert "the roster does not have the student yet" in outcome.words
        assert site.tardies() == 0
        created(site, site.row(1))

    def test_an_sis_that_asks_to_wait_is_waited_for_as_long_as_it_asks(self, site: RecordSite) -> None:
        site.throttle(7)
        with pytest.raises(TransientError) as raised:
            site.open().send([deed(1, site.row(1))])
        assert raised.value.retry_after == 7
        assert site.tardies() == 0
        created(site, site.row(1))

    def test_a_fault_of_the_sis_refuses_no_row_and_promises_nothing(self, site: RecordSite) -> None:
        site.stumble()
        try:
            [outcome] = site.open().send([deed(1, site.row(1))])
        except TransientError:
            return
        assert isinstance(outcome, RowUnknown | RowLater)

    def test_a_login_that_has_expired_is_renewed_without_anybody_noticing(self, site: RecordSite) -> None:
        destination = site.open()
        created(site, site.row(1), destination)
        site.expire()
        created(site, site.row(2), destination)
        assert site.tardies() == 2

    def test_a_wrong_secret_stops_everything_and_is_never_told(self, site: RecordSite) -> None:
        destination, secret = site.open_with_wrong_secret()
        with pytest.raises(DestinationError) as raised:
            destination.send([deed(1, site.row(1))])
        assert secret not in str(raised.value)
        assert "\n" not in str(raised.value)
        assert site.tardies() == 0

    def test_rows_sent_side_by_side_are_each_there_once(self, site: RecordSite) -> None:
        destination = site.open()
        with ThreadPoolExecutor(_THREADS) as pool:
            sent = pool.map(lambda number: created(site, site.row(number), destination), range(1, 13))
        assert len(list(sent)) == site.tardies() == 12

    def test_a_check_leaves_nothing_behind_and_tells_its_steps(self, site: RecordSite) -> None:
        trial = Trial()
        site.open().check(trial)
        assert site.tardies() == 0
        assert [step.name for step in trial.steps][:2] == ["resolve", "connect"]
        assert all(step.problem is None for step in trial.steps)

    def test_an_sis_that_is_away_is_waited_for_and_a_check_says_at_which_step(self, site: RecordSite) -> None:
        site.vanish()
        with pytest.raises(TransientError):
            site.open().send([deed(1, site.row(1))])
        trial = Trial()
        with pytest.raises(DeliveryError):
            site.open().check(trial)
        assert trial.steps[-1].problem
