"""Rows built with the columns compiled are those that `build_row` builds, and what it refuses they refuse likewise."""

from __future__ import annotations

from datetime import datetime
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders import definition, tardy_data
from tests.histories import choices
from tests.histories.documents import document
from worker.core.compiled_rows import RowBuilder
from worker.core.definition import Definition, parse_definition
from worker.core.references import EVERY_SCHOOL, CodeMapping, References, build_references
from worker.core.rows import Tardy, Unwritable, build_row

TEXTS = (*choices.COMMENTS, None, " ", "7", "true", "\u200b", "Mc-Donald o'neil", "x" * 40, "\t", "caf\u00e9")


def known(luck: Random) -> References:
    """Reference data as it may come, with gaps; now and then all of it, so that rows go out."""
    said = list(choices.everything_mapped()) if luck.randrange(3) == 0 else []
    said += [choices.reference(luck) for _ in range(luck.randint(0, 12))]
    items = {
        (kind, data.get("school_id"), data.get("code"), data.get("bell_schedule_id")): (kind, data)
        for kind, data in said
        if kind != "school_day"
    }
    found = build_references(
        (kind, data.get("school_id") or EVERY_SCHOOL, data) for kind, data in items.values()
    )
    word = CodeMapping(luck.choice(("M", None)))
    mappings = {(luck.choice((EVERY_SCHOOL, "A")), "TARDY"): word} if luck.randrange(3) == 0 else {}
    return References(found.schools, found.codes, found.bell_schedules, mappings)


def tardy(luck: Random, definition: Definition, references: References) -> Tardy:
    said = {name: luck.choice(values) for name, values in choices.SAID.items()}
    said |= {"comment": luck.choice(TEXTS), "staff": luck.choice((None, {"name": luck.choice(TEXTS)}))}
    said |= {"minutes_late": luck.choice((None, 0, 7, 123_456))}
    data = tardy_data(
        f"t-{luck.randrange(9)}", **{name: value for name, value in said.items() if value is not None}
    )
    moment = datetime.fromisoformat(data["occurred_at"])
    return Tardy(data["tardy_id"], luck.randint(1, 3), data, moment, references, definition.gap)


def outcome(build: Any) -> Any:
    """The values with their types, since 1, 1.0 and True are equal; or the code and the reason."""
    try:
        return [(type(value), value) for value in build()]
    except Unwritable as problem:
        return problem.code, str(problem)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32))
def test_both_build_the_same_rows_of_any_definition_and_hold_the_same(seed: int) -> None:
    luck = Random(seed)
    drawn = parse_definition(document(luck))
    builder, references = RowBuilder(drawn), known(luck)
    for line in range(1, 9):
        one, action = tardy(luck, drawn, references), luck.choice(("add", "change", "void"))
        plain = Tardy(one.tardy_id, one.version, one.document, one.occurred_at, references, one.gap)
        expected = outcome(lambda: build_row(drawn, plain, action=action, line=line))  # noqa: B023
        for _ in range(2):  # and with all of it remembered
            assert outcome(lambda: builder.row(one, action, line)) == expected  # noqa: B023


@pytest.mark.parametrize("most", [{}, {"max_length": 3}])
@pytest.mark.parametrize("constant", [1, True, 1.0, "1", "", 1234])
def test_what_is_equal_and_not_the_same_is_not_taken_for_each_other(
    constant: Any, most: dict[str, int]
) -> None:
    mapped = {"map": {"1": "one", "true": "yes"}}
    fields = [{"constant": constant, **mapped}, {"constant": constant}, {"field": "attributes.x", **mapped}]
    drawn = parse_definition(definition(fields=[field | most for field in fields]))
    builder = RowBuilder(drawn)
    for value in (1, True, 1.0, "1"):
        data = tardy_data(attributes={"x": value})
        one = Tardy("t-1", 1, data, datetime.fromisoformat(data["occurred_at"]), References())
        expected = outcome(lambda: build_row(drawn, one, action="add", line=1))  # noqa: B023
        assert outcome(lambda: builder.row(one, "add", 1)) == expected  # noqa: B023
