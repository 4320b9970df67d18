"""ACME's SIS: `PUT tardies/{student}/{day}` for each tardy, which it knows by its student and day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from schemas.definition.records import RecordFields
from schemas.fields.scalars import Secret as SecretName
from worker.core.record_rules import Capabilities, Deed, RecordForm
from worker.destinations.facts import Facts
from worker.destinations.file_port import Installation, Secret
from worker.destinations.http.logins import bearer
from worker.destinations.http.paper import on_paper
from worker.destinations.record_port import RecordKind, RowDeed, RowDone, RowOutcome
from worker.destinations.records.calling import Sis, WithoutLook, sis
from worker.destinations.records.record_options import RecordSchema, WebAddress, parallel
from worker.destinations.records.requesting import together_or_parted
from worker.destinations.records.row_values import filled, given
from worker.destinations.records.sis_answers import troubled
from worker.destinations.trial import Trial

REQUIRED = ("student", "day", "code")


class AcmeSchema(RecordSchema):
    """Options of an `acme_sis` destination."""

    base_url = WebAddress(required=True, about="The district's ACME.")
    token = SecretName(required=True, about="Its token.")


FIELDS = RecordFields(
    default=(
        {"field": "student.local_id", "header": "student", "required": True},
        {"field": "date", "header": "day", "required": True},
        {"field": "behavior.external_reference_code", "header": "code", "required": True},
    ),
    required=REQUIRED,
    one_a="day",
)


def _form(options: Mapping[str, Any]) -> RecordForm:
    can = Capabilities("natural", frozenset({"create", "update", "delete"}), side_by_side=parallel(options))
    return RecordForm(can, FIELDS, key=frozenset({"student", "day"}), problem=filled(*REQUIRED))


class Acme(WithoutLook):
    """Sets a student's record of a day; set again it stays as it is."""

    def __init__(self, sis: Sis) -> None:
        self._sis = sis

    def send(self, deeds: Sequence[RowDeed]) -> Sequence[RowOutcome]:
        return together_or_parted(deeds, self._ask)

    def check(self, trial: Trial) -> None:
        self._sis.check(trial)

    def _ask(self, deeds: Sequence[RowDeed]) -> Sequence[RowOutcome]:
        [deed] = deeds
        record = given(deed.properties)
        path = ("tardies", record["student"], record["day"])
        if deed.deed is Deed.DELETE:
            answer = self._sis.ask("DELETE", *path)
            if answer.status == 404:
                return [RowDone()]
        else:
            answer = self._sis.ask("PUT", *path, json=record)
        return [troubled(answer, names_row=True) or RowDone()]


def _open(options: Mapping[str, Any], installation: Installation, secret: Secret) -> Acme:
    return Acme(sis(options["base_url"], bearer(secret, options["token"]), options, installation))


KIND = RecordKind(
    AcmeSchema,
    _open,
    _form,
    examples=({"type": "acme_sis", "base_url": "https://acme.example.org/api", "token": {"secret": "acme"}},),
    written=on_paper(_open),
    facts=Facts(
        "ACME SIS",
        sure=("A tardy is set by PUT tardies/{student}/{day} and removed by DELETE.",),
        assumed=("409 means that the roster does not have the student yet.",),
    ),
)
