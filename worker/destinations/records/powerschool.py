"""PowerSchool SIS: attendance by its own REST API, a record a student and day, or a meeting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from schemas.definition.records import RecordFields
from schemas.fields.scalars import Choice, ScalarMap, Secret
from worker.core.record_rules import Capabilities, RecordForm
from worker.destinations.facts import Facts
from worker.destinations.file_port import Installation
from worker.destinations.file_port import Secret as ReadSecret
from worker.destinations.http.answers import Response
from worker.destinations.http.paper import on_paper
from worker.destinations.http.tokens import client_credentials
from worker.destinations.record_port import RecordKind, RowDeed, RowDone, RowOutcome, RowRefused
from worker.destinations.records.bodies import nested
from worker.destinations.records.calling import Sis, WithoutLook, sis
from worker.destinations.records.record_options import ClientId, RecordSchema, WebAddress, codes, parallel
from worker.destinations.records.requesting import together_or_parted
from worker.destinations.records.row_values import (
    Properties,
    clocks,
    days,
    filled,
    given,
    ids,
    mapped,
    number,
    problems,
    seconds,
    sis_code,
)
from worker.destinations.records.sis_answers import troubled
from worker.destinations.trial import Trial

ROWS_A_DAY_REQUEST = 200
"""What `batch_daily_time` takes at the most."""
_ROWS_A_MEETING_REQUEST = 50
_FIRST_YEAR = 1991
_FIXED = ("studentid", "att_date", "schoolid")
_REQUIRED = (*_FIXED, "yearid", "att_mode_code", "attendance_codeid")
_TIMES = ("start_time", "end_time")
_IDS = ("studentid", "schoolid", "ccid", "periodid")


class PowerSchoolSchema(RecordSchema):
    """Options of a `powerschool` destination."""

    base_url = WebAddress(
        required=True, about="The district's PowerSchool, such as https://district.powerschool.com."
    )
    client_id = ClientId(required=True, about="The client id of the plugin that the district has installed.")
    client_secret = Secret(required=True, about="That plugin's client secret.")
    mode = Choice(
        "daily",
        "meeting",
        required=True,
        about="daily: one record a student and day; meeting: one a student, day and time.",
    )
    codes = codes(
        "External Reference Code → PowerSchool's own id of the attendance code. What is not there is taken for such"
        " an id itself; a row with anything else is held."
    )
    years = ScalarMap(
        nulls=False,
        most=200,
        about="The year in which the school year ends → PowerSchool's yearid; left out: that year less"
        f" {_FIRST_YEAR}.",
    )


def _fields(mode: str) -> tuple[dict[str, Any], ...]:
    common: tuple[dict[str, Any], ...] = (
        {"field": "student.local_id", "header": "studentid", "required": True},
        {"field": "date", "header": "att_date", "required": True},
        {"field": "school.sis_id", "header": "schoolid", "required": True},
        {"field": "school_year", "header": "yearid", "required": True},
        {"constant": "ATT_ModeMeeting" if mode == "meeting" else "ATT_ModeDaily", "header": "att_mode_code"},
        {"field": "behavior.external_reference_code", "header": "attendance_codeid", "required": True},
    )
    if mode == "daily":
        return common
    return (*common, *({"field": "time", "header": name, "required": True} for name in _TIMES))


def _form(options: Mapping[str, Any]) -> RecordForm:
    meeting = options["mode"] == "meeting"
    required = (*_REQUIRED, *_TIMES) if meeting else _REQUIRED
    return RecordForm(
        can=Capabilities(
            key="natural",
            verbs=frozenset({"create", "update"}),
            rows_a_request=_ROWS_A_MEETING_REQUEST if meeting else ROWS_A_DAY_REQUEST,
            side_by_side=parallel(options),
        ),
        fields=RecordFields(_fields(options["mode"]), required, "period" if meeting else "day"),
        key=frozenset((*_FIXED, *_TIMES) if meeting else _FIXED),
        together=("studentid", "att_date") if meeting else (),
        problem=problems(
            filled(*required),
            ids(*_IDS),
            days("att_date"),
            clocks(*_TIMES),
            mapped("attendance_codeid", options.get("codes", {}), "codes"),
            mapped("yearid", options.get("years", {}), "years"),
        ),
    )


def record_of(properties: Properties, options: Mapping[str, Any]) -> dict[str, Any]:
    """A row as PowerSchool takes it: ids as numbers, times as seconds since midnight."""
    record = given(properties)
    record |= {name: number(record[name]) for name in _IDS if name in record}
    record |= {name: seconds(record[name]) for name in _TIMES if name in record}
    record["attendance_codeid"] = sis_code(record["attendance_codeid"], options.get("codes", {}))
    record["yearid"] = _year_id(record["yearid"], options.get("years", {}))
    return record


def _year_id(year: Any, years: Mapping[str, Any]) -> Any:
    """PowerSchool's yearid of a school year, by the year in which it ends; a small number is one already."""
    if str(year) in years:
        return number(years[str(year)])
    count = number(year)
    return count - _FIRST_YEAR if isinstance(count, int) and count > _FIRST_YEAR else count


