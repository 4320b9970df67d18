"""What is one vendor's alone, at the fake SIS of its facts: dictionaries, batches, rows halfway done."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.contract.sis_sites import (
    BLACKBAUD,
    CLASS,
    POWERSCHOOL,
    SKYWARD,
    SYCAMORE,
    WONDE_SESSION,
    SisSite,
)
from worker.core.record_rules import Deed
from worker.destinations.record_port import RowAccepted, RowDone, RowRefused, RowUnknown
from worker.destinations.trial import Trial
from worker.errors import DestinationError, TransientError
from worker.testing.record_suite import created, deed
from worker.testing.web_server import Fault, Reply


@pytest.fixture
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SisSite]:
    made = SisSite(request.param, tmp_path)
    yield made
    made.close()


def at(case: object) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("site", [pytest.param(case, id="")], indirect=True)


def paths(site: SisSite) -> list[str]:
    return [f"{seen.method} {seen.path}" for seen in site.sis.server.seen]


@at(POWERSCHOOL)
def test_powerschool_takes_two_hundred_rows_in_one_request_and_one_in_another(site: SisSite) -> None:
    rows = [deed(line, site.row(line)) for line in range(1, 201)]
    assert site.open().send(rows) == [RowDone()] * 200
    created(site, site.row(201))
    assert paths(site)[1:] == ["POST /ws/attendance/batch_daily_time", "POST /ws/attendance/daily_time"]
    assert site.tardies() == 201


@at(POWERSCHOOL)
def test_a_powerschool_that_knows_no_batches_gets_its_rows_one_by_one(site: SisSite) -> None:
    site.sis.fail_write(Reply.of({"message": "no such address"}, 404))
    rows = [deed(line, site.row(line)) for line in range(1, 6)]
    assert site.open().send(rows) == [RowDone()] * 5
    assert paths(site)[2:] == ["POST /ws/attendance/daily_time"] * 5


@at(POWERSCHOOL)
def test_an_address_that_is_no_powerschool_stops_the_export(site: SisSite) -> None:
    nowhere = Reply.of({"message": "no such address"}, 404)
    site.sis.fail_write(nowhere, nowhere)
    with pytest.raises(DestinationError, match="leads nowhere"):
        site.open().send([deed(line, site.row(line)) for line in (1, 2)])


@at(WONDE_SESSION)
def test_a_code_that_wonde_does_not_have_refuses_its_row_alone_and_says_where_to_map_it(
    site: SisSite,
) -> None:
    rows = [site.row(1), {**site.row(2), "attendance_code_id": "GONE"}]
    taken, refused = site.open().send([deed(line, row) for line, row in enumerate(rows)])
    assert isinstance(taken, RowAccepted)
    assert taken.reference == "w-1"
    assert isinstance(refused, RowRefused)
    assert "'GONE'" in refused.words
    assert "`codes`" in refused.words


@at(WONDE_SESSION)
def test_wondes_codes_are_read_once_and_again_when_one_is_missing(site: SisSite) -> None:
    destination = site.open()
    for number in (1, 2, 3):
        created(site, site.row(number), destination)
    assert paths(site).count("GET /v1.0/schools/A1/attendance-codes/") == 1
    site.sis.codes["NEW"] = "code-29"
    created(site, {**site.row(4), "attendance_code_id": "NEW"}, destination)
    assert paths(site).count("GET /v1.0/schools/A1/attendance-codes/") == 2


@at(WONDE_SESSION)
def test_the_domain_of_another_region_is_told_and_uses_no_row_up(site: SisSite) -> None:
    site.sis.codes.clear()
    with pytest.raises(DestinationError, match="region"):
        site.open().check(Trial())
    with pytest.raises(DestinationError, match="region"):
        site.open().send([deed(1, site.row(1))])


@at(WONDE_SESSION)
def test_a_check_warns_of_a_mapped_code_that_wonde_has_no_more(site: SisSite) -> None:
    trial = Trial()
    options = {**site.options, "codes": {"T": "code-1", "L": "code-28"}}
    site.kind.open(options, site.seen, site.secret).check(trial)
    [lack] = trial.lacks
    assert "'code-1'" in lack
    assert "'T'" in lack


@at(CLASS)
def test_a_void_in_managebac_sets_the_category_that_the_definition_names(site: SisSite) -> None:
    created(site, site.row(1))
    assert site.open().send([deed(1, site.row(1), Deed.DELETE)]) == [RowDone()]
    [record] = site.sis.records.values()
    assert record["status"] == 1


@at(SYCAMORE)
def test_sycamore_takes_a_class_in_one_request_and_a_void_leaves_the_student_present(site: SisSite) -> None:
    site.open().send([deed(line, site.row(line)) for line in range(1, 31)])
    assert paths(site) == ["POST /api/v1/Class/9/Attendance"]
    site.open().send([deed(1, site.row(1), Deed.DELETE)])
    assert (site.tardies(), len(site.sis.records)) == (29, 30)


@at(SYCAMORE)
def test_an_answer_that_comes_too_late_is_unknown_and_the_next_request_finds_the_record(
    site: SisSite,
) -> None:
    options = {**site.options, "timeout_seconds": 1}
    site.sis.fail_write(Fault.LATE)
    [outcome] = site.kind.open(options, site.seen, site.secret).send([deed(1, site.row(1))])
    assert isinstance(outcome, RowUnknown)
    site.sis.server.release()
    created(site, site.row(1))
    assert site.tardies() == 1


@at(SYCAMORE)
def test_an_answer_that_says_no_success_is_no_success(site: SisSite) -> None:
    site.sis.fail_write(Reply.of({"Success": 0, "message": "closed"}, 201))
    [outcome] = site.open().send([deed(1, site.row(1))])
    assert outcome == RowRefused("HTTP 201: closed")


@at(BLACKBAUD)
def test_two_tardies_of_one_day_are_told_apart_when_an_answer_is_lost(site: SisSite) -> None:
    first, second = site.row(1), {**site.row(1), "excuse_comment": "another"}
    created(site, first)
    assert site.open().look(deed(2, second)) is None
    site.lose_answer()
    assert isinstance(site.open().send([deed(2, second)])[0], RowUnknown)
    assert site.open().look(deed(2, second)) == RowDone("3")


@at(BLACKBAUD)
def test_reading_back_that_the_sis_refuses_names_the_option_to_look_at(site: SisSite) -> None:
    options: dict[str, Any] = {name: value for name, value in site.options.items() if name != "level_ids"}
    destination = site.kind.open(options, site.seen, site.secret)
    with pytest.raises(DestinationError, match="level_ids"):
        destination.look(deed(1, site.row(1)))
    with pytest.raises(DestinationError, match="level_ids"):
        destination.check(Trial())


@at(SKYWARD)
def test_a_row_of_skyward_that_broke_off_between_its_two_objects_is_finished_when_asked_again(
    site: SisSite,
) -> None:
    site.lose_answer()
    [outcome] = site.open().send([deed(1, site.row(1))])
    assert isinstance(outcome, RowUnknown)
    assert (len(site.sis.records), site.tardies()) == (1, 0), "the day's object is there, the period's is not"
    assert created(site, site.row(1)) == RowDone("2/3")
    assert created(site, site.row(1)) == RowDone("2/3")
    assert len(site.sis.records) == 2


@at(SKYWARD)
def test_skywards_wish_to_wait_after_the_first_object_leaves_the_row_unknown(site: SisSite) -> None:
    site.sis.fail_write(None, Reply(429, headers={"Retry-After": "5"}))
    [outcome] = site.open().send([deed(1, site.row(1))])
    assert isinstance(outcome, RowUnknown)
    created(site, site.row(1))
    assert len(site.sis.records) == 2


@at(SKYWARD)
def test_the_days_object_is_shared_and_goes_with_its_last_period(site: SisSite) -> None:
    first = site.row(1)
    second = {**first, "AttendancePeriodID": "2"}
    created(site, first)
    created(site, second)
    assert len(site.sis.records) == 3
    site.open().send([deed(1, first, Deed.DELETE)])
    assert (site.tardies(), len(site.sis.records)) == (1, 2)
    site.open().send([deed(2, second, Deed.DELETE)])
    assert site.sis.records == {}


@at(SKYWARD)
def test_access_that_skyward_has_not_approved_stops_the_export(site: SisSite) -> None:
    refused = Reply.of({"message": "no"}, 403)
    site.sis.fail_write(refused, refused)
    with pytest.raises(DestinationError, match="approve"):
        site.open().send([deed(1, site.row(1))])


@at(SKYWARD)
def test_an_answer_of_skyward_that_drips_is_no_second_record(site: SisSite) -> None:
    site.sis.fail_write(Fault.HALF)
    assert isinstance(site.open().send([deed(1, site.row(1))])[0], RowUnknown)
    created(site, site.row(1))
    assert len(site.sis.records) == 2


@at(POWERSCHOOL)
def test_no_token_is_asked_for_twice_while_it_lives(site: SisSite) -> None:
    for number in (1, 2, 3):
        created(site, site.row(number))
    assert paths(site).count("POST /oauth/access_token") == 1


@at(POWERSCHOOL)
def test_a_token_that_cannot_be_had_just_now_is_waited_for(site: SisSite) -> None:
    site.sis.server.fail(Reply(503, headers={"Retry-After": "4"}))
    with pytest.raises(TransientError) as raised:
        site.open().send([deed(1, site.row(1))])
    assert raised.value.retry_after == 4
