"""Rotations: a polar plot, the angle that of the element and the radius the probability of the reference class."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence

import numpy as np

from equiserve.checks.plots.canvas import BAND, BAND_WORDS, BLUE, FAINT, GRID, INK, MARGIN, VERMILLION, text
from equiserve.checks.plots.plot import NeroPlot

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
    angles = [float(element["angle_deg"]) for element in plot.elements]
    reflected = [bool(element.get("reflected")) for element in plot.elements]
    around = [
        # What a search tried lies close together: its points are not joined.
        sorted(
            (k for k in range(len(angles)) if reflected[k] == mirrored and not plot.searched[k]),
            key=lambda k: angles[k],
        )
        for mirrored in (False, True)
    ]
    bands = [] if plot.band is None else [_ring(angles, members, *plot.band) for members in around]
    parts = [*bands, *_grid()]
    for members, dash in zip(around, ("", ' stroke-dasharray="5 4"'), strict=True):
        if path := _curve(angles, members, plot.probabilities):
            parts.append(f'<path d="{path}" fill="none" stroke="{BLUE}" stroke-width="1.5"{dash}/>')
    for k, angle in enumerate(angles):
        x, y = _place(angle, plot.probabilities[k])
        hue = BLUE if plot.agrees[k] else VERMILLION
        fill = f'#ffffff" stroke="{hue}' if plot.searched[k] else hue
        size = 5.5 if plot.exact[k] else 2.6
        if reflected[k]:
            side = 2 * size
            parts.append(
                f'<rect x="{x - size:.1f}" y="{y - size:.1f}" width="{side:g}" height="{side:g}" fill="{fill}"/>'
            )
        else:
            parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{size:g}" fill="{fill}"/>')
    if plot.worst is not None and angles:
        x, y = _place(angles[plot.worst], plot.probabilities[plot.worst])
        parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="10" fill="none" stroke="{VERMILLION}" stroke-width="2"/>')
    parts += _legend(plot, reflected)
    return parts, _HEIGHT


def _place(angle_deg: float, probability: float) -> tuple[float, float]:
    radius = _RADIUS * (probability if np.isfinite(probability) else 0.0)
    angle = math.radians(angle_deg)
    return _CENTRE[0] - radius * math.sin(angle), _CENTRE[1] - radius * math.cos(angle)


def _curve(angles: Sequence[float], members: Sequence[int], values: np.ndarray) -> str:
    """Return the path through the members, broken where too little was measured, closed where it goes round."""
    points = [_place(angles[k], values[k]) for k in members]
    return "".join(
        f"{'L' if joined else 'M'}{x:.1f} {y:.1f}"
        for joined, (x, y) in zip(_joined(angles, members), [*points, *points[:1]], strict=False)
    )


def _joined(angles: Sequence[float], members: Sequence[int]) -> list[bool]:
    """Return for each member, and the first again at the end, whether the curve comes to it from the one before."""
    if len(members) < 3:
        return []
    around = [angles[k] for k in members]
    steps = np.diff([*around, around[0] + 360])
    near = steps <= _GAP * float(np.median(steps))
    return [False, *near[:-1].tolist(), *([True] if near[-1] else [])]


def _ring(angles: Sequence[float], members: Sequence[int], low: np.ndarray, high: np.ndarray) -> str:
    """Return the band between two curves, a piece for every two neighbours that the curve joins."""
    path = ""
    for index, joined in enumerate(_joined(angles, members)):
        if joined:
            k, after = members[index - 1], members[index % len(members)]
            corners = [(k, low), (k, high), (after, high), (after, low)]
            path += "M" + "L".join("{:.1f} {:.1f}".format(*_place(angles[j], limit[j])) for j, limit in corners) + "Z"
    return f'<path d="{path}" fill="{BAND}"/>' if path else ""


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
    parts = [text(x - 8, y - 14, "distance from the centre:", fill=FAINT)]
    for words in textwrap.wrap(plot.quantity, 28):
        parts.append(text(x - 8, y + 3, words))
        y += 17
    y += 17
    exact, finite = plot.exact, np.isfinite(plot.probabilities)
    entries = []
    if exact.any():
        entries.append((f'<circle cx="{x:g}" cy="{{y:g}}" r="5.5" fill="{BLUE}"/>', "exact (pixels permuted)"))
    if not exact.all():
        entries.append((f'<circle cx="{x:g}" cy="{{y:g}}" r="2.6" fill="{BLUE}"/>', "resampled"))
    if plot.searched.any():
        hollow = f'<circle cx="{x:g}" cy="{{y:g}}" r="2.6" fill="#ffffff" stroke="{BLUE}"/>'
        entries.append((hollow, "tried by the search"))
    if any(reflected):
        entries.append((f'<rect x="{x - 5:g}" y="{{top:g}}" width="10" height="10" fill="{BLUE}"/>', "mirrored first"))
    if (~plot.agrees & finite).any():
        entries.append((f'<circle cx="{x:g}" cy="{{y:g}}" r="5.5" fill="{VERMILLION}"/>', plot.other_answer))
    if not finite.all():
        entries.append((f'<circle cx="{x:g}" cy="{{y:g}}" r="5.5" fill="{VERMILLION}"/>', "not finite (at the centre)"))
    if plot.band is not None:
        entries.append((f'<rect x="{x - 7:g}" y="{{top:g}}" width="14" height="10" fill="{BAND}"/>', BAND_WORDS))
    if plot.worst is not None:
        ring = f'<circle cx="{x:g}" cy="{{y:g}}" r="7" fill="none" stroke="{VERMILLION}" stroke-width="2"/>'
        entries.append((ring, "furthest off"))
    for index, (sign, words) in enumerate(entries):
        at = y + 24 * index
        parts.append(sign.format(y=at, top=at - 5))
        parts.append(text(x + 18, at + 4, words, fill=INK))
    return parts
