"""NERO plots (Zhao et al. 2023, arXiv 2305.19889) as self-contained SVG: what the model says over the orbit."""

from __future__ import annotations

from equiserve.checks.plots.bars import draw_bars
from equiserve.checks.plots.canvas import document
from equiserve.checks.plots.heat_map import draw_heat_map
from equiserve.checks.plots.plot import NeroPlot
from equiserve.checks.plots.polar import draw_polar
from equiserve.symmetry import CropShift, CyclicShift

__all__ = ["NeroPlot", "draw"]

# More bars than this are no longer read one by one.
_MOST_BARS = 16


def draw(plot: NeroPlot) -> str:
    """Return the plot that suits the group: a heat map for shifts, bars for few exact elements, else a polar plot."""
    if isinstance(plot.group, CyclicShift | CropShift):
        return document(plot, *draw_heat_map(plot))
    if 0 < len(plot.elements) <= _MOST_BARS and plot.exact.all():
        return document(plot, *draw_bars(plot))
    return document(plot, *draw_polar(plot))
