"""Sycamore School: attendance of a class on a day, many students in one request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from schemas.definition.records import RecordFields
from schemas.fields.scalars import Secret
from worker.core.record_rules import Capabilities, Deed, RecordForm
from worker.destinations.facts import Facts
from worker.destinations.file_port import Installation
from worker.destinations.file_port import Secret as ReadSecret
from worker.destinations.http.answers import Response
from worker.destinations.http.logins import bearer
from worker.destinations.http.paper import on_paper
from worker.destinations.record_port import RecordKind, RowDeed, RowDone, RowOutcome, RowRefused
from worker.destinations.records.calling import Sis, WithoutLook, sis
from worker.destinations.records.record_options import RecordSchema, WebAddress, parallel
from worker.destinations.records.requesting import together_or_parted
from worker.destinations.records.row_values import days, filled, ids, is_empty, number, problems
from worker.destinations.records.sis_answers import sis_words, troubled
from worker.destinations.trial import Trial

PUBLIC = "https://app.sycamoreeducation.com"
ROWS_A_REQUEST = 100
"""No limit is documented; a class has fewer."""
_REQUIRED = ("ClassID", "StudentID", "Date")
_OPTIONAL = ("ATID", "Comment")


class SycamoreSchema(RecordSchema):
    """Options of a `sycamore` destination."""

    base_url = WebAddress(about=f"Sycamore's server; default {PUBLIC}.")
    token = Secret(required=True, about="The school's API token.")


_FIELDS: tuple[dict[str, Any], ...] = (
    {"field": "student.homeroom", "header": "ClassID", "required": True},
    {"field": "student.local_id", "header": "StudentID", "required": True},
    {"field": "date", "header": "Date", "required": True},
)


def _form(options: Mapping[str, Any]) -> RecordForm:
    return RecordForm(
        can=Capabilities(
            key="natural",
            verbs=frozenset({"create", "update", "delete"}),
            rows_a_request=ROWS_A_REQUEST,
            side_by_side=parallel(options),
            ends="present",
        ),
        fields=RecordFields(_FIELDS, _REQUIRED, "period", (*_REQUIRED, *_OPTIONAL)),
        key=frozenset(_REQUIRED),
        together=("ClassID", "Date"),
        problem=problems(filled(*_REQUIRED), ids("ClassID", "StudentID", "ATID"), days("Date")),
    )


def mark_of(deed: RowDeed) -> dict[str, Any]:
    """A student's mark as Sycamore takes it; a void is a student who was present and not tardy."""
    properties = deed.properties
    mark = {
        "Tardy": 0 if deed.deed is Deed.DELETE else 1,
        "Absent": 0,
        "Present": 1,
        "ATID": 0,
        "Comment": "",
    }
    if deed.deed is not Deed.DELETE:
        mark |= {name: properties[name] for name in _OPTIONAL if not is_empty(properties.get(name))}
    return mark | {"ATID": number(mark["ATID"])}


class Sycamore(WithoutLook):
    """Marks of one class and day at a time; a student's mark that is there is updated."""

    def __init__(self, sis: Sis) -> None:
        self._sis = sis

    def send(self, deeds: Sequence[RowDeed]) -> Sequence[RowOutcome]:
        return together_or_parted(deeds, self._ask)

    def check(self, trial: Trial) -> None:
        self._sis.check(trial)
        trial.lack("its token cannot be tried without writing: the first record shows whether it is right")

    def _ask(self, deeds: Sequence[RowDeed]) -> Sequence[RowOutcome]:
        first = deeds[0].properties
        marks = {str(deed.properties["StudentID"]): mark_of(deed) for deed in deeds}
        answer = self._sis.ask(
            "POST",
            *("api", "v1", "Class", first["ClassID"], "Attendance"),
            json={"Date": first["Date"], "Students": marks},
        )
        return [troubled(answer, names_row=True) or _taken(answer)] * len(deeds)


def _taken(answer: Response) -> RowOutcome:
    """What an answer with a good status says itself. Raises LostAnswerError where it cannot be read."""
    said = answer.json() if answer.body else {"Success": 1}
    taken = isinstance(said, dict) and said.get("Success") in (1, "1", True)
    return RowDone() if taken else RowRefused(sis_words(answer))


def _open(options: Mapping[str, Any], installation: Installation, secret: ReadSecret) -> Sycamore:
    return Sycamore(
        sis(options.get("base_url", PUBLIC), bearer(secret, options["token"]), options, installation)
    )


KIND = RecordKind(
    SycamoreSchema,
    _open,
    _form,
    examples=({"type": "sycamore", "token": {"secret": "sycamore"}},),
    written=on_paper(_open),
    facts=Facts(
        "Sycamore School, attendance of classes",
        sure=(
            "POST /api/v1/Class/{ClassID}/Attendance takes a date and many students of that class, each with Tardy,"
            " Absent, Present, ATID and Comment; Tardy 1 implies Present 1.",
            "A record that is there is updated; the homeroom's follows by itself. A void is Tardy 0, Present 1.",
            "The answer is 201 with Success, Created and Updated, 400 or 403.",
        ),
        assumed=(
            "The login is a bearer token.",
            "A request that is answered with 400 has been refused as a whole.",
            "A student has one record a class and day: where ClassID is the homeroom, collapse per_day; where it is the"
            " period's class, per_period.",
            "ATID is 0 unless a field with the header ATID says otherwise.",
            "ClassID and StudentID are Sycamore's own ids: fill them with the fields that hold them. ClassID is the"
            " student's homeroom unless you choose another field.",
            "404 means that the class or the student is not there yet.",
        ),
    ),
)
