"""Skyward Qmlativ, experimental: two objects a tardy, of the student's day and of the period in it."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from schemas.definition.records import RecordFields
from schemas.fields.scalars import ScalarMap, Secret, Whole
from worker.core.record_rules import Capabilities, Deed, RecordForm
from worker.destinations.facts import Facts
from worker.destinations.file_port import Installation
from worker.destinations.file_port import Secret as ReadSecret
from worker.destinations.http.answers import Request
from worker.destinations.http.http_failures import LostAnswerError
from worker.destinations.http.paper import Supposed, on_paper
from worker.destinations.http.tokens import client_credentials
from worker.destinations.record_port import RecordKind, RowDeed, RowDone, RowOutcome, RowUnknown
from worker.destinations.records.calling import sis
from worker.destinations.records.qmlativ_objects import Objects, TroubledError
from worker.destinations.records.record_options import ClientId, RecordSchema, WebAddress, codes
from worker.destinations.records.requesting import together_or_parted
from worker.destinations.records.row_values import filled, given, ids, mapped, number, problems, sis_code
from worker.destinations.trial import Trial
from worker.errors import DeliveryError, TransientError

DAY, PERIOD = "StudentAttendance", "StudentAttendancePeriod"
_DAY_ID, _PERIOD_ID = "StudentAttendanceID", "StudentAttendancePeriodID"
_KEY = ("StudentID", "CalendarDayID", "AttendancePeriodID")
_REQUIRED = (*_KEY, "SchoolYearID", "AttendanceTypeID")
_OPTIONAL = ("EntityID", "TardyCount", "AttendanceReasonID", "StudentSectionID", "Comment")
_IDS = (*_KEY, "EntityID", "AttendanceReasonID", "StudentSectionID")
_OF_PERIOD = ("AttendancePeriodID", "AttendanceTypeID", "AttendanceReasonID", "StudentSectionID", "Comment")


class SkywardSchema(RecordSchema):
    """Options of a `skyward` destination."""

    parallel = Whole(
        1,
        64,
        about="Here requests go one after the other, whatever it says: what is there is looked for before it is made.",
    )

    base_url = WebAddress(required=True, about="The district's Qmlativ API, as Skyward names it.")
    client_id = ClientId(required=True, about="The API key that Skyward has approved.")
    client_secret = Secret(required=True, about="Its secret.")
    entity = Whole(1, required=True, about="The id of the entity (the school) that records belong to.")
    codes = codes(
        "External Reference Code → Qmlativ's own id of the attendance type. What is not there is taken for such an id"
        " itself; a row with anything else is held."
    )
    years = ScalarMap(
        nulls=False,
        most=200,
        required=True,
        about="The year in which the school year ends → Qmlativ's SchoolYearID.",
    )


_FIELDS: tuple[dict[str, Any], ...] = (
    {"field": "student.local_id", "header": "StudentID", "required": True},
    {"field": "attributes.calendar_day_id", "header": "CalendarDayID", "required": True},
    {"field": "school_year", "header": "SchoolYearID", "required": True},
    {"field": "period.external_reference_code", "header": "AttendancePeriodID", "required": True},
    {"field": "behavior.external_reference_code", "header": "AttendanceTypeID", "required": True},
)


def _form(options: Mapping[str, Any]) -> RecordForm:
    """Qmlativ's ids are its own; but as each record is looked for before it is made, it is known by what stands in
    it, and asking again makes no second one."""
    return RecordForm(
        can=Capabilities(
            key="natural",
            verbs=frozenset({"create", "update", "delete"}),
            reads_back=True,
            side_by_side=1,
        ),
        fields=RecordFields(_FIELDS, _REQUIRED, "period", (*_REQUIRED, *_OPTIONAL)),
        key=frozenset(_KEY),
        problem=problems(
            filled(*_REQUIRED),
            ids(*_IDS),
            mapped("AttendanceTypeID", options.get("codes", {}), "codes"),
            _year_is_mapped(options.get("years", {})),
        ),
    )


def _year_is_mapped(years: Mapping[str, Any]) -> Any:
    def check(properties: Mapping[str, Any]) -> str | None:
        if str(properties["SchoolYearID"]) in years:
            return None
        return "SchoolYearID: the school year has no id yet: map it in the destination's `years`"

    return check


@dataclass(frozen=True, slots=True)
class Wanted:
    """A tardy as Qmlativ keeps it: the day's object, and the period's but for the day's id."""

    day: Mapping[str, Any]
    period: Mapping[str, Any]

    @property
    def day_key(self) -> Mapping[str, Any]:
        return {name: self.day[name] for name in ("StudentID", "CalendarDayID")}

    def period_key(self, day_id: Any) -> Mapping[str, Any]:
        """By what the period's object is found."""
        return {_DAY_ID: number(day_id), "AttendancePeriodID": self.period["AttendancePeriodID"]}