class PowerSchool(WithoutLook):
    """Records by `batch_daily_time` (many), `daily_time` (one) and `meeting_interval` (one student and day)."""

    def __init__(self, sis: Sis, options: Mapping[str, Any]) -> None:
        self._sis, self._options = sis, options
        self._takes_batches = True

    def send(self, deeds: Sequence[RowDeed]) -> Sequence[RowOutcome]:
        return together_or_parted(deeds, self._ask)

    def check(self, trial: Trial) -> None:
        self._sis.check(trial)
        trial.lack("its ids cannot be tried without writing: the first records show whether they are right")

    def _ask(self, deeds: Sequence[RowDeed]) -> Sequence[RowOutcome]:
        records = [nested(record_of(deed.properties, self._options)) for deed in deeds]
        if self._options["mode"] == "meeting":
            answer = self._post("meeting_interval", records)
        elif len(records) == 1:
            answer = self._post("daily_time", records[0])
        else:
            return self._batch(records)
        return [troubled(answer) or RowDone()] * len(deeds)

    def _batch(self, records: Sequence[Mapping[str, Any]]) -> Sequence[RowOutcome]:
        """Many in one request; a PowerSchool that is too old for it gets them one by one, by being refused them."""
        if self._takes_batches:
            answer = self._post("batch_daily_time", records)
            if answer.status not in (404, 405):
                return [troubled(answer) or RowDone()] * len(records)
            self._takes_batches = False
        return [RowRefused("this PowerSchool takes no batches")] * len(records)

    def _post(self, name: str, body: Any) -> Response:
        return self._sis.ask("POST", "ws", "attendance", name, json=body)


def _open(options: Mapping[str, Any], installation: Installation, secret: ReadSecret) -> PowerSchool:
    base = options["base_url"].rstrip("/")
    login = client_credentials(
        installation.web,
        secret,
        f"{base}/oauth/access_token",
        (options["client_id"], options["client_secret"]),
    )
    return PowerSchool(sis(base, login, options, installation), options)


def _example(mode: str) -> dict[str, Any]:
    return {
        "type": "powerschool",
        "base_url": "https://district.powerschool.com",
        "client_id": "00000000-0000-0000-0000-000000000000",
        "client_secret": {"secret": "powerschool"},
        "mode": mode,
        "codes": {"T": "27"},
    }


KIND = RecordKind(
    PowerSchoolSchema,
    _open,
    _form,
    examples=(_example("daily"), _example("meeting")),
    written=on_paper(_open),
    facts=Facts(
        "PowerSchool SIS, attendance by its REST API",
        sure=(
            "A POST creates or updates; batch_daily_time takes up to 200 records (since PowerSchool 25.3), daily_time"
            " one, meeting_interval several of one student and day.",
            "Required are studentid, att_date, schoolid, yearid, att_mode_code and attendance_codeid;"
            " ATT_ModeMeeting adds start_time and end_time, in seconds since midnight; ccid and periodid may be added.",
            "Student, school and attendance code are PowerSchool's internal ids, not the numbers people see.",
            "OAuth2 client credentials; answers are 200, 400, 403 and 500.",
        ),
        assumed=(
            "Tokens come from /oauth/access_token of the same server.",
            "Many records go as a JSON array, one as an object; 200 means that every record in it was taken.",
            "A PowerSchool that is too old for batch_daily_time answers 404 to it; its rows go one by one then.",
            "One record a student, school and day (meeting: and time): sent again it is updated, so that it may be"
            " sent again.",
            "att_mode_code is ATT_ModeDaily in the mode daily.",
            "start_time and end_time are both the tardy's own time.",
            f"yearid is the year in which the school year ends, less {_FIRST_YEAR}; `years` says otherwise.",
            "No address that looks ids up is documented publicly: studentid is filled with a field that holds"
            " PowerSchool's own id of the student, and `codes` has the ids of attendance codes.",
        ),
    ),
)
