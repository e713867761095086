"""The profile of an orbit: its values in ascending order, so that every group has a curve, and a mean its band."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from equiserve.checks.plots.canvas import BAND, BAND_WORDS, BLUE, FAINT, GRID, INK, MARGIN, text
from equiserve.checks.plots.plot import NeroPlot

_LEFT, _LENGTH, _TOP, _DEPTH = MARGIN + 58, 440, 34, 150
_HEIGHT = _TOP + _DEPTH + 52
_MOST_STEPS = 64


def draw_profile(plot: NeroPlot) -> tuple[list[str], float]:
    """Return the profile's elements and its height; an output that is not finite counts as probability 0."""
    values = np.nan_to_num(plot.probabilities)
    # The limits of neighbours in rank differ by chance; averaged they can be read.
    groups = np.array_split(np.argsort(values, kind="stable"), min(_MOST_STEPS, max(len(values), 1)))
    averaged = f", averaged over every {len(groups[0])}" if len(groups) < len(values) else ""
    parts = [text(_LEFT, 16, f"the same values in ascending order{averaged}", fill=FAINT)]
    for share in (0, 0.25, 0.5, 0.75, 1):
        x, y = _LEFT + _LENGTH * share, _TOP + _DEPTH * (1 - share)
        parts.append(f'<path d="M{_LEFT} {y:g}h{_LENGTH}" stroke="{GRID}"/>')
        parts.append(text(_LEFT - 9, y + 4, f"{share:g}", fill=FAINT, anchor="end"))
        parts.append(text(x, _TOP + _DEPTH + 18, f"{100 * share:g}", fill=FAINT, anchor="middle"))
    if plot.band is not None:
        low, high = (_points(limit, groups) for limit in plot.band)
        parts.append(f'<path d="M{"L".join([*high, *reversed(low)])}Z" fill="{BAND}"/>')
    if len(values):
        line = "L".join(_points(values, groups))
        parts.append(f'<path d="M{line}" fill="none" stroke="{BLUE}" stroke-width="2"/>')
    parts.append(
        text(_LEFT + _LENGTH / 2, _TOP + _DEPTH + 38, "share of the elements, weakest first (%)", anchor="middle")
    )
    middle = _TOP + _DEPTH / 2
    turned = f'transform="rotate(-90 {MARGIN + 12} {middle:g})"'
    name = plot.quantity.partition(" of ")[0]
    parts.append(text(MARGIN + 12, middle, name, anchor="middle", extra=turned))
    x, y = _LEFT + _LENGTH + 26, _TOP + 12
    name = f"mean of {plot.inputs} inputs" if plot.inputs > 1 else plot.quantity
    parts += [f'<path d="M{x} {y}h16" stroke="{BLUE}" stroke-width="2"/>', text(x + 24, y + 4, name, fill=INK)]
    if plot.band is not None:
        parts.append(f'<rect x="{x}" y="{y + 19}" width="16" height="10" fill="{BAND}"/>')
        parts.append(text(x + 24, y + 28, BAND_WORDS, fill=INK))
    return parts, _HEIGHT


def _points(values: np.ndarray, groups: Sequence[np.ndarray]) -> list[str]:
    """Return a step for each group of members, at the mean of their values."""
    step = _LENGTH / len(groups)
    levels = [_TOP + _DEPTH * (1 - float(values[group].mean())) for group in groups]
    return [f"{_LEFT + step * place:.1f} {level:.1f}" for k, level in enumerate(levels) for place in (k, k + 1)]
