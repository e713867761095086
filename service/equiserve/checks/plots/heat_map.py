"""Shifts: a heat map over (dx, dy) in pixels, the picture as it came in the middle."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from equiserve.checks.plots.canvas import FAINT, GREY, INK, MARGIN, VERMILLION, colour, colour_bar, text
from equiserve.checks.plots.elements import centred
from equiserve.checks.plots.plot import NeroPlot

_SIDE = 440
_LEFT = MARGIN + 58
# Rows of squares this close in value are drawn as one: below what an eye or a screen tells apart.
_LEVELS = 255


def draw_heat_map(plot: NeroPlot) -> tuple[list[str], float]:
    """Return the heat map's elements and its height."""
    shifts = [centred(element, plot.parameters) for element in plot.elements]
    (top, height), (left, width) = _window(plot, shifts)
    cell = _SIDE / max(height, width)
    right, below = _LEFT + cell * width, cell * height
    cells = {shift: k for k, shift in enumerate(shifts)}

    def centre(k: int) -> tuple[float, float]:
        dy, dx = shifts[k]
        return _LEFT + (dx - left + 0.5) * cell, (dy - top + 0.5) * cell

    parts = [f'<rect x="{_LEFT}" y="0" width="{cell * width:g}" height="{below:g}" fill="{GREY}"/>']
    # A sparse sample of a large group would be lost in cells of its own size.
    spread = max(cell, min(6.0, 0.8 * cell * (height * width / max(len(cells), 1)) ** 0.5))
    if spread > cell:
        for k in range(len(plot.elements)):
            x, y = centre(k)
            parts.append(_square(x - spread / 2, y - spread / 2, spread, spread, _fill(plot.probabilities[k])))
    else:
        parts += _runs(plot, cells, (top, height), (left, width), cell)
    parts.append(
        _crosses([centre(int(k)) for k in np.flatnonzero(~plot.agrees & np.isfinite(plot.probabilities))], spread)
    )
    dot = max(1.0, min(spread * 0.16, 3.0))
    for tried in np.flatnonzero(plot.searched):
        x, y = centre(int(tried))
        parts.append(_dot(x, y, dot))
    ring = max(spread * 0.5, 5.0)
    if plot.elements:
        x, y = centre(0)
        parts.append(f'<circle cx="{x:g}" cy="{y:g}" r="{ring:g}" fill="none" stroke="#ffffff" stroke-width="4"/>')
        parts.append(f'<circle cx="{x:g}" cy="{y:g}" r="{ring:g}" fill="none" stroke="{INK}" stroke-width="2"/>')
    if plot.worst:
        x, y = centre(plot.worst)
        outline = f"M{x - ring:g} {y:g}L{x:g} {y - ring:g}L{x + ring:g} {y:g}L{x:g} {y + ring:g}Z"
        parts.append(f'<path d="{outline}" fill="none" stroke="#ffffff" stroke-width="4"/>')
        parts.append(f'<path d="{outline}" fill="none" stroke="{VERMILLION}" stroke-width="2"/>')
    parts += _axes((top, height), (left, width), cell)
    parts += colour_bar(right + 26, 0, min(below, 260), plot.quantity)
    parts += _legend(plot, right + 26, min(below, 260) + 34, len(cells) < height * width)
    return parts, max(below, 400) + 46


