"""Wonde: one API to many schools' systems in the UK, Australia, New Zealand and South Africa."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from marshmallow import ValidationError

from schemas.definition.records import RecordFields
from schemas.fields.scalars import Choice, Secret, Text
from worker.core.record_rules import Capabilities, RecordForm
from worker.destinations.facts import Facts
from worker.destinations.file_port import Installation
from worker.destinations.file_port import Secret as ReadSecret
from worker.destinations.http.answers import Request, Response
from worker.destinations.http.logins import bearer
from worker.destinations.http.origins import origin_of
from worker.destinations.http.paper import Supposed, on_paper
from worker.destinations.record_port import RecordKind, RowAccepted, RowDeed, RowOutcome, RowRefused
from worker.destinations.records.bodies import nested
from worker.destinations.records.calling import Sis, WithoutLook, sis
from worker.destinations.records.code_book import CodeBook
from worker.destinations.records.record_options import RecordSchema, codes, parallel
from worker.destinations.records.requesting import all_fit, together_or_parted
from worker.destinations.records.row_values import days, filled, given, problems, whole
from worker.destinations.records.sis_answers import name_of, read, troubled
from worker.destinations.trial import Trial
from worker.errors import DestinationError

ROWS_A_REQUEST = 100
"""No limit is documented; this many are no burden to anybody."""
REGIONS = ("api.wonde.com", "api-ap-southeast-2.wonde.com", "api-af-south-1.wonde.com")
_REQUIRED = {
    "session": ("date", "session", "student_id", "attendance_code_id"),
    "lesson": ("lesson_id", "student_id", "attendance_code_id"),
}
_KEYS = {
    "session": frozenset({"date", "session", "student_id"}),
    "lesson": frozenset({"lesson_id", "student_id"}),
}


class Domain(Text):
    """A host such as `api.wonde.com`, with a port or as a whole address where it is not Wonde's own."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(1, 1024, single_line=True, **kwargs)

    def check(self, value: Any) -> str:
        text = super().check(value)
        try:
            origin_of(base_of(text))
        except ValueError:
            raise ValidationError(
                f"must be the domain of the school's region: {', '.join(REGIONS)}"
            ) from None
        return text


def base_of(domain: str) -> str:
    """The address that a domain, or an address, stands for."""
    return (domain if "://" in domain else f"https://{domain}").rstrip("/")


class WondeSchema(RecordSchema):
    """Options of a `wonde` destination."""

    domain = Domain(
        required=True,
        about="The domain that the school's `region` names: api.wonde.com, api-ap-southeast-2.wonde.com or"
        " api-af-south-1.wonde.com. A wrong one returns no data.",
    )
    school = Text(1, 64, single_line=True, required=True, about="The school's id at Wonde.")
    token = Secret(required=True, about="The token that Wonde gave you for that school.")
    mode = Choice(
        "session",
        "lesson",
        required=True,
        about="session: the morning's or afternoon's register; lesson: a lesson's.",
    )
    codes = codes(
        "External Reference Code → Wonde's own id of the attendance code; what is not there is looked up by its code"
        " or name."
    )


def _fields(mode: str) -> tuple[dict[str, Any], ...]:
    student = {"field": "student.local_id", "header": "student_id", "required": True}
    code = {
        "field": "behavior.external_reference_code",
        "header": "attendance_code_id",
        "required": True,
    }
    if mode == "lesson":
        return ({"field": "attributes.lesson_id", "header": "lesson_id", "required": True}, student, code)
    return (
        {"field": "date", "header": "date", "required": True},
        {"field": "session", "header": "session", "required": True},
        student,
        code,
        {"field": "minutes_late", "header": "minutes_late"},
    )


def _form(options: Mapping[str, Any]) -> RecordForm:
    mode = options["mode"]
    return RecordForm(
        can=Capabilities(
            key="natural",
            verbs=frozenset({"create", "update"}),
            rows_a_request=ROWS_A_REQUEST,
            synchronous=False,
            looks_up=frozenset({"code"}),
            side_by_side=parallel(options),
        ),
        fields=RecordFields(_fields(mode), _REQUIRED[mode], "session" if mode == "session" else "period"),
        key=_KEYS[mode],
        problem=problems(filled(*_REQUIRED[mode]), days("date"), _session),
        dictionary="attendance_code_id",
    )


def _session(properties: Mapping[str, Any]) -> str | None:
    """What a register of sessions calls a half day."""
    wrong = "session" in properties and properties["session"] not in ("AM", "PM")
    return "session must be AM or PM" if wrong else None


def record_of(properties: Mapping[str, Any], code: Any) -> dict[str, Any]:
    """A row as Wonde takes it, with Wonde's own id of its attendance code."""
    record = given(properties)
    if (late := whole(record.get("minutes_late"))) is not None:
        record["minutes_late"] = late
    return record | {"attendance_code_id": code}


