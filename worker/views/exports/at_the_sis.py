"""What happens in the SIS of an export that sends records: to a tardy, a correction, a void, a lost answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from worker.core.definition import Definition, as_far_as_known
from worker.core.record_rules import Deed, Demand, RecordForm, course
from worker.views.reference.known_kinds import what_happens

_DEMANDS = {"add": Demand.ADD, "change": Demand.CHANGE, "void": Demand.VOID}
_CORRECTING = (Demand.CHANGE, Demand.CHANGE_OF_KEY, Demand.VOID)
_POLICIES = {
    "hold": "A correction or a void waits for a person first, as `corrections` says; let go, this is what it does:",
    "ignore": "A correction or a void of what was delivered is not sent, as `corrections` says.",
}


def at_the_sis(document: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The demand and the sentence that tells what is done about it, by the definition; [] where it sends files."""
    definition = _definition(document)
    if definition.records is None:
        return []
    told = what_happens(definition.records)
    policy = [("corrections", said)] if (said := _POLICIES.get(definition.corrections)) else []
    if definition.corrections == "ignore":
        told = [(demand, said) for demand, said in told if demand not in _CORRECTING]
    return [*told[:1], *policy, *told[1:]]


def done_there(records: RecordForm | None, action: str | None) -> str | None:
    """What a row of this action does in the SIS, as a sentence; None: it goes in a file, or not at all."""
    demand = _DEMANDS.get(action or "")
    return None if records is None or demand is None else course(records.can, demand).sentence


def held_there(document: Mapping[str, Any]) -> Iterator[str]:
    """What the SIS lets no program do, as `path: text`: of a definition that would send it."""
    definition = _definition(document)
    if definition.records is None or definition.corrections == "ignore":
        return
    ways = [course(definition.records.can, demand) for demand in _CORRECTING]
    for sentence in dict.fromkeys(way.sentence for way in ways if way.deeds == (Deed.HOLD,)):
        yield f"destination: {sentence}"


def _definition(document: Mapping[str, Any]) -> Definition:
    return as_far_as_known(document["export_id"], document.get("district_id", ""), document)