def _window(plot: NeroPlot, shifts: Sequence[tuple[int, int]]) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return (first, count) of dy and of dx: the torus, the reach, or what the shifts span."""
    height, width = plot.parameters.get("height"), plot.parameters.get("width")
    if height and width:
        return (-((height - 1) // 2), height), (-((width - 1) // 2), width)
    reach = plot.parameters.get("reach") or max((abs(v) for shift in shifts for v in shift), default=0)
    return (-reach, 2 * reach + 1), (-reach, 2 * reach + 1)


def _runs(
    plot: NeroPlot, cells: dict[tuple[int, int], int], rows: tuple[int, int], columns: tuple[int, int], cell: float
) -> list[str]:
    """Return a rectangle for each run of like cells in a row."""
    parts = []
    for row in range(rows[1]):
        start, current = 0, None
        for column in range(columns[1] + 1):
            index = cells.get((rows[0] + row, columns[0] + column)) if column < columns[1] else None
            fill = None if index is None else _fill(plot.probabilities[index])
            if (column and fill != current) or column == columns[1]:
                if current is not None:
                    x, width = _LEFT + start * cell, (column - start) * cell
                    parts.append(_square(x, row * cell, width, cell, current))
                start = column
            current = fill
    return parts


def _fill(probability: float) -> str:
    return colour(round(probability * _LEVELS) / _LEVELS) if np.isfinite(probability) else VERMILLION


def _square(x: float, y: float, width: float, height: float, fill: str) -> str:
    return (
        f'<rect x="{x:.2f}" y="{y:.2f}" width="{width:.2f}" height="{height:.2f}" fill="{fill}" '
        'shape-rendering="crispEdges"/>'
    )


def _dot(x: float, y: float, radius: float) -> str:
    return f'<circle cx="{x:.2f}" cy="{y:.2f}" r="{radius:g}" fill="{INK}" stroke="#ffffff" stroke-width="0.8"/>'


def _crosses(centres: list[tuple[float, float]], cell: float) -> str:
    if not centres:
        return ""
    arm = max(1.2, min(cell * 0.24, 5))
    path = "".join(
        f"M{x - arm:.1f} {y - arm:.1f}l{2 * arm:.1f} {2 * arm:.1f}m0 {-2 * arm:.1f}l{-2 * arm:.1f} {2 * arm:.1f}"
        for x, y in centres
    )
    return f'<path d="{path}" fill="none" stroke="#ffffff" stroke-width="{max(0.8, arm / 3):.1f}"/>'


def _axes(rows: tuple[int, int], columns: tuple[int, int], cell: float) -> list[str]:
    parts = []
    below = cell * rows[1]
    for first, count, horizontal in ((*columns, True), (*rows, False)):
        step = next(s for s in (1, 2, 4, 7, 8, 16, 28, 32, 64, 128, 256, count) if s >= count / 9)
        for value in range(first, first + count):
            if value % step:
                continue
            at = (value - first + 0.5) * cell
            if horizontal:
                parts.append(f'<path d="M{_LEFT + at:g} {below:g}v5" stroke="{FAINT}"/>')
                parts.append(text(_LEFT + at, below + 19, _signed(value), fill=FAINT, anchor="middle"))
            else:
                parts.append(f'<path d="M{_LEFT:g} {at:g}h-5" stroke="{FAINT}"/>')
                parts.append(text(_LEFT - 9, at + 4, _signed(value), fill=FAINT, anchor="end"))
    middle_x, middle_y = _LEFT + cell * columns[1] / 2, below / 2
    parts.append(text(middle_x, below + 38, "shift to the right, dx (px)", anchor="middle"))
    turned = f'transform="rotate(-90 {MARGIN + 12:g} {middle_y:g})"'
    parts.append(text(MARGIN + 12, middle_y, "shift down, dy (px)", anchor="middle", extra=turned))
    return parts


def _signed(value: int) -> str:
    return f"+{value}" if value > 0 else f"−{-value}" if value < 0 else "0"


def _legend(plot: NeroPlot, x: float, y: float, gaps: bool) -> list[str]:
    entries = [
        (f'<circle cx="{x + 8:g}" cy="{{y:g}}" r="5" fill="none" stroke="{INK}" stroke-width="2"/>', "as it came")
    ]
    if plot.worst:
        outline = f"M{x + 2:g} {{y:g}}l6 -6l6 6l-6 6Z"
        entries.append((f'<path d="{outline}" fill="none" stroke="{VERMILLION}" stroke-width="2"/>', "furthest off"))
    finite = np.isfinite(plot.probabilities)
    if (~plot.agrees & finite).any():
        box = f'<rect x="{x:g}" y="{{top:g}}" width="16" height="16" fill="{colour(0.2)}"/>'
        cross = f'<path d="M{x + 4:g} {{low:g}}l8 8m0 -8l-8 8" stroke="#ffffff" stroke-width="1.5"/>'
        entries.append((box + cross, plot.other_answer))
    if not finite.all():
        entries.append((f'<rect x="{x:g}" y="{{top:g}}" width="16" height="16" fill="{VERMILLION}"/>', "not finite"))
    if plot.searched.any():
        box = f'<rect x="{x:g}" y="{{top:g}}" width="16" height="16" fill="{colour(0.6)}"/>'
        entries.append(
            (
                box + f'<circle cx="{x + 8:g}" cy="{{y:g}}" r="2.5" fill="{INK}" stroke="#ffffff"/>',
                "tried by the search",
            )
        )
    if gaps:
        entries.append((f'<rect x="{x:g}" y="{{top:g}}" width="16" height="16" fill="{GREY}"/>', "not checked"))
    parts = []
    for index, (sign, words) in enumerate(entries):
        at = y + 24 * index
        parts.append(sign.format(y=at, top=at - 8, low=at - 4))
        parts.append(text(x + 24, at + 4, words))
    return parts
