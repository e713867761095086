"""Where the page's script draws each element: marks and axes as JSON values, one unit a pixel."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from equiserve.checks.plots import MOST_BARS
from equiserve.checks.plots.disc import PLANES, plane_of
from equiserve.checks.plots.elements import ElementJson, axis_angle, centred, kind_of, words

Layout = dict[str, Any]
_SIDE = 400


def layout(
    elements: Sequence[ElementJson], parameters: Mapping[str, Any], *, exact: bool, quantity: str = "probability"
) -> Layout:
    """Return `kind`, `size` (width, height), `axes` and `marks`, one an element.

    Axes are texts `["t", x, y, anchor, words, turned]`, lines `["l", x1, y1, x2, y2]` and circles `["c", x, y, r]`.
    Marks are, for kind `cells`, boxes `[x, y, width, height]`; for `dots`, places `[[x, y], ...]`; for `polar`, which
    the script places by value, `[angle_deg, mirrored]` around the centre `[x, y, radius]`.

    Args:
        elements: JSON values.
        parameters: Of the group.
        exact: Whether every element is.
        quantity: What the radius of a polar plot is.
    """
    kind = kind_of(elements)
    if kind == "shift":
        return _shifts(elements, parameters)
    if kind == "rotation" and not (exact and len(elements) <= MOST_BARS):
        return _polar(elements, quantity)
    if kind == "rotation3d":
        return _discs(elements)
    return _tiles([words(element, parameters) for element in elements])


def _shifts(elements: Sequence[ElementJson], parameters: Mapping[str, Any]) -> Layout:
    places = [centred(element, parameters) for element in elements]
    (top, bottom), (left, right) = ((min(v), max(v)) for v in zip(*places, strict=True))
    cell = _SIDE / (1 + max(bottom - top, right - left))
    x0, y0 = 56, 8
    axes: list[Any] = []
    for first, last, horizontal in ((left, right, True), (top, bottom, False)):
        step = next(s for s in (1, 2, 4, 7, 8, 16, 28, 32, 64, 128, 256, last - first + 1) if s >= (last - first) / 8)
        for value in range(first, last + 1):
            if value % step == 0:
                at, name = (value - first + 0.5) * cell, f"{value:+d}".replace("-", "−") if value else "0"
                if horizontal:
                    axes.append(["t", x0 + at, y0 + (bottom - top + 1) * cell + 17, "middle", name, 0])
                else:
                    axes.append(["t", x0 - 7, y0 + at + 4, "end", name, 0])
    width, height = (right - left + 1) * cell, (bottom - top + 1) * cell
    axes.append(["t", x0 + width / 2, y0 + height + 36, "middle", "shift to the right, dx (px)", 0])
    axes.append(["t", 13, y0 + height / 2, "middle", "shift down, dy (px)", 1])
    marks = [[x0 + (dx - left) * cell, y0 + (dy - top) * cell, cell, cell] for dy, dx in places]
    return _layout("cells", x0 + width + 8, y0 + height + 44, axes, marks)


def _polar(elements: Sequence[ElementJson], quantity: str) -> Layout:
    cx, cy, radius = 230.0, 216.0, 178.0
    axes: list[Any] = [["c", cx, cy, radius * share] for share in (0.25, 0.5, 0.75, 1)]
    for angle in range(0, 360, 45):
        side, up = -math.sin(math.radians(angle)), -math.cos(math.radians(angle))
        axes.append(["l", cx, cy, cx + radius * side, cy + radius * up])
        anchor = "middle" if abs(side) < 0.1 else "start" if side > 0 else "end"
        axes.append(["t", cx + (radius + 12) * side, cy + (radius + 14) * up + 4, anchor, f"{angle}°", 0])
    # Beside the circles, where no spoke is: at 22.5 degrees.
    axes += [
        ["t", cx + radius * share * 0.383 + 3, cy - radius * share * 0.924 - 3, "start", f"{share:g}", 0]
        for share in (0.25, 0.5, 0.75, 1)
    ]
    axes.append(["t", cx, cy + radius + 38, "middle", f"angle, counter-clockwise (degrees); radius: {quantity}", 0])
    marks = [[element["angle_deg"], int(bool(element.get("reflected")))] for element in elements]
    return {**_layout("polar", 460, 446, axes, marks), "centre": [cx, cy, radius]}


def _discs(elements: Sequence[ElementJson]) -> Layout:
    radius, pitch, top = 88.0, 198.0, 44.0
    axes: list[Any] = []
    centres = [(20 + radius + pitch * index, top + radius) for index in range(len(PLANES))]
    for (right, up), (cx, cy) in zip(PLANES, centres, strict=True):
        axes.append(["t", cx, 14, "middle", f"axis near the {right}{up} plane", 0])
        for limit in (60, 120, 180):
            axes.append(["c", cx, cy, radius * limit / 180])
            axes.append(["t", cx + 3, cy - radius * limit / 180 - 2, "start", f"{limit}°", 0])
        axes.append(["t", cx + radius + 3, cy + 4, "start", right, 0])
        axes.append(["t", cx - 5, cy - radius - 2, "end", up, 0])
    explained = "direction: the axis of the rotation; distance from the centre: its angle"
    axes.append(["t", 20, top + 2 * radius + 26, "start", explained, 0])
    marks: list[list[list[float]]] = []
    for element in elements:
        axis, angle = axis_angle(element)
        if angle == 0:
            marks.append([list(centre) for centre in centres])
            continue
        index, across, up_part = plane_of(axis)
        cx, cy = centres[index]
        reach = radius * angle / 180
        marks.append([[cx + reach * across, cy - reach * up_part]])
    return _layout("dots", 20 + pitch * 3, top + 2 * radius + 36, axes, marks)


def _tiles(names: Sequence[str]) -> Layout:
    columns = min(len(names), 4) if len(names) <= 16 else 8 if len(names) <= 64 else 32
    if not names:
        return _layout("cells", 300, 40, [["t", 10, 24, "start", "nothing was checked", 0]], [])
    named = columns <= 4
    # A tile that is too small for words has none.
    side, gap, below = (96, 14, 34) if named else (52, 6, 0) if columns == 8 else (14, 1, 0)
    axes: list[Any] = []
    marks = []
    for k, name in enumerate(names):
        x, y = 8 + (side + gap) * (k % columns), 8 + (side + gap + below) * (k // columns)
        marks.append([x, y, side, side])
        for line, part in enumerate(_two_lines(name) if named else ()):
            axes.append(["t", x, y + side + 14 + 13 * line, "start", part, 0])
    height = 8 + (side + gap + below) * -(-len(names) // columns)
    return _layout("cells", 8 + (side + gap) * columns, height, axes, marks)


def _two_lines(name: str) -> list[str]:
    head, _, tail = name.partition(", ")
    return [f"{head},", tail if len(tail) <= 17 else f"{tail[:16]}…"] if tail else [head]


def _layout(kind: str, width: float, height: float, axes: Sequence[Any], marks: Sequence[Any]) -> Layout:
    return {"kind": kind, "size": [width, height], "axes": _rounded(axes), "marks": _rounded(marks)}


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 2)
    return [_rounded(part) for part in value] if isinstance(value, list | tuple) else value
