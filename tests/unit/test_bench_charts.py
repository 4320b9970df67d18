"""The bench's charts and its morning: pure, so they are looked at without a server."""

from __future__ import annotations

from itertools import pairwise
from xml.etree import ElementTree

from tests.bench.charts import bars, lines
from tests.bench.latency import Latency
from tests.bench.morning import Morning, due_by

SVG = "{http://www.w3.org/2000/svg}"


def test_bars_are_as_long_as_their_figures() -> None:
    drawn = ElementTree.fromstring(bars("a < b", [("ours", 200, True), ("node & co", 100, False)]))
    ours, node = drawn.findall(f"{SVG}rect")
    assert float(ours.attrib["width"]) == 2 * float(node.attrib["width"])
    assert [text.text for text in drawn.findall(f"{SVG}text")] == ["a < b", "ours", "200", "node & co", "100"]


def test_a_line_goes_from_the_left_to_the_right_and_tells_its_highest() -> None:
    drawn = ElementTree.fromstring(lines("t", "s", [(0, 0), (5, 40)], [(0, 1), (10, 2)], ("backlog", "pace")))
    thick, thin = (line.attrib["points"].split() for line in drawn.findall(f"{SVG}polyline"))
    assert thick[0].startswith("40.0,")
    assert thin[-1].startswith("740.0,")
    assert any("at most 40" in (text.text or "") for text in drawn.findall(f"{SVG}text"))


def test_a_morning_has_its_peak_where_most_students_are() -> None:
    moments = due_by(3_000, 300.0)
    assert all(before <= after for before, after in pairwise(moments))
    assert 0 <= moments[0] < moments[-1] <= 300
    in_the_east = sum(48 <= moment <= 72 for moment in moments)
    in_the_mountains = sum(168 <= moment <= 192 for moment in moments)
    assert in_the_east > 5 * in_the_mountains


def test_a_mornings_backlog_is_what_was_published_and_not_yet_committed() -> None:
    morning = Morning(1_500_000, 9_000, [(0.0, 0, 0), (2.0, 10, 4), (4.0, 30, 30)], 0.1)
    assert morning.backlog == [(0.0, 0), (2.0, 6), (4.0, 0)]
    assert morning.pace == [(2.0, 5.0), (4.0, 10.0)]
    assert morning.faster == 2


def test_a_percentile_is_the_seconds_within_which_so_many_were_committed() -> None:
    waited = Latency([n / 100 for n in range(1, 101)])
    assert [waited.percentile(percent) for percent in (50, 99, 100)] == [0.5, 0.99, 1.0]
