"""Which definitions a tardy belongs to."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from worker.core.routing import Route, Router, mismatch

CHICAGO = ZoneInfo("America/Chicago")


def route(export_id: str = "e", schools: set[str] | None = None, codes: set[str] | None = None) -> Route:
    return Route(
        export_id,
        "d",
        frozenset(schools) if schools is not None else None,
        frozenset(codes) if codes is not None else None,
        date(2026, 10, 6),
        CHICAGO,
    )


@given(
    st.integers(-60, 60), st.sampled_from(["Pacific/Kiritimati", "Pacific/Niue", "America/Chicago", "UTC"])
)
def test_the_first_day_is_a_local_date_of_the_school(hours: int, zone: str) -> None:
    moment = datetime(2026, 10, 6, tzinfo=UTC) + timedelta(hours=hours)
    local = moment.astimezone(ZoneInfo(zone)).date()
    assert (mismatch(route(), "s", "c", moment, ZoneInfo(zone)) is None) == (local >= date(2026, 10, 6))


schools = st.one_of(st.none(), st.sets(st.sampled_from("abc"), min_size=1))


@given(st.lists(st.tuples(st.sampled_from(["e1", "e2", "e3"]), schools, schools)), st.sampled_from("abcd"))
def test_the_router_finds_what_a_look_at_every_route_finds(
    puts: list[tuple[str, set[str] | None, set[str] | None]], school: str
) -> None:
    router, current = Router(), dict[str, Route]()
    moment = datetime(2026, 12, 1, tzinfo=UTC)
    for export_id, some_schools, some_codes in puts:
        if export_id in current and some_schools == {"a"}:
            router.remove(export_id)
            del current[export_id]
            continue
        current[export_id] = route(export_id, some_schools, some_codes)
        router.put(current[export_id])
    expected = {name for name, one in current.items() if mismatch(one, school, "a", moment, None) is None}
    assert set(router.matches("d", school, "a", moment, None)) == expected
    assert router.matches("other district", school, "a", moment, None) == []
