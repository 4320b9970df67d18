"""Rows on their way into an Ed-Fi API, over HTTP: what is there afterwards, and what is said of each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.servers.ed_fi_ods import EXCUSED, KEY, SECRET, TARDY, EdFiOds
from tests.servers.ed_fi_shapes import SECTION, STANDARDS
from tests.webs import LOCAL
from worker.allowed_hosts import read_allowed_hosts
from worker.core.record_rules import Deed
from worker.destinations.file_port import Installation
from worker.destinations.http.web import Web
from worker.destinations.places import Places
from worker.destinations.record_port import (
    RecordDestination,
    RowDeed,
    RowDone,
    RowLater,
    RowOutcome,
    RowRefused,
    RowUnknown,
)
from worker.destinations.records.ed_fi.ods import KIND
from worker.destinations.trial import Trial
from worker.errors import DestinationError, TransientError
from worker.testing.installations import RememberedMarks
from worker.testing.web_server import Fault, Reply, WebServer

SECRETS = {"edfi-key": KEY, "edfi-secret": SECRET}
STUDENT, SCHOOL_ID = "604822", 255901001
OPTIONS: dict[str, Any] = {
    "type": "ed_fi",
    "key": {"secret": "edfi-key"},
    "secret": {"secret": "edfi-secret"},
    "resource": "school_attendance",
    "category": TARDY,
    "codes": {"E": EXCUSED},
    "sessions": [
        {"name": "Fall", "school_year": 2027, "from": "2026-08-17", "until": "2026-12-18"},
        {"name": "Spring", "school_year": 2027, "from": "2027-01-05", "until": "2027-06-04"},
    ],
}
ROW: dict[str, Any] = {
    "studentReference.studentUniqueId": STUDENT,
    "schoolReference.schoolId": str(SCHOOL_ID),
    "eventDate": "2026-11-23",
}
IN_SECTION: dict[str, Any] = {
    "studentReference.studentUniqueId": STUDENT,
    "sectionReference.schoolId": str(SCHOOL_ID),
    "sectionReference.localCourseCode": "ALG-1",
    "sectionReference.sectionIdentifier": "ALG-1-02",
    "eventDate": "2026-11-23",
}


class Far:
    """The API and its server, with a destination that leads there."""

    def __init__(self, ods: EdFiOds, server: WebServer, installation: Installation) -> None:
        self.ods, self.server, self.installation = ods, server, installation

    def open(self, **options: Any) -> RecordDestination:
        where = {"base_url": self.ods.base}
        return KIND.open(OPTIONS | where | options, self.installation, SECRETS.__getitem__)

    def do(
        self, deed: Deed, row: dict[str, Any] = ROW, sis_id: str | None = None, **options: Any
    ) -> RowOutcome:
        [said] = self.open(**options).send([RowDeed(1, deed, row, "k1", sis_id)])
        return said

    def create(self, row: dict[str, Any] = ROW, **options: Any) -> str:
        said = self.do(Deed.CREATE, row, **options)
        assert isinstance(said, RowDone)
        assert said.sis_id is not None
        return said.sis_id

    def asked(self, method: str) -> int:
        return sum(1 for each, path in self.ods.asked if each == method and "/ed-fi/" in path)


@pytest.fixture(scope="module")
def web() -> Web:
    """One for all tests, as a process has one: reading whom to trust takes longer than a test."""
    return Web(read_allowed_hosts(LOCAL))


@pytest.fixture
def far(web: Web, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Far]:
    ods = EdFiOds(standard=getattr(request, "param", "5.0"))
    with WebServer(ods) as server:
        ods.base = (
            f"{server.url}/{tmp_path.name}"  # what the process knows of another test's is another address's
        )
        yield Far(ods, server, Installation(Places(tmp_path, ()), RememberedMarks(), web=web))


each_standard = pytest.mark.parametrize("far", STANDARDS, indirect=True)


@each_standard
def test_each_data_standard_takes_both_resources(far: Far) -> None:
    far.create(ROW | {"arrivalTime": "08:05", "attendanceEventReason": "Bus"})
    far.create(IN_SECTION | {"sectionAttendanceDuration": "5"}, resource="section_attendance")
    assert [len(far.ods.held()), len(far.ods.held(SECTION))] == [1, 1]


def test_the_id_is_kept_whatever_host_the_api_thinks_it_is(far: Far) -> None:
    far.ods.inner = "http://ods-7f9c.cluster.local:8080"
    record = far.create()
    assert list(far.ods.records["studentSchoolAttendanceEvents"]) == [record]
    assert far.do(Deed.DELETE, sis_id=record) == RowDone()
    assert far.ods.held() == []


def test_one_token_and_one_root_document_do_for_many_rows(far: Far) -> None:
    for day in ("2026-11-23", "2026-11-24", "2026-11-25"):
        far.create(ROW | {"eventDate": day})
    assert [far.ods.asked.count(each) for each in (("GET", ""), ("POST", "/oauth/token"))] == [1, 1]


def test_a_token_that_has_ended_is_renewed_once(far: Far) -> None:
    far.create()
    far.ods.expire_tokens()
    far.create(ROW | {"eventDate": "2026-11-24"})
    assert far.ods.asked.count(("POST", "/oauth/token")) == 2


def test_a_key_that_is_taken_away_stops_the_export(far: Far) -> None:
    far.create()
    far.ods.expire_tokens()
    far.ods.grants = False
    with pytest.raises(DestinationError, match="edfi-secret"):
        far.do(Deed.CREATE)


def test_the_same_tardy_again_is_one_record_under_one_id(far: Far) -> None:
    assert far.create() == far.create()
    assert len(far.ods.held()) == 1


def test_an_answer_lost_after_the_record_was_written_makes_no_second_one(far: Far) -> None:
    far.create(ROW | {"eventDate": "2026-11-20"})
    far.server.fail(Fault.AFTER)
    assert isinstance(far.do(Deed.CREATE), RowUnknown)
    assert len(far.ods.held()) == 2
    assert isinstance(far.do(Deed.CREATE), RowDone)
    assert len(far.ods.held()) == 2


def test_a_void_after_a_lost_answer_finds_the_record_by_its_key(far: Far) -> None:
    kept = far.create(ROW | {"eventDate": "2026-11-20"})
    far.server.fail(Fault.AFTER)
    far.do(Deed.CREATE)
    assert far.do(Deed.DELETE) == RowDone()
    assert list(far.ods.records["studentSchoolAttendanceEvents"]) == [kept]


def test_a_record_is_looked_for_by_its_whole_key(far: Far) -> None:
    far.create(ROW | {"eventDate": "2026-11-20"})
    far.create(ROW | {"attendanceEventCategoryDescriptor": "E"})
    assert far.open().look(RowDeed(1, Deed.CREATE, ROW, "k1")) is None
    record = far.create()
    assert far.open().look(RowDeed(1, Deed.CREATE, ROW, "k1")) == RowDone(record)


def test_a_section_record_is_looked_for_by_its_whole_key(far: Far) -> None:
    record = far.create(IN_SECTION, resource="section_attendance")
    found = far.open(resource="section_attendance").look(RowDeed(1, Deed.CREATE, IN_SECTION, "k1"))
    assert found == RowDone(record)


def test_a_search_that_finds_another_students_record_finds_nothing(far: Far) -> None:
    far.create()
    far.server.fail(
        Reply.of([{"id": "1", "studentReference": {"studentUniqueId": "7"}, "eventDate": "2026-11-23"}])
    )
    assert far.open().look(RowDeed(1, Deed.CREATE, ROW, "k1")) is None


def test_a_correction_changes_the_record_in_place(far: Far) -> None:
    record = far.create(ROW | {"arrivalTime": "08:05"})
    said = far.do(Deed.UPDATE, ROW | {"arrivalTime": "08:15"}, record)
    assert said == RowDone(record)
    assert [each["arrivalTime"] for each in far.ods.held()] == ["08:15:00"]
    assert far.asked("DELETE") == 0


def test_a_correction_of_the_key_deletes_and_makes_anew(far: Far) -> None:
    record = far.create()
    excused = ROW | {"attendanceEventCategoryDescriptor": "E"}
    assert far.do(Deed.DELETE, ROW, record) == RowDone()
    assert isinstance(far.do(Deed.CREATE, excused), RowDone)
    assert [each["attendanceEventCategoryDescriptor"] for each in far.ods.held()] == [EXCUSED]


def test_a_correction_after_the_definitions_category_changed_leaves_one_record(far: Far) -> None:
    record = far.create()
    said = far.do(Deed.UPDATE, ROW | {"arrivalTime": "08:15"}, record, category=EXCUSED)
    assert isinstance(said, RowDone)
    assert said.sis_id != record
    assert [each["attendanceEventCategoryDescriptor"] for each in far.ods.held()] == [EXCUSED]


def test_an_id_that_an_upgraded_api_writes_in_another_form_is_the_same_record(far: Far) -> None:
    record = far.create()
    written = f"{record[:8]}-{record[8:12]}-{record[12:16]}-{record[16:20]}-{record[20:]}".upper()
    far.server.fail(Reply(200, headers={"Location": f"{far.ods.base}/data/v3/ed-fi/x/{written}"}))
    assert far.do(Deed.UPDATE, ROW, record) == RowDone(written)
    assert far.asked("DELETE") == 0


def test_a_former_record_whose_deletion_was_not_answered_is_deleted_when_it_is_sent_again(far: Far) -> None:
    record = far.create()
    written = Reply(201, headers={"Location": f"{far.server.url}/x/{'0' * 32}"})
    far.server.fail(written, Reply(503))
    assert isinstance(far.do(Deed.UPDATE, ROW, record, category=EXCUSED), RowUnknown)
    assert isinstance(far.do(Deed.UPDATE, ROW, record, category=EXCUSED), RowDone)
    assert [each["attendanceEventCategoryDescriptor"] for each in far.ods.held()] == [EXCUSED]


def test_a_correction_of_a_record_that_somebody_deleted_makes_it_anew(far: Far) -> None:
    record = far.create()
    far.do(Deed.DELETE, sis_id=record)
    assert isinstance(far.do(Deed.UPDATE, ROW | {"arrivalTime": "08:15"}, record), RowDone)
    assert len(far.ods.held()) == 1


@pytest.mark.parametrize("sis_id", ["0" * 32, None])
def test_a_void_that_finds_nothing_is_done(far: Far, sis_id: str | None) -> None:
    assert far.do(Deed.DELETE, sis_id=sis_id) == RowDone()


def test_an_id_of_any_shape_stays_within_the_resource(far: Far) -> None:
    far.do(Deed.DELETE, sis_id="../../oauth/token")
    assert far.ods.asked[-1] == (
        "DELETE",
        "/data/v3/ed-fi/studentSchoolAttendanceEvents/..%2F..%2Foauth%2Ftoken",
    )


@each_standard
def test_a_student_whom_the_ods_does_not_know_yet_goes_later(far: Far) -> None:
    far.ods.students.clear()
    said = far.do(Deed.CREATE)
    assert isinstance(said, RowLater)
    assert "Hint: You may need to create a corresponding 'StudentSchoolAssociation'" in said.words
    far.ods.students[STUDENT] = SCHOOL_ID
    assert isinstance(far.do(Deed.CREATE), RowDone)


@each_standard
def test_a_session_that_the_ods_does_not_know_yet_goes_later(far: Far) -> None:
    known = set(far.ods.sessions)
    far.ods.sessions.clear()
    said = far.do(Deed.CREATE)
    assert isinstance(said, RowLater)
    assert "'Session' item does not exist" in said.words
    far.ods.sessions |= known
    assert isinstance(far.do(Deed.CREATE), RowDone)


def test_a_student_whom_an_older_ods_cannot_resolve_goes_later(far: Far) -> None:
    words = "Validation of 'StudentSchoolAttendanceEvent' failed. Student reference could not be resolved."
    far.create()
    far.server.fail(Reply.of({"message": words}, 400))
    assert far.do(Deed.CREATE) == RowLater(f"HTTP 400: {words}")


def test_what_the_ods_refuses_is_told_in_its_own_words_with_the_id_in_its_log(far: Far) -> None:
    far.ods.descriptors.clear()
    said = far.do(Deed.CREATE)
    assert isinstance(said, RowRefused)
    assert "Data validation failed" in said.words
    assert f"'{TARDY}' does not exist" in said.words
    assert "correlation id c-" in said.words


@pytest.mark.parametrize("deed", [Deed.CREATE, Deed.UPDATE, Deed.DELETE])
def test_a_row_that_no_longer_fits_the_definition_is_not_sent(far: Far, deed: Deed) -> None:
    assert isinstance(far.do(deed, ROW | {"eventDate": "2026-07-04"}), RowRefused)
    assert [far.asked(method) for method in ("POST", "DELETE")] == [0, 0]
    with pytest.raises(DestinationError, match="sessions"):
        far.open().look(RowDeed(1, deed, ROW | {"eventDate": "2026-07-04"}, "k1"))


def test_a_void_goes_by_the_records_id_whatever_the_definition_has_become(far: Far) -> None:
    record = far.create()
    assert far.do(Deed.DELETE, ROW, record, sessions=OPTIONS["sessions"][1:]) == RowDone()
    assert far.ods.held() == []


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (400, RowRefused),
        (403, RowLater),
        (408, RowUnknown),
        (409, RowLater),
        (412, RowRefused),
        (500, RowUnknown),
        (502, RowUnknown),
    ],
)
def test_an_answer_without_words_is_told_by_its_status(
    far: Far, status: int, expected: type[RowOutcome]
) -> None:
    far.create()
    for body in (b"", b"<html>Bad gateway</html>", b"[1]", b'{"message": 7}'):
        far.server.fail(Reply(status, body))
        said = far.do(Deed.CREATE)
        assert isinstance(said, expected)
        assert getattr(said, "words", None) == f"HTTP {status}"


@pytest.mark.parametrize("status", [404, 405, 410])
def test_a_resource_that_is_not_there_stops_the_export(far: Far, status: int) -> None:
    far.create()
    far.server.fail(Reply(status))
    with pytest.raises(DestinationError, match="base_url"):
        far.do(Deed.CREATE)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (403, "urn:ed-fi:api:security:authorization:access-denied:action"),
        (403, "urn:ed-fi:api:security:authorization:access-denied:resource"),
        (403, "urn:ed-fi:api:security:data-policy:incorrect-usage"),
        (400, "urn:ed-fi:api:profile:invalid-profile-usage"),
        (405, "urn:ed-fi:api:profile:method-usage"),
    ],
)
def test_what_the_key_may_not_do_at_all_stops_the_export(far: Far, status: int, kind: str) -> None:
    far.create()
    far.server.fail(Reply.of({"type": kind, "detail": f"about {STUDENT}"}, status))
    with pytest.raises(DestinationError, match="attendance") as stopped:
        far.do(Deed.CREATE)
    assert STUDENT not in str(stopped.value)


@pytest.mark.parametrize("status", [429, 503])
def test_an_api_that_asks_to_wait_is_waited_for_no_longer_than_the_definition_grants(
    far: Far, status: int
) -> None:
    far.create()
    far.server.fail(Reply(status, headers={"Retry-After": "600"}))
    with pytest.raises(TransientError) as waiting:
        far.do(Deed.CREATE, retry_after_max_seconds=120)
    assert waiting.value.retry_after == 120
    assert len(far.ods.held()) == 1


def test_a_root_document_that_names_no_addresses_is_one_of_an_older_api(far: Far) -> None:
    far.server.fail(Reply.of({"version": "3.4.0", "dataModels": []}))
    far.create()


@pytest.mark.parametrize(
    ("reply", "says"),
    [
        (Reply.of({"hello": "world"}), "no root document"),
        (Reply(200, b"<html></html>"), "no root document"),
        (Reply(404), "no root document"),
        (
            Reply.of(
                {"urls": {"oauth": "https://h/{tenantIdentifier}/oauth/token", "dataManagementApi": "x"}}
            ),
            "tenant or school year|must begin",
        ),
        (
            Reply.of(
                {
                    "urls": {
                        "dataManagementApi": "https://h/{schoolYearFromRoute}/data/v3",
                        "oauth": "https://h/t",
                    }
                }
            ),
            "tenant or school year",
        ),
        (
            Reply.of({"urls": {"oauth": "ftp://h/", "dataManagementApi": "https://h/data"}}),
            "oauth must begin",
        ),
        (
            Reply.of(
                {"urls": {"oauth": "http://169.254.169.254/t", "dataManagementApi": "http://127.0.0.1/data"}}
            ),
            "may not be reached",
        ),
    ],
)
def test_a_base_url_that_leads_to_no_api_is_told_with_what_to_ask_for(
    far: Far, reply: Reply, says: str
) -> None:
    far.server.fail(reply)
    with pytest.raises(DestinationError, match=says):
        far.do(Deed.CREATE)


def test_a_root_document_that_is_away_is_waited_for(far: Far) -> None:
    far.server.fail(Reply(500))
    with pytest.raises(TransientError):
        far.do(Deed.CREATE)
    far.create()


@pytest.mark.parametrize("reply", [Reply(500), Reply(502)])
def test_a_search_that_fails_for_now_is_waited_for(far: Far, reply: Reply) -> None:
    far.create()
    far.server.fail(reply)
    with pytest.raises(TransientError):
        far.open().look(RowDeed(1, Deed.CREATE, ROW, "k1"))


@pytest.mark.parametrize("reply", [Reply(403), Reply(200, b"{}"), Reply(200, b"<html>")])
def test_a_search_that_nobody_may_make_stops_the_export(far: Far, reply: Reply) -> None:
    far.create()
    far.server.fail(reply)
    with pytest.raises(DestinationError, match="granted read"):
        far.open().look(RowDeed(1, Deed.CREATE, ROW, "k1"))


def test_a_check_reads_one_record_and_changes_nothing(far: Far) -> None:
    trial = Trial()
    far.open().check(trial)
    assert [(step.name, step.problem) for step in trial.steps] == [
        ("resolve", None),
        ("connect", None),
        ("token", None),
        ("read", None),
    ]
    assert {method for method, path in far.ods.asked if path != "/oauth/token"} == {"GET"}
    assert far.server.seen[-1].query == {"limit": "1"}


def test_a_check_reads_the_root_document_as_it_is_now(far: Far) -> None:
    far.create()
    far.open().check(Trial())
    assert far.ods.asked.count(("GET", "")) == 2


def test_a_check_says_which_step_failed_and_what_to_do(far: Far) -> None:
    far.ods.grants = False
    trial = Trial()
    with pytest.raises(DestinationError, match="check the secret"):
        far.open().check(trial)
    assert trial.steps[-1].name == "token"
    assert SECRET not in str(trial.steps[-1].problem)


def test_a_secret_that_is_missing_is_told_by_its_name(far: Far) -> None:
    def none(name: str) -> str:
        raise DestinationError(f"secret {name!r} is not set")

    opened = KIND.open(OPTIONS | {"base_url": far.ods.base}, replace(far.installation), none)
    with pytest.raises(DestinationError, match="edfi-key"):
        opened.send([RowDeed(1, Deed.CREATE, ROW, "k1")])