def wanted(properties: Mapping[str, Any], options: Mapping[str, Any]) -> Wanted:
    """The two objects of a row."""
    row = given(properties)
    row |= {name: number(row[name]) for name in _IDS if name in row}
    row["AttendanceTypeID"] = sis_code(row["AttendanceTypeID"], options.get("codes", {}))
    day = {
        "StudentID": row["StudentID"],
        "CalendarDayID": row["CalendarDayID"],
        "EntityID": row.get("EntityID", options["entity"]),
        "SchoolYearID": sis_code(row["SchoolYearID"], options["years"]),
        "TardyCount": number(row.get("TardyCount", 1)),
    }
    if "Comment" in row:
        day["Comment"] = row["Comment"]
    return Wanted(day, {name: row[name] for name in _OF_PERIOD if name in row})


class Skyward:
    """One row at a time: what is there is looked for first, so that a row sent again makes no second record."""

    def __init__(self, objects: Objects, options: Mapping[str, Any]) -> None:
        self._objects, self._options = objects, options
        self._one_at_a_time = threading.Lock()

    def send(self, deeds: Sequence[RowDeed]) -> Sequence[RowOutcome]:
        return together_or_parted(deeds, self._done)

    def look(self, deed: RowDeed) -> RowDone | None:
        try:
            with self._one_at_a_time:
                found = self._found(wanted(deed.properties, self._options))
        except (TroubledError, LostAnswerError):
            raise TransientError("skyward: its records cannot be looked for just now") from None
        return None if found is None else RowDone("/".join(found))

    def check(self, trial: Trial) -> None:
        self._objects.sis.check(trial)
        with trial.step("look up"):
            self._objects.first_page(DAY)

    def _done(self, deeds: Sequence[RowDeed]) -> Sequence[RowOutcome]:
        [deed] = deeds
        row = wanted(deed.properties, self._options)
        with self._one_at_a_time:
            before = self._objects.writes
            try:
                return [self._delete(row) if deed.deed is Deed.DELETE else self._put(row)]
            except TroubledError as error:
                return [error.outcome]
            except DeliveryError as error:
                if self._objects.writes == before:
                    raise
                return [RowUnknown(str(error))]  # half of it is there: asked again, the rest follows

    def _put(self, row: Wanted) -> RowDone:
        """Has both objects there as the row says: what is there is modified, what is missing created."""
        day_id = self._objects.find(DAY, row.day_key, _DAY_ID)
        if day_id is None:
            day_id = self._objects.create(DAY, row.day, _DAY_ID)
        period = {_DAY_ID: number(day_id), **row.period}
        period_id = self._objects.find(PERIOD, row.period_key(day_id), _PERIOD_ID)
        if period_id is None:
            period_id = self._objects.create(PERIOD, period, _PERIOD_ID)
        else:
            self._objects.modify(PERIOD, period_id, period)
        return RowDone(f"{day_id}/{period_id}")

    def _delete(self, row: Wanted) -> RowDone:
        """Removes the period's object, and the day's where no other period's hangs on it."""
        day_id = self._objects.find(DAY, row.day_key, _DAY_ID)
        if day_id is None:
            return RowDone()
        period_id = self._objects.find(PERIOD, row.period_key(day_id), _PERIOD_ID)
        if period_id is not None:
            self._objects.delete(PERIOD, period_id)
        if self._objects.find(PERIOD, {_DAY_ID: number(day_id)}, _PERIOD_ID) is None:
            self._objects.delete(DAY, day_id)
        return RowDone()

    def _found(self, row: Wanted) -> tuple[str, str] | None:
        day_id = self._objects.find(DAY, row.day_key, _DAY_ID)
        if day_id is None:
            return None
        period_id = self._objects.find(PERIOD, row.period_key(day_id), _PERIOD_ID)
        return None if period_id is None else (day_id, period_id)


