"""A strategy that spoils a right document in one to three places."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

#: The machine is shared: how long an example takes is not what these tests judge.
PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

TEXTS = [
    "",
    "a",
    "all",
    "mon",
    "08:00",
    "25:00",
    "2026-11-23",
    "2026-11-23T08:00:00Z",
    "2026-11-23T08:00:60Z",
    "0001-11-23T08:00:00Z",
    "x" * 70,
    "x" * 2000,
    "a\x00",
]
LEAVES = st.one_of(
    st.sampled_from([None, True, False, 0, 1, -1, 5, 5.0, 1440, 2**53, 0.5, *TEXTS]),
    st.text(max_size=5),
    st.integers(),
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)


def mutated(original: Any, values: st.SearchStrategy[Any] = VALUES) -> st.SearchStrategy[Any]:
    """Copies of `original` in which values are replaced, removed, added or put elsewhere."""

    @st.composite
    def spoilt(draw: st.DrawFn) -> Any:
        copy = deepcopy(original)
        for _ in range(draw(st.integers(1, 3))):
            copy = _spoil(draw, copy, values)
        return copy

    return spoilt()


def _spoil(draw: st.DrawFn, whole: Any, values: st.SearchStrategy[Any]) -> Any:
    spots = list(_spots(whole))
    if not spots:
        return draw(values)
    holder, key = draw(st.sampled_from(spots))
    change = draw(st.sampled_from(["replace", "replace", "remove", "add", "swap"]))
    if change == "replace":
        holder[key] = draw(values)
    elif change == "remove":
        del holder[key]
    elif change == "swap":
        other, place = draw(st.sampled_from(spots))
        holder[key] = deepcopy(other[place])
    elif isinstance(holder, list):
        holder.insert(key, draw(values))
    else:
        holder[draw(st.text(max_size=5))] = draw(values)
    return whole


def _spots(value: Any) -> Any:
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in list(pairs):
        yield value, key
        yield from _spots(inner)
