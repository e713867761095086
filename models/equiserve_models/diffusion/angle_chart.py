"""Requested against achieved angle as a picture, from the figures of the part ``rotation``."""

from __future__ import annotations

from typing import Any

from equiserve_models.line_chart import COLOURS, Axis, Line, line_chart

# The best first: their lines coincide, and what is drawn later covers what was drawn before.
_WAYS = {
    "exact": COLOURS["grey"],
    "conditioned": COLOURS["blue"],
    "drift_x0": COLOURS["green"],
    "drift": COLOURS["purple"],
    "drift, the paper's sampler": COLOURS["vermillion"],
}
_QUARTERS = (-180, -90, 0, 90, 180)


def angle_chart(rotation: dict[str, Any]) -> str:
    """Return SVG: the median achieved angle over the requested one, a line a way of turning.

    Args:
        rotation: `metrics["rotation"]` of a denoiser's manifest.
    """
    lines = [
        Line(name, colour, [(float(asked), found["achieved"]) for asked, found in rotation[name]["by_angle"].items()])
        for name, colour in _WAYS.items()
        if name in rotation
    ]
    return line_chart(
        Axis("requested angle, degrees", -180, 180, _QUARTERS),
        Axis("achieved angle, degrees (median)", -180, 180, _QUARTERS),
        lines,
        height=460,
        margin=190,
    )
