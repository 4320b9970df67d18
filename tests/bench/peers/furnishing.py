"""A database as the peers expect it: their tables, the definitions in force, the schools that are known."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from sqlalchemy import create_engine

from tests.bench.peers.tables import definition_revisions, definitions, metadata, reference_versions

_DISTRICT = "default"


def furnish(
    database_url: str, references: Iterable[Mapping[str, Any]], documents: Iterable[Mapping[str, Any]]
) -> None:
    """Makes the tables, and saves schools and definitions; closes its connections."""
    engine = create_engine(database_url)
    saved = list(documents)
    schools = [message["data"] for message in references if message["type"] == "school.saved"]
    with engine.begin() as connection:
        metadata.create_all(connection)
        connection.execute(reference_versions.insert(), [_school(one) for one in schools])
        connection.execute(definitions.insert(), [_definition(one) for one in saved])
        connection.execute(definition_revisions.insert(), [_revision(one) for one in saved])
    engine.dispose()


def _school(data: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "kind": "school",
        "district_id": _DISTRICT,
        "school_id": data["school_id"],
        "item_id": "",
        "version": data["version"],
        "document": json.dumps(data),
    }


def _definition(document: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "export_id": document["export_id"],
        "district_id": _DISTRICT,
        "state": "active",
        "revision": 1,
        "backfill_from": date.fromisoformat(document["backfill_from"]),
    }


def _revision(document: Mapping[str, Any]) -> dict[str, Any]:
    return {"export_id": document["export_id"], "revision": 1, "document": dict(document)}
