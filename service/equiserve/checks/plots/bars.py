"""A few exact elements: one bar each, with the element and the answer in words."""

from __future__ import annotations

import numpy as np

from equiserve.checks.plots.canvas import BAND_WORDS, BLUE, FAINT, GRID, INK, MARGIN, VERMILLION, shorten, text
from equiserve.checks.plots.elements import words
from equiserve.checks.plots.plot import NeroPlot

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
        parts.append(text(_LEFT - 12, y + 19, shorten(words(element, plot.parameters), 26), anchor="end"))
        hue = BLUE if plot.agrees[k] else VERMILLION
        probability, answer = plot.probabilities[k], plot.answers[k]
        if np.isfinite(probability):
            length = max(_LENGTH * float(probability), 1.0)
            parts.append(f'<rect x="{_LEFT}" y="{y + 6:g}" width="{length:.1f}" height="18" fill="{hue}"/>')
            beside = length
            if plot.band is not None:
                low, high = (_LEFT + _LENGTH * float(limit[k]) for limit in plot.band)
                whisker = f"M{low:.1f} {y + 11:g}v8m0 -4H{high:.1f}m0 -4v8"
                parts.append(f'<path d="{whisker}" fill="none" stroke="{INK}" stroke-width="1.5"/>')
                beside = max(length, high - _LEFT)
            parts.append(text(_LEFT + beside + 6, y + 19, f"{probability:.3f}", size=11, fill=FAINT))
        answered = "output not finite" if answer is None else shorten(answer, 24)
        parts.append(text(_ANSWERS, y + 19, answered, fill=hue))
    parts.append(text(_LEFT + _LENGTH / 2, below + 38, plot.quantity, anchor="middle"))
    entries: list[tuple[str, str]] = []
    if not plot.agrees.all():
        entries += [(BLUE, plot.words.agrees), (VERMILLION, plot.other_answer)]
    if plot.band is not None:
        entries.append((INK, BAND_WORDS))
    x, y = float(_LEFT), below + 62
    for hue, meaning in entries:
        tall = 2 if hue == INK else 12
        parts.append(f'<rect x="{x:g}" y="{y - 4 - tall / 2:g}" width="12" height="{tall}" fill="{hue}"/>')
        parts.append(text(x + 18, y, meaning))
        x += 36 + 6.6 * len(meaning)
    return parts, below + (72 if entries else 46)