def _open(options: Mapping[str, Any], installation: Installation, secret: ReadSecret) -> Skyward:
    base = options["base_url"].rstrip("/")
    login = client_credentials(
        installation.web,
        secret,
        f"{base}/oauth/token",
        (options["client_id"], options["client_secret"]),
        expired=frozenset({401, 403}),
    )
    return Skyward(Objects(sis(base, login, options, installation), options["entity"]), options)


_IF_FOUND = (
    "where the search before has found it, whose id it bears; where an update finds none, it is created"
)


def _supposed(_options: Mapping[str, Any], deeds: Sequence[RowDeed], request: Request) -> Supposed:
    """What is there already: the objects that the SIS has named before, else none, unless one is to be removed."""
    [deed] = deeds
    kind, *rest = request.url.rpartition("/Attendance/")[2].split("/")
    names = {DAY: _DAY_ID, PERIOD: _PERIOD_ID}
    day, _, period = (deed.sis_id or "").partition("/")
    its_id = number({DAY: day, PERIOD: period}[kind]) or f"<{names[kind]}>"
    if request.method == "POST" and len(rest) == 2:
        return Supposed({"Objects": [{names[kind]: its_id}] if _is_there(deed, request) else []})
    if request.method == "PUT":
        return Supposed({kind: {names[kind]: its_id}}, only="where the search before has found none")
    if request.method == "DELETE" and kind == DAY:
        return Supposed({}, only="where the search before has found no other period of that day")
    return Supposed(
        {},
        only="where the search before has found it, whose id it bears; where an update finds none, it is created",
    )


def _is_there(deed: RowDeed, request: Request) -> bool:
    """The last search of a removal is for periods that are left."""
    conditions = request.json["SearchCondition"]["Conditions"]
    left = [one["FieldName"] for one in conditions] == [_DAY_ID]
    return not left and (deed.deed is Deed.DELETE or deed.sis_id is not None)


KIND = RecordKind(
    SkywardSchema,
    _open,
    _form,
    examples=(
        {
            "type": "skyward",
            "base_url": "https://district.example.org/api",
            "client_id": "district-key",
            "client_secret": {"secret": "skyward"},
            "entity": 1,
            "codes": {"T": "3"},
            "years": {"2027": "27"},
        },
    ),
    written=on_paper(_open, _supposed),
    facts=Facts(
        "Skyward Qmlativ, attendance",
        sure=(
            "By a third party's description of 2021, and no other: tokens come from {base}/oauth/token (OAuth2 client"
            " credentials), and 403 means that one has expired.",
            "PUT creates, POST of an id modifies, DELETE removes, POST of a page and its size lists by a"
            " SearchCondition; all below {base}/Generic/{entity}/Attendance/.",
            "A tardy is a StudentAttendance of the day, then a StudentAttendancePeriod of the period.",
            "Skyward approves access object by object and field by field.",
        ),
        assumed=(
            "A SearchCondition is a group of conditions that all hold, each a field's name, Equal and a value.",
            "A list is an array, or an object that holds one; an answer to a create names the new object's id.",
            "The day's object is shared by a day's periods, with TardyCount 1 unless a field says otherwise; it goes"
            " with the last of them.",
            "StudentID, CalendarDayID and AttendancePeriodID are Qmlativ's own ids: fill them with the fields that hold"
            " them. The behavior system sends CalendarDayID as the attribute calendar_day_id.",
        ),
        experimental=True,
    ),
)
