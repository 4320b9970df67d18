"""Charts as SVG, written by hand: bars with their figures, and a line over time. They are read on light and dark."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

_WIDTH = 760
_LEFT = 210
_BAR = 24
_STEP = 34
_TOP = 50
_HEIGHT = 320
_STYLE = (
    "text{font:13px system-ui,sans-serif;fill:#777}.title{font-weight:600;font-size:15px}"
    ".ours{fill:#1a7f5a}.peer{fill:#8c9bab}.line{fill:none;stroke:#1a7f5a;stroke-width:2}"
    ".second{fill:none;stroke:#c2703d;stroke-width:1.5}.axis{stroke:#999;stroke-width:1}"
)

Point = tuple[float, float]


def bars(title: str, rows: Sequence[tuple[str, float, bool]]) -> str:
    """A bar for each (name, figure, is it ours), the longest filling the width."""
    most = max(figure for _, figure, _ in rows)
    drawn = [_bar(place, row, most) for place, row in enumerate(rows)]
    return _svg(title, _TOP + _STEP * len(rows) + 10, drawn)


def _bar(place: int, row: tuple[str, float, bool], most: float) -> str:
    name, figure, ours = row
    y, length = _TOP + _STEP * place, (_WIDTH - _LEFT - 90) * figure / most
    middle = y + _BAR * 0.7
    return (
        f'<text x="{_LEFT - 8}" y="{middle:.0f}" text-anchor="end">{escape(name)}</text>'
        f'<rect class="{"ours" if ours else "peer"}" x="{_LEFT}" y="{y}" width="{length:.0f}" height="{_BAR}"/>'
        f'<text x="{_LEFT + length + 6:.0f}" y="{middle:.0f}">{figure:,.0f}</text>'
    )


def lines(
    title: str, under: str, first: Sequence[Point], second: Sequence[Point], names: tuple[str, str]
) -> str:
    """Two courses over time, each on a scale of its own, with the highest of each written out."""
    end = max(x for x, _ in [*first, *second]) or 1
    drawn = [
        f'<line class="axis" x1="40" y1="{_HEIGHT}" x2="{_WIDTH - 20}" y2="{_HEIGHT}"/>',
        _course(first, "line", end),
        _course(second, "second", end),
        f'<text x="44" y="{_TOP + 14}">{escape(names[0])}: at most {_most(first):,.0f} (thick)</text>',
        f'<text x="44" y="{_TOP + 32}">{escape(names[1])}: at most {_most(second):,.0f} (thin)</text>',
        f'<text x="{_WIDTH / 2:.0f}" y="{_HEIGHT + 24}" text-anchor="middle">{escape(under)}</text>',
    ]
    return _svg(title, _HEIGHT + 40, drawn)


def _course(points: Sequence[Point], style: str, end: float) -> str:
    most = _most(points) or 1
    places = " ".join(
        f"{40 + (_WIDTH - 60) * x / end:.1f},{_HEIGHT - (_HEIGHT - _TOP - 50) * y / most:.1f}"
        for x, y in points
    )
    return f'<polyline class="{style}" points="{places}"/>'


def _most(points: Sequence[Point]) -> float:
    return max(y for _, y in points)


def _svg(title: str, height: int, drawn: Sequence[str]) -> str:
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style>"
        f'<text class="title" x="12" y="26">{escape(title)}</text>'
    )
    return "\n".join([head, *drawn, "</svg>"]) + "\n"
