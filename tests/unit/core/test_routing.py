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


some = st.none() | st.sets(st.sampled_from("abc"), min_size=1)
ZONES = [None, ZoneInfo("Pacific/Kiritimati"), ZoneInfo("Pacific/Niue")]
tardies = st.tuples(
    st.sampled_from("abcd"), st.none() | st.sampled_from("abcd"), st.integers(-40, 40), st.sampled_from(ZONES)
)


@given(st.lists(st.tuples(st.integers(1, 14), some, some)), st.lists(tardies, min_size=1, max_size=5))
def test_the_router_finds_what_a_look_at_every_route_finds(
    puts: list[tuple[int, set[str] | None, set[str] | None]],
    given_tardies: list[tuple[str, str | None, int, ZoneInfo | None]],
) -> None:
    """Fourteen exports: more than are looked at one by one."""
    router, current = Router(), {f"e{number}": route(f"e{number}", None, {"a"}) for number in range(1, 15)}
    for one in current.values():
        router.put(one)
    for number, some_schools, some_codes in puts:
        export_id = f"e{number}"
        if export_id in current and some_schools == {"a"}:
            router.remove(export_id)
            del current[export_id]
            continue
        current[export_id] = route(export_id, some_schools, some_codes)
        router.put(current[export_id])
    for school, code, hours, zone in given_tardies:
        moment = datetime(2026, 10, 6, tzinfo=UTC) + timedelta(hours=hours)
        expected = [one for one in current.values() if mismatch(one, school, code, moment, zone) is None]
        found = router.matches("d", school, code, moment, zone)
        assert sorted(found) == sorted(one.export_id for one in expected)
        assert router.matches("other district", school, code, moment, zone) == []
