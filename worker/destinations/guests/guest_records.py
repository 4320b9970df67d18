"""A plug-in's destination that takes records, and its form: asked as any other, answers looked at before they are
believed."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from schemas.definition.records import RecordFields
from schemas.fields.scalars import is_storable
from worker.core.record_rules import Capabilities, RecordForm
from worker.destinations.guests.blame import Blame, one_line, seconds
from worker.destinations.record_port import (
    RecordDestination,
    RowAccepted,
    RowDeed,
    RowDone,
    RowLater,
    RowOutcome,
    RowRefused,
    RowUnknown,
)
from worker.destinations.trial import Trial


class GuestRecords:
    """Raises PlugInError beside what the port names: then nobody knows what became of the rows."""

    def __init__(self, destination: RecordDestination, blame: Blame) -> None:
        self._destination, self._blame = destination, blame

    def send(self, deeds: Sequence[RowDeed]) -> Sequence[RowOutcome]:
        with self._blame.during("send"):
            outcomes = self._destination.send([_copied(deed) for deed in deeds])
        self._blame.require(outcomes, (list, tuple), "send")
        if len(outcomes) != len(deeds):
            raise self._blame.of(f"told of {len(outcomes)} rows from `send`, and {len(deeds)} were sent")
        return [self._outcome(outcome) for outcome in outcomes]

    def look(self, deed: RowDeed) -> RowDone | None:
        with self._blame.during("look"):
            found = self._destination.look(_copied(deed))
        if found is None:
            return None
        self._blame.require(found, RowDone, "look")
        self._storable(found.sis_id, found.sis_version, doing="look")
        return found

    def look_up(self) -> None:
        if callable(look_up := getattr(self._destination, "look_up", None)):
            with self._blame.during("look_up"):
                look_up()

    def lacking(self, codes: Collection[str]) -> Collection[str]:
        lacking = getattr(self._destination, "lacking", None)
        if not callable(lacking):
            raise self._blame.of("names a dictionary in `form`, and its destination lacks `lacking`")
        with self._blame.during("lacking"):
            found = lacking(list(codes))
        self._blame.require(found, (list, tuple, set, frozenset), "lacking")
        return [code for code in codes if code in found]

    def check(self, trial: Trial) -> None:
        with self._blame.during("check"):
            self._destination.check(trial)

    def _outcome(self, outcome: RowOutcome) -> RowOutcome:
        match outcome:
            case RowDone():
                self._storable(outcome.sis_id, outcome.sis_version, doing="send")
            case RowAccepted():
                self._storable(outcome.reference, doing="send")
            case RowLater():
                return RowLater(one_line(lambda: outcome.words), seconds(outcome.retry_after))
            case RowRefused() | RowUnknown():
                return replace(outcome, words=one_line(lambda: outcome.words))
            case _:
                self._blame.require(outcome, RowDone, "send, for a row,")
        return outcome

    def _storable(self, *texts: object, doing: str) -> None:
        for text in texts:
            self._blame.require(text, (str, type(None)), f"{doing}, as an id or version,")
            if isinstance(text, str) and not is_storable(text):
                raise self._blame.of(f"returned from `{doing}` an id or version that cannot be stored")


def guest_form(form: RecordForm, blame: Blame) -> RecordForm:
    """The form, of the port's types, its `problem` held to them as well. Raises PlugInError."""
    blame.require(form, RecordForm, "form")
    blame.require(form.can, Capabilities, "form, as `can`,")
    blame.require(form.fields, RecordFields, "form, as `fields`,")
    for number in (form.can.rows_a_request, form.can.side_by_side):
        blame.require(number, int, "form, as a number of `can`,")
    for name in (*form.key, *form.together, form.dictionary or ""):
        blame.require(name, str, "form, as the name of a property,")

    def problem(properties: Mapping[str, Any]) -> str | None:
        with blame.during("problem"):
            found = form.problem(dict(properties))
        blame.require(found, (str, type(None)), "problem")
        return None if found is None else one_line(lambda: found)

    return replace(form, key=frozenset(form.key), together=tuple(form.together), problem=problem)


def _copied(deed: RowDeed) -> RowDeed:
    """What a plug-in does to the properties it is given concerns nobody else."""
    return replace(deed, properties=dict(deed.properties))