class Wonde(WithoutLook):
    """Marks of one school. They are taken, and written into the school's own system later."""

    def __init__(self, sis: Sis, options: Mapping[str, Any], book: CodeBook) -> None:
        self._sis, self._options, self._book = sis, options, book

    def send(self, deeds: Sequence[RowDeed]) -> Sequence[RowOutcome]:
        codes = self._book.ids([deed.properties["attendance_code_id"] for deed in deeds])

        def hindered(deed: RowDeed) -> RowOutcome | None:
            code = deed.properties["attendance_code_id"]
            return RowRefused(self._book.unknown(code)) if codes[str(code)] is None else None

        def ask(some: Sequence[RowDeed]) -> Sequence[RowOutcome]:
            return self._ask(some, codes)

        return all_fit(deeds, hindered, lambda fit: together_or_parted(fit, ask))

    def look_up(self) -> None:
        self._book.read()

    def lacking(self, codes: Collection[str]) -> Collection[str]:
        return self._book.lacking(codes)

    def check(self, trial: Trial) -> None:
        self._sis.check(trial)
        with trial.step("look up"):
            book = self._book.read(fresh=True)
        for code, its_id in self._options.get("codes", {}).items():
            if str(its_id) not in book:
                trial.lack(
                    f"its dictionary has no attendance code {its_id!r}, which `codes` names for {code!r}"
                )

    def _ask(self, deeds: Sequence[RowDeed], codes: Mapping[str, Any]) -> Sequence[RowOutcome]:
        marks = [
            record_of(deed.properties, codes[str(deed.properties["attendance_code_id"])]) for deed in deeds
        ]
        answer = self._sis.ask(
            "POST",
            *("v1.0", "schools", self._options["school"], "attendance", self._options["mode"], ""),
            json={"attendance": list(map(nested, marks))},
        )
        return [troubled(answer) or RowAccepted(_writeback_id(answer))] * len(deeds)


def _writeback_id(answer: Response) -> str | None:
    """Wonde's name for what it does with the request. Raises LostAnswerError where the answer cannot be read."""
    said = answer.json() if answer.body else None
    return name_of(said.get("writeback_id")) if isinstance(said, dict) else None


def _read_codes(sis: Sis, options: Mapping[str, Any]) -> Any:
    """The school's attendance codes. Raises as `read`, and DestinationError where there are none at all."""
    school = options["school"]
    said = read(
        sis.ask("GET", "v1.0", "schools", school, "attendance-codes", ""), "attendance codes", "school"
    )
    if found := said.get("data") if isinstance(said, dict) else said:
        return found
    raise DestinationError(
        f"wonde: {options['domain']} has no attendance codes of school {school}: is it the domain of the school's"
        f" region ({', '.join(REGIONS)})? Put that right, then retry the export"
    )


def _open(options: Mapping[str, Any], installation: Installation, secret: ReadSecret) -> Wonde:
    server = sis(base_of(options["domain"]), bearer(secret, options["token"]), options, installation)
    school = options["school"]
    book = CodeBook(
        "Wonde",
        options.get("codes", {}),
        installation.web,
        ("wonde", server.base, school, options["token"]["secret"]),
        lambda: _read_codes(server, options),
    )
    return Wonde(server, options, book)


def _supposed(options: Mapping[str, Any], deeds: Sequence[RowDeed], request: Request) -> Supposed:
    """The ids of the rows' codes, and an answer that takes the marks."""
    if request.method != "GET":
        return Supposed({"writeback_id": "<writeback_id>"})
    codes = sorted({str(deed.properties["attendance_code_id"]) for deed in deeds})
    found = [{"id": f"<attendance code {code}>", "code": code} for code in codes]
    said = f"`<attendance code …>`: Wonde's id of an attendance code, by its code or name, from GET {request.url}"
    return Supposed({"data": found}, looks_up=said)


def _example(mode: str) -> dict[str, Any]:
    return {
        "type": "wonde",
        "domain": REGIONS[0],
        "school": "A0000000000",
        "token": {"secret": "wonde"},
        "mode": mode,
    }


KIND = RecordKind(
    WondeSchema,
    _open,
    _form,
    examples=(_example("session"), _example("lesson")),
    written=on_paper(_open, _supposed),
    facts=Facts(
        "Wonde, to the registers of many schools' systems",
        sure=(
            "Marks of a session go to /v1.0/schools/{school}/attendance/session/ with date, session (AM or PM),"
            " student_id and attendance_code_id; comment, employee_id and minutes_late may be added. Marks of a"
            " lesson go to .../attendance/lesson/ with lesson_id, student_id and attendance_code_id.",
            "A request may hold many marks; its answer has a writeback_id, or 422 with errors.",
            "Attendance codes are read from /v1.0/schools/{school}/attendance-codes/.",
            "The domain depends on the region that the school's `region` names; a wrong one returns no data.",
            "The login is a bearer token.",
        ),
        assumed=(
            "Wonde writes into the school's own system later; nothing that tells what became of a mark is known.",
            "A mark of the same student, date and session (or lesson) overwrites the one before.",
            "There is no delete.",
            "A request that is answered with 422 has been refused as a whole.",
            "An attendance code has an id, a code and a name; the list of them comes whole under `data`.",
            "student_id is Wonde's own id of the student: fill it with the field that holds it. lesson_id likewise;"
            " the behavior system sends it as the attribute lesson_id.",
        ),
    ),
)
