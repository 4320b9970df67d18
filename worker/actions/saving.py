"""Definitions given together: what stands in the way of each is told before any of them is saved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from worker.destinations.places import Places
from worker.destinations.placing import place_problem
from worker.store.database.engine import Database
from worker.store.definitions import definitions


@dataclass(frozen=True, slots=True)
class Valid:
    """One definition that may be saved, and where a person finds it (`FILE: document 2`)."""

    where: str
    document: dict[str, Any]

    @property
    def export_id(self) -> str:
        return str(self.document["export_id"])


def misplaced(places: Places, valid: Sequence[Valid]) -> list[str]:
    """What only this installation knows: where it may put files. A sentence for each that may not go there."""
    return [
        f"{one.where}: destination: {problem}"
        for one in valid
        if (problem := place_problem(one.document["destination"], places)) is not None
    ]


def foreign(database: Database, valid: Sequence[Valid]) -> list[str]:
    """What only the database knows: a sentence for each export_id that another district has."""
    with database.read() as connection:
        stored = {one.export_id: definitions.find(connection, one.export_id) for one in valid}
    return [
        f"{one.where}: export_id: {one.export_id} belongs to another district; choose another one"
        for one in valid
        if (row := stored[one.export_id]) is not None
        and row["district_id"] != one.document.get("district_id", "default")
    ]
