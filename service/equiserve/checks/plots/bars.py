"""A few exact elements: one bar each, with the element and the answer in words."""

from __future__ import annotations

import numpy as np

from equiserve.checks.plots.canvas import BLUE, FAINT, GRID, MARGIN, VERMILLION, shorten, text
from equiserve.checks.plots.plot import NeroPlot
from equiserve.symmetry import Rotation

_LEFT, _LENGTH, _ROW = MARGIN + 170, 300, 30
_ANSWERS = _LEFT + _LENGTH + 60


def draw_bars(plot: NeroPlot) -> tuple[list[str], float]:
    """Return the bars' elements and their height."""
    top = 24
    below = top + _ROW * len(plot.elements)
    parts = [text(_LEFT - 12, 14, "element", fill=FAINT, anchor="end"), text(_ANSWERS, 14, "answer", fill=FAINT)]
    for share in (0, 0.25, 0.5, 0.75, 1):
        x = _LEFT + _LENGTH * share
        parts.append(f'<path d="M{x:g} {top}V{below:g}" stroke="{GRID}"/>')
        parts.append(text(x, below + 18, f"{share:g}", fill=FAINT, anchor="middle"))
    for k, element in enumerate(plot.elements):
        y = top + _ROW * k
        assert isinstance(element, Rotation)
        parts.append(text(_LEFT - 12, y + 19, "as it came" if k == 0 else _words(element), anchor="end"))
        hue = BLUE if plot.agrees[k] else VERMILLION
        probability, answer = plot.probabilities[k], plot.answers[k]
        if np.isfinite(probability):
            length = max(_LENGTH * float(probability), 1.0)
            parts.append(f'<rect x="{_LEFT}" y="{y + 6:g}" width="{length:.1f}" height="18" fill="{hue}"/>')
            parts.append(text(_LEFT + length + 6, y + 19, f"{probability:.3f}", size=11, fill=FAINT))
        words = "output not finite" if answer is None else shorten(answer, 24)
        parts.append(text(_ANSWERS, y + 19, words, fill=hue))
    parts.append(text(_LEFT + _LENGTH / 2, below + 38, plot.quantity, anchor="middle"))
    if plot.agrees.all():
        return parts, below + 46
    y = below + 62
    for x, hue, words in ((_LEFT, BLUE, "the reference's answer"), (_LEFT + 180, VERMILLION, "another answer")):
        parts.append(f'<rect x="{x}" y="{y - 10:g}" width="12" height="12" fill="{hue}"/>')
        parts.append(text(x + 18, y, words))
    return parts, below + 72


def _words(element: Rotation) -> str:
    turn = f"turned by {element.angle_deg:g}°"
    if not element.reflected:
        return turn
    return "mirrored" if element.angle_deg == 0 else f"mirrored, {turn}"
