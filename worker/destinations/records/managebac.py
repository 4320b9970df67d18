"""ManageBac: attendance of a homeroom or a class, set a student at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from schemas.definition.records import RecordFields
from schemas.fields.scalars import Choice, Secret, Whole
from worker.core.record_rules import Capabilities, Deed, RecordForm, Verb
from worker.destinations.facts import Facts
from worker.destinations.file_port import Installation
from worker.destinations.file_port import Secret as ReadSecret
from worker.destinations.http.logins import api_key
from worker.destinations.http.paper import on_paper
from worker.destinations.record_port import RecordKind, RowDeed, RowDone, RowOutcome
from worker.destinations.records.bodies import nested
from worker.destinations.records.calling import Sis, WithoutLook, sis
from worker.destinations.records.record_options import RecordSchema, WebAddress, codes, parallel
from worker.destinations.records.requesting import together_or_parted
from worker.destinations.records.row_values import (
    days,
    filled,
    given,
    ids,
    mapped,
    number,
    problems,
    sis_code,
)
from worker.destinations.records.sis_answers import troubled
from worker.destinations.trial import Trial

PUBLIC = "https://api.managebac.com"
_REQUIRED = {
    "homeroom": ("id", "date", "status"),
    "class": ("class_id", "student_id", "date", "period", "status"),
}
_KEYS = {
    "homeroom": frozenset({"id", "date"}),
    "class": frozenset({"class_id", "student_id", "date", "period"}),
}
_IDS = ("id", "class_id", "student_id")


class ManageBacSchema(RecordSchema):
    """Options of a `managebac` destination."""

    base_url = WebAddress(about=f"ManageBac's API for your region; default {PUBLIC}.")
    token = Secret(required=True, about="The school's API token.")
    mode = Choice(
        "homeroom",
        "class",
        required=True,
        about="homeroom: one record a student and day; class: one a student, class, day and period.",
    )
    codes = codes(
        "External Reference Code → ManageBac's own id of the attendance category. What is not there is taken for such"
        " an id itself; a row with anything else is held."
    )
    void_status = Whole(
        1,
        about="The id of the category that a void sets, such as that for present; left out: a void is held for the"
        " office.",
    )


def _fields(mode: str) -> tuple[dict[str, Any], ...]:
    student = {"field": "student.local_id", "header": "id" if mode == "homeroom" else "student_id"}
    common: tuple[dict[str, Any], ...] = (
        student | {"required": True},
        {"field": "date", "header": "date", "required": True},
        {"field": "behavior.external_reference_code", "header": "status", "required": True},
    )
    if mode == "homeroom":
        return common
    return (
        {"field": "attributes.class_id", "header": "class_id", "required": True},
        {"field": "period.external_reference_code", "header": "period", "required": True},
        *common,
    )


def _form(options: Mapping[str, Any]) -> RecordForm:
    mode = options["mode"]
    verbs: set[Verb] = {"create", "update"}
    if "void_status" in options:
        verbs.add("delete")
    return RecordForm(
        can=Capabilities(
            key="natural", verbs=frozenset(verbs), side_by_side=parallel(options), ends="present"
        ),
        fields=RecordFields(_fields(mode), _REQUIRED[mode], "day" if mode == "homeroom" else "period"),
        key=_KEYS[mode],
        problem=problems(
            filled(*_REQUIRED[mode]),
            ids(*_IDS),
            days("date"),
            mapped("status", options.get("codes", {}), "codes"),
        ),
    )


def record_of(deed: RowDeed, options: Mapping[str, Any]) -> dict[str, Any]:
    """A row as ManageBac takes it; a void says the category that `void_status` names."""
    record = given(deed.properties)
    record |= {name: number(record[name]) for name in (*_IDS, "period") if name in record}
    if deed.deed is Deed.DELETE:
        record["status"] = options["void_status"]
    else:
        record["status"] = sis_code(record["status"], options.get("codes", {}))
    return record


class ManageBac(WithoutLook):
    """Sets a student's attendance; set again it stays as it is."""

    def __init__(self, sis: Sis, options: Mapping[str, Any]) -> None:
        self._sis, self._options = sis, options

    def send(self, deeds: Sequence[RowDeed]) -> Sequence[RowOutcome]:
        return together_or_parted(deeds, self._ask)

    def check(self, trial: Trial) -> None:
        self._sis.check(trial)
        trial.lack("its token cannot be tried without writing: the first record shows whether it is right")

    def _ask(self, deeds: Sequence[RowDeed]) -> Sequence[RowOutcome]:
        [deed] = deeds
        record = record_of(deed, self._options)
        if self._options["mode"] == "homeroom":
            path = ("v2", "students", record["id"], "set_homeroom_attendance")
        else:
            path = ("v2", "classes", record.pop("class_id"), "attendance")
        answer = self._sis.ask("PUT", *path, json=nested(record))
        return [troubled(answer, names_row=True) or RowDone()]


def _open(options: Mapping[str, Any], installation: Installation, secret: ReadSecret) -> ManageBac:
    login = api_key(secret, "auth-token", options["token"])
    return ManageBac(sis(options.get("base_url", PUBLIC), login, options, installation), options)


def _example(mode: str) -> dict[str, Any]:
    return {"type": "managebac", "token": {"secret": "managebac"}, "mode": mode, "codes": {"LATE": "3"}}


KIND = RecordKind(
    ManageBacSchema,
    _open,
    _form,
    examples=(_example("homeroom"), _example("class")),
    written=on_paper(_open),
    facts=Facts(
        "ManageBac, attendance of homerooms and classes",
        sure=(
            "A homeroom's attendance is set by PUT /v2/students/{id}/set_homeroom_attendance with id, date, status (the"
            " id of a category) and, if wanted, notes; set again it stays as it is.",
            "A class's attendance is set by PUT /v2/classes/{id}/attendance, by student, date and period.",
            "The token goes in the header auth-token; the answer is 200.",
        ),
        assumed=(
            "A class's record has the properties student_id, date, period, status and, if wanted, notes.",
            "A category that means present takes a tardy back: its id is the option void_status.",
            "No address that looks ids up is documented publicly: `codes` has the ids of categories, and id or"
            " student_id is filled with a field that holds ManageBac's own id of the student. class_id likewise; the"
            " behavior system sends it as the attribute class_id.",
            "404 means that the student or the class is not there yet.",
        ),
    ),
)
