"""Any small finite group: a tile for each element, its colour the probability of the reference class."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from equiserve.checks.plots.canvas import (
    FAINT,
    GREY,
    INK,
    MARGIN,
    VERMILLION,
    colour,
    colour_bar,
    shorten,
    text,
)
from equiserve.checks.plots.elements import ElementJson, words
from equiserve.checks.plots.plot import NeroPlot

_ACROSS = 560
_GAP = 12
# Above this value viridis is light, and dark ink is read better than white.
_LIGHT = 0.55


def draw_tiles(plot: NeroPlot) -> tuple[list[str], float]:
    """Return the tiles' elements and their height.

    Time-reversed elements stand in the outer columns, beside their partners, as Zhao et al. lay out D4 x time.
    """
    count = len(plot.elements)
    if not count:
        return [text(MARGIN, 20, "nothing was checked", fill=FAINT)], 40
    order = _layout(plot.elements)
    columns = 4 if count <= 16 else 8
    side = (_ACROSS - _GAP * (columns - 1)) / columns
    lines = 2 if columns == 4 else 3
    pitch = side + _GAP + 15 * lines
    parts = []
    for place, k in enumerate(order):
        x, y = MARGIN + (side + _GAP) * (place % columns), pitch * (place // columns)
        value = plot.probabilities[k]
        fill = colour(float(value)) if np.isfinite(value) else VERMILLION
        parts.append(f'<rect x="{x:g}" y="{y:g}" width="{side:g}" height="{side:g}" fill="{fill}"/>')
        ink = INK if np.isfinite(value) and value > _LIGHT else "#ffffff"
        shown = f"{value:.3f}" if np.isfinite(value) else "not finite"
        parts.append(text(x + side / 2, y + side / 2 + 4, shown, fill=ink, anchor="middle"))
        if columns == 4:
            answer = shorten(plot.answers[k] or "", 17)
            parts.append(text(x + side / 2, y + side / 2 + 22, answer, size=11, fill=ink, anchor="middle"))
        if not plot.agrees[k] and np.isfinite(value):
            parts.append(f'<path d="M{x + 7:g} {y + 7:g}l9 9m0 -9l-9 9" stroke="{ink}" stroke-width="2"/>')
        if k == plot.worst:
            parts.append(
                f'<rect x="{x - 3:g}" y="{y - 3:g}" width="{side + 6:g}" height="{side + 6:g}" fill="none" '
                f'stroke="{VERMILLION}" stroke-width="3"/>'
            )
        name = textwrap.wrap(words(plot.elements[k], plot.parameters), int(side / 5.6))
        for index, line in enumerate(name[:lines]):
            cut = f"{line[:-1]}…" if index == lines - 1 and len(name) > lines else line
            parts.append(text(x, y + side + 14 + 13 * index, cut, size=11, fill=INK))
    height = pitch * -(-count // columns)
    right = MARGIN + _ACROSS + 26
    parts += colour_bar(right, 0, min(height - 40, 260), plot.quantity)
    parts += _legend(plot, MARGIN, height + 14)
    return parts, height + 34


def _legend(plot: NeroPlot, x: float, y: float) -> list[str]:
    parts = []
    if plot.worst is not None:
        box = f'<rect x="{x:g}" y="{y - 11:g}" width="12" height="12" fill="none" stroke="{VERMILLION}"'
        parts += [f'{box} stroke-width="2.5"/>', text(x + 20, y, "furthest off")]
        x += 130
    if (~plot.agrees & np.isfinite(plot.probabilities)).any():
        parts.append(f'<rect x="{x:g}" y="{y - 12:g}" width="15" height="15" fill="{GREY}"/>')
        parts.append(f'<path d="M{x + 3:g} {y - 9:g}l9 9m0 -9l-9 9" stroke="{INK}" stroke-width="2"/>')
        parts.append(text(x + 22, y, plot.other_answer))
    return parts


def _layout(elements: Sequence[ElementJson]) -> list[int]:
    """Return the elements row by row; pairs that time tells apart stand beside each other."""
    reversed_in_time = [_reversal(element) for element in elements]
    forward = [k for k, backward in enumerate(reversed_in_time) if not backward]
    partners = [k for k, backward in enumerate(reversed_in_time) if backward]
    if len(forward) != len(partners) or len(elements) > 16 or len(elements) % 4:
        return list(range(len(elements)))
    rows = zip(partners[::2], forward[::2], forward[1::2], partners[1::2], strict=True)
    return [k for row in rows for k in row]


def _reversal(value: Any) -> bool:
    """Return whether an element, or a factor of it, turns time round."""
    if isinstance(value, Mapping):
        return any((inner is True and "revers" in key) or _reversal(inner) for key, inner in value.items())
    return isinstance(value, list | tuple) and any(map(_reversal, value))
