"""A line chart as SVG: named axes with units, lines that are named where they end, levels that are aimed at."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

# Colours that the colour-blind tell apart (Okabe & Ito 2008, "Color universal design").
COLOURS = {
    "blue": "#0072B2",
    "vermillion": "#D55E00",
    "green": "#009E73",
    "purple": "#CC79A7",
    "grey": "#777777",
}
_WIDTH, _LEFT, _TOP, _BOTTOM = 640, 64, 24, 52
_LINE = 15  # pixels between two names


@dataclass(frozen=True)
class Axis:
    """What an axis shows.

    Args:
        title: With the unit.
        low: Where it begins.
        high: Where it ends.
        ticks: Values that are written beside it; those outside are left out.
        logarithmic: Whether equal ratios are equally far apart.
        form: Format of a tick's number.
    """

    title: str
    low: float
    high: float
    ticks: Sequence[float]
    logarithmic: bool = False
    form: str = "g"

    def share(self, value: float) -> float:
        """Return where a value lies, 0 at `low` and 1 at `high`."""
        low, high, value = (math.log(one) if self.logarithmic else one for one in (self.low, self.high, value))
        return (value - low) / (high - low)


@dataclass(frozen=True)
class Line:
    """Points that are joined in their order, and what the line is called."""

    title: str
    colour: str
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Level:
    """A value of the vertical axis that is aimed at, drawn across."""

    title: str
    colour: str
    value: float


def line_chart(
    x: Axis, y: Axis, lines: Sequence[Line], levels: Sequence[Level] = (), *, height: int = 380, margin: int = 150
) -> str:
    """Return the chart as SVG.

    Args:
        x: The horizontal axis.
        y: The vertical axis.
        lines: What is drawn.
        levels: What is drawn across.
        height: Of the picture, of 640 units of width.
        margin: Room for the lines' names on the right.
    """
    right, bottom = _WIDTH - margin, height - _BOTTOM

    def across(value: float) -> float:
        return _LEFT + x.share(value) * (right - _LEFT)

    def down(value: float) -> float:
        return bottom - y.share(value) * (bottom - _TOP)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" font-family="sans-serif" '
        'font-size="13" fill="#222">',
        f'<rect width="{_WIDTH}" height="{height}" fill="white"/>',
        f'<path d="M{_LEFT} {_TOP}V{bottom}H{right}" fill="none" stroke="#222"/>',
        f'<text x="{(_LEFT + right) / 2}" y="{height - 10}" text-anchor="middle">{x.title}</text>',
        f'<text x="16" y="{(_TOP + bottom) / 2}" text-anchor="middle" '
        f'transform="rotate(-90 16 {(_TOP + bottom) / 2})">{y.title}</text>',
    ]
    for value in _within(x):
        parts.append(f'<path d="M{across(value):.1f} {bottom}v5" stroke="#222"/>')
        parts.append(f'<text x="{across(value):.1f}" y="{bottom + 19}" text-anchor="middle">{value:{x.form}}</text>')
    for value in _within(y):
        parts.append(f'<path d="M{_LEFT} {down(value):.1f}h-5" stroke="#222"/>')
        parts.append(f'<text x="{_LEFT - 9}" y="{down(value) + 4:.1f}" text-anchor="end">{value:{y.form}}</text>')
    for level in levels:
        stroke = f'stroke="{level.colour}" stroke-dasharray="5 4"'
        parts.append(f'<path d="M{_LEFT} {down(level.value):.1f}H{right}" {stroke}/>')
        place = f'x="{right}" y="{down(level.value) - 5:.1f}" text-anchor="end"'
        parts.append(f'<text {place} fill="{level.colour}">{level.title}</text>')
    names: list[tuple[float, float, str, str]] = []
    for line in lines:
        path = "L".join(f"{across(a):.1f} {down(b):.1f}" for a, b in line.points)
        parts.append(f'<path d="M{path}" fill="none" stroke="{line.colour}" stroke-width="2"/>')
        parts += [
            f'<circle cx="{across(a):.1f}" cy="{down(b):.1f}" r="3" fill="{line.colour}"/>' for a, b in line.points
        ]
        last = line.points[-1]
        names.append((down(last[1]) + 4, across(last[0]) + 8, line.title, line.colour))
    parts += [f'<text x="{a:.1f}" y="{b:.1f}" fill="{colour}">{title}</text>' for b, a, title, colour in _apart(names)]
    return "\n".join([*parts, "</svg>"]) + "\n"


def _within(axis: Axis) -> list[float]:
    return [value for value in axis.ticks if axis.low <= value <= axis.high]


def _apart(names: list[tuple[float, float, str, str]]) -> Iterator[tuple[float, float, str, str]]:
    """Move names down so far that none covers another."""
    free = -math.inf
    for y, x, title, colour in sorted(names):
        free = max(y, free + _LINE)
        yield free, x, title, colour
