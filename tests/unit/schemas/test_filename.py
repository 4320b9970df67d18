"""File names: what a template renders, and which templates are refused."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.definition.filename import (
    FileNameError,
    FileNaming,
    name_problem,
    names_may_meet,
    render_name,
)
from schemas.fields.strftime import format_problem
from tests.unit.schemas.mutations import PATIENT

DUE = datetime(2026, 11, 3, 7, 5, 9, tzinfo=ZoneInfo("America/Chicago"))


def render(template: str, sequence: int | None = 41) -> str:
    return render_name(template, export="lincoln-daily", due=DUE, sequence=sequence, run="7b1e6c1c-52d5")


@pytest.mark.parametrize(
    ("template", "name"),
    [
        ("lincoln_{date:%Y%m%d}_{sequence:04d}.csv", "lincoln_20261103_0041.csv"),
        ("attendance_upload.csv", "attendance_upload.csv"),
        ("{export}-{date}-{time}.csv", "lincoln-daily-2026-11-03-070509.csv"),
        ("{date:%Y%m%d%H%M}.txt", "202611030705.txt"),
        ("{time:%-I%M%p}", "705AM"),
        ("{sequence}_{run:.8}.csv", "41_7b1e6c1c.csv"),
        ("{sequence:x}", "29"),
        ("{export:_<15}x", "lincoln-daily__x"),
    ],
)
def test_a_template_renders_in_the_zone_of_the_due_time(template: str, name: str) -> None:
    assert render(template) == name


def test_without_a_number_a_preview_shows_zero() -> None:
    assert render("{sequence:04d}.csv", None) == "0000.csv"


REFUSED = [
    ("folder/x.csv", "a file name consists of"),
    ("folder\\x.csv", "a file name consists of"),
    ("../x.csv", "a file name consists of"),
    ("a..csv", "a file name consists of"),
    (".hidden.csv", "a file name consists of"),
    ("a b.csv", "a file name consists of"),
    ("a\n.csv", "a file name consists of"),
    ("ä.csv", "a file name consists of"),
    ("", "a file name consists of"),
    ("{{x}}.csv", "a file name consists of"),
    ("{date:%Y/%m}.csv", "a file name consists of"),
    ("{date:%e}.csv", "a file name consists of"),
    ("{time:%H:%M}.csv", "a file name consists of"),
    ("{time:%k}.csv", "a file name consists of"),
    ("{date:%c}.csv", "a file name consists of"),
    ("{sequence:>9}.csv", "a file name consists of"),
    ("{date:{run}%Y}.csv", "a file name consists of"),
    ("{student}.csv", "only {export}"),
    ("{}.csv", "only {export}"),
    ("{0}.csv", "only {export}"),
    ("{date.year}.csv", "only {export}"),
    ("{export[0]}.csv", "only {export}"),
    ("{run!r}.csv", "only {export}"),
    ("{export.__class__.__mro__}", "only {export}"),
    ("{", "braces do not match"),
    ("}", "braces do not match"),
    ("{date", "braces do not match"),
    ("{sequence:{run}}.csv", "{sequence}: its format spec"),
    ("{sequence:999999999d}", "{sequence}: its format spec"),
    ("{sequence:.2f}", "{sequence}: its format spec"),
    ("{sequence:c}", "{sequence}: its format spec"),
    ("{sequence:,}", "{sequence}: its format spec"),
    ("{run:9999999}", "{run}: its format spec"),
    ("{date:%s}", "{date}: %s is not"),
    ("{date:%99999Y}", "{date}: %9 is not"),
    ("{date:%Q}", "{date}: %Q is not"),
    ("{date:%}", "{date}: % is not"),
    ("{date:8}", "{date}: must hold a strftime directive"),
    ("x" * 201, "the file name would have more"),
    ("{run:99}{export:99}{sequence:099}", "a file name consists of"),
    ("{run:_<99}{export:_<99}{sequence:099}", "the file name would have more"),
    ("{date:" + 28 * "%B" + "}", "the file name would have more"),  # short enough in May
    ("{date:" + 28 * "%A" + "}", "the file name would have more"),
    ("x" * 190 + "{sequence}", None),
    ("x" * 191 + "{sequence}", "the file name would have more"),  # from the thousand millionth on
    ("{sequence:b}" + "x" * 170, "the file name would have more"),
    ("{date:%_j}.csv", "a file name consists of"),
    ("{date:%_C%_y}.csv", "a file name consists of"),  # of the years 2100 to 2109
    ("{time:%_H}.csv", "a file name consists of"),
    ("{date:%D}.csv", "a file name consists of"),
    ("{date:%x}.csv", "a file name consists of"),
    ("{date:%N}.csv", "{date}: %N is not"),
    ("{date:%-d}.csv", None),
    ("upload.", "a file name that ends with a dot"),
    ("con.csv", "a file of that name is a device"),
    ("LPT1", "a file of that name is a device"),
    ("a.part", "temporary files end in"),
    ("a.MARK", "temporary files end in"),
    ("writeback.sqlite3", "the program's own files"),
    ("Inbox.SQLite3-wal", "the program's own files"),
]


@pytest.mark.parametrize(("template", "expected"), REFUSED, ids=range(len(REFUSED)))
def test_a_template_that_could_name_anything_else_is_refused(template: str, expected: str | None) -> None:
    problem = name_problem(template, export="lincoln-daily", time_zone="America/Chicago")
    assert (problem is None) == (expected is None)
    assert problem is None or problem.startswith(expected or "")


@PATIENT
@given(
    st.lists(
        st.sampled_from([*"ab_.-%", "%B", "%A", "%b", "%d", "%-d", "%j", "%Y", "%y", "%Z", "%p", "%f"]),
        max_size=40,
    ),
    st.datetimes(datetime(1970, 1, 2), datetime(2199, 12, 30)),  # noqa: DTZ001 -- wall clocks
    st.integers(0, 2**31 - 1),
)
def test_what_is_accepted_renders_on_every_date_with_every_number(
    pattern: list[str], due: datetime, sequence: int
) -> None:
    template = "{date:" + "".join(pattern) + "}_{sequence:04d}.csv"
    if name_problem(template, export="a", time_zone="America/Chicago") is None:
        moment = due.replace(tzinfo=ZoneInfo("America/Chicago"))
        name = render_name(template, export="a", due=moment, sequence=sequence, run="7b1e6c1c52d5" * 2)
        assert len(f".{name}.{32 * 'f'}.fenced".encode()) <= 255


MEETING = [
    ("upload.csv", "upload.csv"),
    ("upload.csv", "UPLOAD.csv"),
    ("{date}.csv", "{date:%Y-%m-%d}.csv"),
    ("a_{sequence}.csv", "a_{sequence:04d}.csv"),
    ("a_{sequence:04d}.csv", "a_0001.csv"),
    ("{export}.csv", "one.csv"),
    ("{export}.csv", "{export}.csv", "one", "one"),
    ("a_{date:%B}.csv", "a_november.csv"),
    ("{run:.8}.csv", "{run:.8}.csv"),
    ("{time:%H%M}.csv", "{sequence:04d}.csv"),
    ("{run:.8}.csv", "{date:%Y%m%d}.csv"),
]
APART = [
    ("{export}.csv", "{export}.csv"),
    ("{export}_{date:%Y%m%d}_{sequence:04d}.csv", "{export}_{date:%Y%m%d}_{sequence:04d}.csv"),
    ("lincoln_{date:%Y%m%d}.csv", "madison_{date:%Y%m%d}.csv"),
    ("upload.csv", "upload.txt"),
    ("a_{sequence:04d}.csv", "a_{date:%Y%m%d}.csv"),
    ("a_{sequence:08d}.csv", "a_{date:%Y%m%d}.csv"),
    ("{date:%Y%m%d}_1.csv", "{date:%Y%m%d}_2.csv"),
    ("{run}.csv", "{export}.csv"),
    ("{run}.csv", "{run}.csv"),
    ("{sequence}_{run:.12}.csv", "{sequence}_{run:.12}.csv"),
    ("{sequence:08d}.csv", "{sequence}.csv"),  # not before the ten millionth file
    ("{date:%a}.csv", "{date:%A}.csv"),
]


@pytest.mark.parametrize(
    ("pair", "meet"), [*((pair, True) for pair in MEETING), *((pair, False) for pair in APART)]
)
def test_two_templates_meet_where_one_name_can_be_of_both(pair: tuple[str, ...], meet: bool) -> None:
    one, other, *exports = pair
    mine, others = exports or ("one", "two")
    assert names_may_meet(FileNaming(one, mine, "UTC"), FileNaming(other, others, "America/Denver")) is meet
    assert names_may_meet(FileNaming(other, others, "America/Denver"), FileNaming(one, mine, "UTC")) is meet


def test_a_zone_s_name_is_tried_in_the_schedule_s_own_zone() -> None:
    assert name_problem("{time:%Z}.csv", export="a", time_zone="America/Chicago") is None
    assert name_problem("{time:%Z}.csv", export="a", time_zone="Asia/Dubai") is not None


@PATIENT
@given(st.text(alphabet=st.sampled_from(list("{}:!.[]%-_0ds9Y<>^abexportdatesequnc/ \x00ä")), max_size=40))
def test_any_template_is_accepted_or_refused_and_what_is_accepted_renders(template: str) -> None:
    if name_problem(template, export="lincoln-daily", time_zone="America/Chicago") is None:
        name = render(template)
        assert name.isascii()
        assert "/" not in name
    else:
        with suppress(FileNameError):
            render(template)


@pytest.mark.parametrize("pattern", ["%m/%d/%Y", "%-m/%-d/%y", "%Y-%m-%d", "%b %e", "%%%d", "Tag %j", "%^a"])
def test_day_patterns_are_taken(pattern: str) -> None:
    assert format_problem(pattern, "date") is None


@pytest.mark.parametrize("pattern", ["%H:%M", "%I:%M%p", "%-I:%M %p", "%H:%M:%S.%f", "%l:%M%P"])
def test_time_patterns_are_taken(pattern: str) -> None:
    assert format_problem(pattern, "time") is None
    assert format_problem("%Y " + pattern + " %z", "instant") is None


@pytest.mark.parametrize(
    "pattern",
    ["", "text", "%", "%d%", "%s", "%n", "%t", "%Q", "%Ey", "%Od", "%10Y", "%-z", "%%", "%H", "%d\n", "%:z"],
)
def test_other_patterns_are_refused_for_a_day(pattern: str) -> None:
    assert format_problem(pattern, "date") is not None


@PATIENT
@given(
    st.text(alphabet=st.sampled_from("%-_0^#aAbBcdDeEfFgGhHIjklmMnOpPQrRsStTuUVwWxXyYzZ+:19 /é"), max_size=20)
)
def test_what_is_taken_renders_short_and_without_a_percent_sign_left_over(pattern: str) -> None:
    if format_problem(pattern, "instant") is None:
        rendered = DUE.strftime(pattern)
        assert rendered
        assert len(rendered) <= 40 * len(pattern)
        assert rendered.count("%") == pattern.count("%%")
