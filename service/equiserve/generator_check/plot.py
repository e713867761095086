"""Two polar plots over the angle that was asked for: by how much it was missed, and EQ-R."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from equiserve.checks.plots.canvas import BLUE, FAINT, GRID, VERMILLION, WIDTH, document, text
from equiserve.checks.plots.plot import Sheet

_RADIUS = 128
_TOP = 176
_HEIGHT = 376
_LEAST_SCALE_DEG = 10.0
_LEAST_SCALE_DB = 40.0


def draw_angles(report: Mapping[str, Any]) -> str:
    """Return the plots of a report as a self-contained SVG document; a report without elements has empty ones."""
    columns = report["elements"] or {"element": [], "exact": [], "angle_error_deg": [], "eqr_db": []}
    angles = [float(element["angle_deg"]) for element in columns["element"]]
    missed = [abs(float(error)) for error in columns["angle_error_deg"]]
    decibel = [float(value) for value in columns["eqr_db"]]
    body: list[str] = []
    for centre, values, least, unit, words in (
        (WIDTH * 0.25, missed, _LEAST_SCALE_DEG, "°", "angle missed by (degrees): near the centre is good"),
        (WIDTH * 0.75, decibel, _LEAST_SCALE_DB, " dB", "EQ-R in the inscribed disc (dB): near the rim is good"),
    ):
        finite = [value for value in values if value < 100.0]
        scale = _round_up(max([least, *finite]))
        body += _grid(centre, scale, unit)
        body += _marks(centre, angles, [min(value, scale) for value in values], scale, columns["exact"])
        body.append(text(centre, _TOP + _RADIUS + 44, words, anchor="middle", fill=FAINT))
    legend = "angle asked for: 0° up, counter-clockwise; large marks: exact turns (pixels permuted)"
    body.append(text(WIDTH / 2, _HEIGHT - 6, legend, anchor="middle", fill=FAINT))
    return document(Sheet.of(report), body, _HEIGHT)


def _place(centre: float, angle_deg: float, share: float) -> tuple[float, float]:
    angle = math.radians(angle_deg)
    return centre - _RADIUS * share * math.sin(angle), _TOP - _RADIUS * share * math.cos(angle)


def _grid(centre: float, scale: float, unit: str) -> list[str]:
    parts = []
    for angle in range(0, 360, 45):
        x, y = _place(centre, angle, 1)
        parts.append(f'<path d="M{centre:g} {_TOP}L{x:.1f} {y:.1f}" stroke="{GRID}"/>')
        x, y = _place(centre, angle, 1 + 16 / _RADIUS)
        side = math.sin(math.radians(angle))
        anchor = "middle" if abs(side) < 0.1 else "end" if side > 0 else "start"
        parts.append(text(x, y + 4, f"{angle}°", fill=FAINT, anchor=anchor, size=11))
    for share in (0.25, 0.5, 0.75, 1.0):
        parts.append(f'<circle cx="{centre:g}" cy="{_TOP}" r="{_RADIUS * share:g}" fill="none" stroke="{GRID}"/>')
        x, y = _place(centre, -22.5, share)
        parts.append(text(x + 3, y - 3, f"{scale * share:g}{unit}", size=11, fill=FAINT))
    return parts


def _marks(
    centre: float, angles: Sequence[float], values: Sequence[float], scale: float, exact: Sequence[bool]
) -> list[str]:
    around = sorted(range(len(angles)), key=lambda k: angles[k])
    points = [_place(centre, angles[k], values[k] / scale) for k in around]
    path = "".join(f"{'L' if k else 'M'}{x:.1f} {y:.1f}" for k, (x, y) in enumerate(points))
    parts = [f'<path d="{path}Z" fill="none" stroke="{BLUE}" stroke-width="1.5"/>'] if len(points) > 2 else []
    for k, (x, y) in zip(around, points, strict=True):
        size, fill = (5.0, VERMILLION) if exact[k] else (2.6, BLUE)
        parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{size:g}" fill="{fill}"/>')
    return parts


def _round_up(value: float) -> float:
    """Return the next multiple of 10, so that the rings have round numbers."""
    return 10.0 * math.ceil(value / 10.0)
