"""NERO plots (Zhao et al. 2023, arXiv 2305.19889) as self-contained SVG: what the model says over the orbit.

Everything is drawn from a report's JSON values, so that a report from another process, or of last year, can be drawn.
"""

from __future__ import annotations

from collections.abc import Mapping

from equiserve.checks.plots.bars import draw_bars
from equiserve.checks.plots.canvas import MARGIN, STATUS, document, shorten, text
from equiserve.checks.plots.curves import Curves
from equiserve.checks.plots.disc import draw_discs
from equiserve.checks.plots.elements import kind_of
from equiserve.checks.plots.heat_map import draw_heat_map
from equiserve.checks.plots.plot import NeroPlot, Sheet
from equiserve.checks.plots.polar import draw_polar
from equiserve.checks.plots.profile import draw_profile
from equiserve.checks.plots.tiles import draw_tiles

__all__ = ["MOST_BARS", "Curves", "NeroPlot", "Sheet", "draw", "draw_pair"]

#: More bars, or tiles, than this are no longer read one by one.
MOST_BARS = 16
_MOST_TILES = 32


def draw(plot: NeroPlot) -> str:
    """Return the plot that suits the elements.

    Shifts: a heat map. Rotations of a picture: bars if they are few and exact, else a polar plot. Rotations of space:
    discs. Any other few elements: tiles; many: the profile. Where the plot has no room for the band of a mean, the
    profile with the band follows below.
    """
    parts, height = _drawn(plot)
    kind = kind_of(plot.elements)
    if plot.band is not None and kind in ("shift", "rotation3d", "other"):
        below, more = draw_profile(plot)
        parts, height = [*parts, f'<g transform="translate(0 {height:g})">', *below, "</g>"], height + more
    return document(plot.sheet, parts, height)


def draw_pair(sheet: Sheet, plots: Mapping[str, NeroPlot]) -> str:
    """Return plots over the same elements above one another, each under its name."""
    parts: list[str] = []
    height = 0.0
    for name, plot in plots.items():
        body, tall = _drawn(plot)
        heading = text(MARGIN, 16, f"{shorten(name, 60)}: {STATUS[plot.sheet.status][1].lower()}", size=14)
        parts += [f'<g transform="translate(0 {height:g})">', heading, '<g transform="translate(0 30)">', *body]
        parts.append("</g></g>")
        height += tall + 54
    return document(sheet, parts, height)


def _drawn(plot: NeroPlot) -> tuple[list[str], float]:
    kind, count = kind_of(plot.elements), len(plot.elements)
    if kind == "shift":
        return draw_heat_map(plot)
    if kind == "rotation":
        return draw_bars(plot) if count <= MOST_BARS and plot.exact.all() else draw_polar(plot)
    if kind == "rotation3d":
        return draw_discs(plot)
    if count <= _MOST_TILES:
        return draw_tiles(plot)
    return draw_profile(plot) if plot.band is None else ([], 0.0)
