"""Blackbaud SKY School: attendance records that can be created and looked for, and no more."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from schemas.definition.records import RecordFields
from schemas.fields.objects import Items
from schemas.fields.scalars import Secret, Whole
from worker.core.record_rules import Capabilities, RecordForm
from worker.destinations.facts import Facts
from worker.destinations.file_port import Installation
from worker.destinations.file_port import Secret as ReadSecret
from worker.destinations.http.answers import Response
from worker.destinations.http.logins import in_header
from worker.destinations.http.paper import on_paper
from worker.destinations.http.tokens import refresh_token
from worker.destinations.record_port import RecordKind, RowDeed, RowDone, RowOutcome
from worker.destinations.records.bodies import nested
from worker.destinations.records.calling import Sis, sis
from worker.destinations.records.record_options import ClientId, RecordSchema, WebAddress, codes, parallel
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
from worker.destinations.records.sis_answers import name_of, read, troubled
from worker.destinations.trial import Trial

PUBLIC = "https://api.sky.blackbaud.com"
PUBLIC_TOKENS = "https://oauth2.sky.blackbaud.com/token"
KEY_HEADER = "Bb-Api-Subscription-Key"
OFFERING_TYPE = 1
_ANY_DAY = "2026-01-05"
"""What is there does not matter: that it may be read does."""
_PATH = ("school", "v1", "attendance")
_REQUIRED = ("student_user_id", "begin_date", "end_date", "excuse_type_id")
_IDS = ("student_user_id", "reported_by")
_TOLD_APART_BY = ("student_user_id", "excuse_type_id", "excuse_comment", "start_time", "end_time")


class BlackbaudSchema(RecordSchema):
    """Options of a `blackbaud` destination."""

    base_url = WebAddress(about=f"The SKY API's server; default {PUBLIC}.")
    token_url = WebAddress(
        about=f"Where tokens come from; default {PUBLIC_TOKENS}, or with a base_url of your own its /token."
    )
    subscription_key = Secret(required=True, about="The SKY API subscription key.")
    client_id = ClientId(required=True, about="The SKY application's id.")
    client_secret = Secret(required=True, about="The SKY application's secret.")
    refresh_token = Secret(
        required=True, about="The refresh token that came of an administrator allowing the application."
    )
    level_ids = Items(
        Whole(1),
        maximum=50,
        about="The ids of the school's levels: looking for a record asks for each. Left out: it is asked for without.",
    )
    offering_type = Whole(
        1, about=f"The offering type that looking for a record asks for; default {OFFERING_TYPE}."
    )
    codes = codes(
        "External Reference Code → Blackbaud's own id of the excuse type. What is not there is taken for such an id"
        " itself; a row with anything else is held."
    )


_FIELDS: tuple[dict[str, Any], ...] = (
    {"field": "student.local_id", "header": "student_user_id", "required": True},
    {"field": "date", "header": "begin_date", "required": True},
    {"field": "date", "header": "end_date", "required": True},
    {"field": "behavior.external_reference_code", "header": "excuse_type_id", "required": True},
    # By it a record is found again whose answer was lost, and told apart from another tardy's of that day.
    {"field": "tardy_id", "header": "excuse_comment"},
)


def _form(options: Mapping[str, Any]) -> RecordForm:
    return RecordForm(
        can=Capabilities(
            key="own", verbs=frozenset({"create"}), reads_back=True, side_by_side=parallel(options)
        ),
        fields=RecordFields(_FIELDS, _REQUIRED),
        problem=problems(
            filled(*_REQUIRED),
            ids(*_IDS),
            days("begin_date", "end_date"),
            mapped("excuse_type_id", options.get("codes", {}), "codes"),
        ),
    )


def record_of(properties: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """A row as Blackbaud takes it."""
    record = given(properties)
    record |= {name: number(record[name]) for name in _IDS if name in record}
    return record | {"excuse_type_id": sis_code(record["excuse_type_id"], options.get("codes", {}))}


class Blackbaud:
    """One record a request."""

    def __init__(self, sis: Sis, key: str, options: Mapping[str, Any]) -> None:
        self._sis, self._options = sis, options
        self._headers = {KEY_HEADER: key}

    def send(self, deeds: Sequence[RowDeed]) -> Sequence[RowOutcome]:
        return together_or_parted(deeds, self._ask)

    def look(self, deed: RowDeed) -> RowDone | None:
        wanted = record_of(deed.properties, self._options)
        query = {"day": str(wanted["begin_date"]), "excuse_type": str(wanted["excuse_type_id"])}
        for page in self._pages(query):
            for record in page:
                if is_same(record, wanted):
                    return RowDone(name_of(record.get("id")))
        return None

    def check(self, trial: Trial) -> None:
        self._sis.check(trial)
        with trial.step("look up"):
            for _ in self._pages({"day": _ANY_DAY}):
                pass

    def _ask(self, deeds: Sequence[RowDeed]) -> Sequence[RowOutcome]:
        [deed] = deeds
        record = record_of(deed.properties, self._options)
        answer = self._sis.ask("POST", *_PATH, json=nested(record), headers=self._headers)
        return [troubled(answer) or RowDone(_created_id(answer))]

    def _pages(self, query: Mapping[str, str]) -> Iterator[Sequence[Mapping[str, Any]]]:
        """What is there on a day, level by level."""
        offering = {"offering_type": str(self._options.get("offering_type", OFFERING_TYPE))}
        for level in self._options.get("level_ids") or (None,):
            params = {**query, **offering, **({} if level is None else {"level_id": str(level)})}
            yield _records(self._sis.ask("GET", *_PATH, params=params, headers=self._headers))


def is_same(record: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Whether a record that is there, of the day and the excuse type asked for, is the one that was sent. What one of
    the two does not say tells nothing apart."""
    if record.get("student_user_id") is None:
        return False
    both = [name for name in _TOLD_APART_BY if name in wanted and record.get(name) is not None]
    return all(str(record[name]) == str(wanted[name]) for name in both)


