"""A kind that serves both ports."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from marshmallow import Schema

from worker.destinations.facts import Facts
from worker.destinations.file_port import FileKind
from worker.destinations.record_port import RecordKind


@dataclass(frozen=True, slots=True)
class ChosenKind:
    """A kind that takes files or records, as its options choose. `schema` has the options of both; `examples` as of
    `RecordKind`."""

    schema: type[Schema]
    choose: Callable[[Mapping[str, Any]], FileKind | RecordKind]
    examples: tuple[Mapping[str, Any], ...] = ()
    facts: Facts | None = None
