"""Rotations of space: three discs, a direction in each the axis of rotation and the radius its angle."""

from __future__ import annotations

import numpy as np

from equiserve.checks.plots.canvas import (
    FAINT,
    GRID,
    INK,
    MARGIN,
    VERMILLION,
    colour,
    colour_bar,
    text,
)
from equiserve.checks.plots.elements import axis_angle
from equiserve.checks.plots.plot import NeroPlot

#: The plane of each disc: which coordinates point right and up.
PLANES = (("x", "y"), ("x", "z"), ("y", "z"))
_RADIUS, _PITCH, _TOP = 92, 206, 46
_HEIGHT = 2 * _RADIUS + _TOP + 92


def draw_discs(plot: NeroPlot) -> tuple[list[str], float]:
    """Return the discs' elements and their height.

    Zhao et al. sample axes in three planes only. Here axes lie anywhere: each rotation is drawn once, on the disc whose
    plane is nearest to its axis.
    """
    parts = []
    for index, (right, up) in enumerate(PLANES):
        cx, cy = _centre(index)
        parts.append(text(cx, 14, f"axis near the {right}{up} plane", anchor="middle"))
        for angle in (60, 120, 180):
            parts.append(f'<circle cx="{cx}" cy="{cy}" r="{_RADIUS * angle / 180:g}" fill="none" stroke="{GRID}"/>')
            parts.append(text(cx + 3, cy - _RADIUS * angle / 180 - 3, f"{angle}°", size=10, fill=FAINT))
        parts.append(
            f'<path d="M{cx - _RADIUS} {cy}h{2 * _RADIUS}m-{_RADIUS} -{_RADIUS}v{2 * _RADIUS}" stroke="{GRID}"/>'
        )
        parts.append(text(cx + _RADIUS + 4, cy + 4, right, fill=FAINT))
        parts.append(text(cx - 4, cy - _RADIUS - 3, up, fill=FAINT, anchor="end"))
    size = 4.5 if len(plot.elements) <= 150 else 3.0
    # The weakest are drawn last, so that none is hidden below its neighbours.
    for k in np.argsort(-np.nan_to_num(plot.probabilities), kind="stable").tolist():
        for x, y in _places(plot, k):
            parts.append(_mark(plot, k, x, y, size))
    if plot.worst is not None:
        for x, y in _places(plot, plot.worst):
            parts.append(
                f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{size + 4:g}" fill="none" stroke="{VERMILLION}" '
                'stroke-width="2"/>'
            )
    below = _TOP + 2 * _RADIUS
    parts += colour_bar(MARGIN + 3 * _PITCH + 14, _TOP - 30, 2 * _RADIUS + 30, plot.quantity)
    explained = "direction: the axis of the rotation; distance from the centre: its angle, 0° to 180°"
    parts.append(text(MARGIN, below + 28, explained))
    parts += _legend(plot, below + 52)
    return parts, _HEIGHT


def _centre(index: int) -> tuple[float, float]:
    return MARGIN + _RADIUS + _PITCH * index, _TOP + _RADIUS


def _places(plot: NeroPlot, k: int) -> list[tuple[float, float]]:
    """Return where an element is drawn; the identity in the middle of every disc."""
    axis, angle = axis_angle(plot.elements[k])
    if angle == 0:
        return [_centre(index) for index in range(len(PLANES))]
    index, across, up = plane_of(axis)
    cx, cy = _centre(index)
    radius = _RADIUS * angle / 180
    return [(cx + radius * across, cy - radius * up)]


def plane_of(axis: tuple[float, float, float]) -> tuple[int, float, float]:
    """Return the plane of `PLANES` that is nearest to a unit axis, and the axis's direction (right, up) in it."""
    part = dict(zip("xyz", axis, strict=True))
    index = min(range(len(PLANES)), key=lambda i: abs(part[({"x", "y", "z"} - set(PLANES[i])).pop()]))
    across, up = (part[name] for name in PLANES[index])
    length = float(np.hypot(across, up))
    return index, across / length, up / length


def _mark(plot: NeroPlot, k: int, x: float, y: float, size: float) -> str:
    value = plot.probabilities[k]
    fill = colour(float(value)) if np.isfinite(value) else VERMILLION
    if plot.agrees[k]:
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{size:g}" fill="{fill}" stroke="{INK}" stroke-width="0.5"/>'
    corner = f"M{x:.1f} {y - size - 1:.1f}l{size + 1:g} {2 * size:g}h-{2 * size + 2:g}Z"
    return f'<path d="{corner}" fill="{fill}" stroke="{INK}" stroke-width="1"/>'


def _legend(plot: NeroPlot, y: float) -> list[str]:
    x = MARGIN + 6.0
    parts = [
        f'<circle cx="{x:g}" cy="{y - 4:g}" r="4.5" fill="none" stroke="{INK}"/>',
        text(x + 12, y, plot.words.agrees),
    ]
    if not plot.agrees.all():
        x += 190
        parts.append(f'<path d="M{x:g} {y - 10:g}l5.5 9h-11Z" fill="none" stroke="{INK}"/>')
        parts.append(text(x + 12, y, plot.other_answer))
    if plot.worst is not None:
        x += 220
        parts.append(f'<circle cx="{x:g}" cy="{y - 4:g}" r="7" fill="none" stroke="{VERMILLION}" stroke-width="2"/>')
        parts.append(text(x + 14, y, "furthest off"))
    return parts