def _records(answer: Response) -> Sequence[Mapping[str, Any]]:
    """The records of a list. Raises as `read`."""
    said = read(answer, "attendance", "level_ids and offering_type")
    found = said.get("value") if isinstance(said, dict) else said
    return [one for one in found or () if isinstance(one, dict)]


def _created_id(answer: Response) -> str | None:
    """The id of what was created, where the answer has it. Raises LostAnswerError where it cannot be read."""
    said = answer.json() if answer.body else None
    return name_of(said.get("id") if isinstance(said, dict) else said)


def _tokens(options: Mapping[str, Any]) -> str:
    """Where tokens come from."""
    if "token_url" in options:
        return str(options["token_url"])
    base = options.get("base_url", PUBLIC).rstrip("/")
    return PUBLIC_TOKENS if base == PUBLIC else f"{base}/token"


def _open(options: Mapping[str, Any], installation: Installation, secret: ReadSecret) -> Blackbaud:
    login = refresh_token(
        installation.web,
        secret,
        _tokens(options),
        (options["client_id"], options["client_secret"]),
        options["refresh_token"],
        more={"preserve_refresh_token": "true"},
    )
    key = in_header(secret, options["subscription_key"])
    return Blackbaud(sis(options.get("base_url", PUBLIC), login, options, installation), key, options)


KIND = RecordKind(
    BlackbaudSchema,
    _open,
    _form,
    examples=(
        {
            "type": "blackbaud",
            "subscription_key": {"secret": "blackbaud-subscription"},
            "client_id": "00000000-0000-0000-0000-000000000000",
            "client_secret": {"secret": "blackbaud-client"},
            "refresh_token": {"secret": "blackbaud-refresh"},
            "level_ids": [1],
            "codes": {"T": "1"},
        },
    ),
    written=on_paper(_open),
    facts=Facts(
        "Blackbaud SKY School, attendance",
        sure=(
            "POST /school/v1/attendance creates a record of student_user_id, begin_date, end_date and excuse_type_id;"
            " start_time, end_time, excuse_comment and reported_by may be added.",
            "GET of the same address reads records back by level, day, offering type and excuse type.",
            "An excuse type carries its attendance type: choose one that counts as tardy.",
            f"OAuth2 authorization code with a refresh token; the subscription key goes in the header {KEY_HEADER}.",
        ),
        assumed=(
            "There is no change and no delete for programs.",
            "The parameters of reading back are level_id, day, offering_type and excuse_type. A level may have to be"
            " named: put the school's levels in level_ids.",
            "What is read back has student_user_id, and excuse_comment where one was sent: the tardy's id stands there,"
            " by which one of two tardies of a day is found again. Without it they cannot be told apart.",
            "How times are written is not sure, so that no time is sent unless you add start_time and end_time.",
            f"Tokens come from {PUBLIC_TOKENS}, and asked to (preserve_refresh_token) it leaves the refresh token as it"
            " is: one that is replaced at each use is lost when the program starts again.",
            "No address that looks ids up is documented publicly: student_user_id is filled with a field that holds"
            " Blackbaud's own id of the student, and `codes` has the ids of excuse types.",
        ),
    ),
)
