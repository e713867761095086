"""Rotations: a polar plot, the angle that of the element and the radius the probability of the reference class."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from equiserve.checks.plots.canvas import BLUE, FAINT, GRID, INK, MARGIN, VERMILLION, text
from equiserve.checks.plots.plot import NeroPlot
from equiserve.symmetry import Rotation

_RADIUS = 210
_CENTRE = (MARGIN + 250, 240)
_HEIGHT = 516
# Neighbours further apart than this (times the usual step) are not joined: nothing was measured in between.
_GAP = 2.5


def draw_polar(plot: NeroPlot) -> tuple[list[str], float]:
    """Return the polar plot's elements and its height.

    An element's mark lies where the top edge of the turned picture points: 0 degrees up, counter-clockwise as the
    picture turns.
    """
    parts = _grid()
    rotations = [g for g in plot.elements if isinstance(g, Rotation)]
    for reflected, dash in ((False, ""), (True, ' stroke-dasharray="5 4"')):
        members = [k for k, g in enumerate(rotations) if g.reflected == reflected]
        members.sort(key=lambda k: rotations[k].angle_deg)
        path = _curve(plot, rotations, members)
        if path:
            parts.append(f'<path d="{path}" fill="none" stroke="{BLUE}" stroke-width="1.5"{dash}/>')
    for k, g in enumerate(rotations):
        x, y = _place(g.angle_deg, plot.probabilities[k])
        fill = BLUE if plot.agrees[k] else VERMILLION
        size = 5.5 if plot.exact[k] else 2.6
        if g.reflected:
            side = 2 * size
            parts.append(
                f'<rect x="{x - size:.1f}" y="{y - size:.1f}" width="{side:g}" height="{side:g}" fill="{fill}"/>'
            )
        else:
            parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{size:g}" fill="{fill}"/>')
    if plot.worst is not None and rotations:
        x, y = _place(rotations[plot.worst].angle_deg, plot.probabilities[plot.worst])
        parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="10" fill="none" stroke="{VERMILLION}" stroke-width="2"/>')
    parts += _legend(plot, [g.reflected for g in rotations])
    return parts, _HEIGHT


def _place(angle_deg: float, probability: float) -> tuple[float, float]:
    radius = _RADIUS * (probability if np.isfinite(probability) else 0.0)
    angle = math.radians(angle_deg)
    return _CENTRE[0] - radius * math.sin(angle), _CENTRE[1] - radius * math.cos(angle)


def _curve(plot: NeroPlot, rotations: Sequence[Rotation], members: list[int]) -> str:
    """Return the path through the members, broken where too little was measured, closed where it goes round."""
    if len(members) < 3:
        return ""
    angles = [rotations[k].angle_deg for k in members]
    steps = np.diff([*angles, angles[0] + 360])
    longest = _GAP * float(np.median(steps))
    points = [_place(rotations[k].angle_deg, plot.probabilities[k]) for k in members]
    joined = "".join(
        f"{'L' if index and steps[index - 1] <= longest else 'M'}{x:.1f} {y:.1f}" for index, (x, y) in enumerate(points)
    )
    return joined + (f"L{points[0][0]:.1f} {points[0][1]:.1f}" if steps[-1] <= longest else "")


def _grid() -> list[str]:
    cx, cy = _CENTRE
    parts = []
    for angle in range(0, 360, 45):
        x, y = _place(angle, 1)
        parts.append(f'<path d="M{cx} {cy}L{x:.1f} {y:.1f}" stroke="{GRID}"/>')
        x, y = _place(angle, 1 + 18 / _RADIUS)
        side = math.sin(math.radians(angle))
        anchor = "middle" if abs(side) < 0.1 else "end" if side > 0 else "start"
        parts.append(text(x, y + 4, f"{angle}°", fill=FAINT, anchor=anchor))
    for share in (0.25, 0.5, 0.75, 1.0):
        parts.append(f'<circle cx="{cx}" cy="{cy}" r="{_RADIUS * share:g}" fill="none" stroke="{GRID}"/>')
        x, y = _place(-22.5, share)
        parts.append(text(x + 3, y - 3, f"{share:g}", size=11, fill=FAINT))
    parts.append(text(cx, _HEIGHT - 14, "angle of the rotation, counter-clockwise (degrees)", anchor="middle"))
    return parts


def _legend(plot: NeroPlot, reflected: Sequence[bool]) -> list[str]:
    x, y = _CENTRE[0] + _RADIUS + 62, 40.0
    parts = [text(x - 8, y - 14, "distance from the centre:", fill=FAINT), text(x - 8, y + 3, plot.quantity)]
    y += 34
    exact, finite = plot.exact, np.isfinite(plot.probabilities)
    entries = []
    if exact.any():
        entries.append((f'<circle cx="{x:g}" cy="{{y:g}}" r="5.5" fill="{BLUE}"/>', "exact (pixels permuted)"))
    if not exact.all():
        entries.append((f'<circle cx="{x:g}" cy="{{y:g}}" r="2.6" fill="{BLUE}"/>', "resampled"))
    if any(reflected):
        entries.append((f'<rect x="{x - 5:g}" y="{{top:g}}" width="10" height="10" fill="{BLUE}"/>', "mirrored first"))
    if (~plot.agrees & finite).any():
        entries.append((f'<circle cx="{x:g}" cy="{{y:g}}" r="5.5" fill="{VERMILLION}"/>', "another answer"))
    if not finite.all():
        entries.append((f'<circle cx="{x:g}" cy="{{y:g}}" r="5.5" fill="{VERMILLION}"/>', "not finite (at the centre)"))
    if plot.worst is not None:
        ring = f'<circle cx="{x:g}" cy="{{y:g}}" r="7" fill="none" stroke="{VERMILLION}" stroke-width="2"/>'
        entries.append((ring, "furthest off"))
    for index, (sign, words) in enumerate(entries):
        at = y + 24 * index
        parts.append(sign.format(y=at, top=at - 5))
        parts.append(text(x + 18, at + 4, words, fill=INK))
    return parts
