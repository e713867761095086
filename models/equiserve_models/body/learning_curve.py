"""The learning curve of a body fitter: ``python -m equiserve_models.body.learning_curve articulated-body`` draws it.

`equiserve_models.train` adds a point every `EVERY_MINUTES`; the file lies beside the checkpoint.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from pathlib import Path

import numpy as np
from torch import nn

from equiserve.errors import EquiServeError, NotFound
from equiserve.numerics.body_model import bundled_body
from equiserve_models.body.card import BAR_MM
from equiserve_models.body.evaluation import fit_errors, make_cloud, resampled, summary
from equiserve_models.body.export import torch_fitter
from equiserve_models.body.network import FitNetwork
from equiserve_models.body.poses import joint_limit_poses, motion_poses
from equiserve_models.body.recipes import motion_file

EVERY_MINUTES = 10.0
CLOUDS = 24
FILE_NAME = "curve.json"
# Colours that the colour-blind tell apart (Okabe & Ito), by set.
_SETS = {
    "in_distribution": ("in distribution", "#0072B2"),
    "out_of_distribution": ("out of distribution", "#D55E00"),
    "joint_limits": ("joint limits", "#009E73"),
}
_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 640, 380, 64, 150, 24, 52
_LINE = 15


def add_point(folder: Path, network: nn.Module, scans: int, seconds: float) -> dict[str, float]:
    """Measure a network on a few clouds, the same each time, and append the figures to the run's curve.

    Args:
        folder: Run folder.
        network: The moving average, a `FitNetwork`.
        scans: That it was trained on.
        seconds: Wall-clock time of the training.

    Returns:
        V2V mean by set, mm.
    """
    assert isinstance(network, FitNetwork)
    body, config = bundled_body(), network.config
    sets = {"joint_limits": joint_limit_poses(CLOUDS, np.random.default_rng(2))}
    if motion_file().is_file():
        sets["in_distribution"] = motion_poses(motion_file(), "id_test")
        sets["out_of_distribution"] = motion_poses(motion_file(), "ood_test")
    means: dict[str, float] = {}
    for name, poses in sets.items():
        rng = np.random.default_rng(3)
        chosen = poses[rng.integers(len(poses), size=CLOUDS)]
        clouds = (resampled(make_cloud(body, pose, rng), config.samples, config.labelled, rng) for pose in chosen)
        means[name] = round(
            summary([fit_errors(torch_fitter(network), cloud, body) for cloud in clouds])["v2v_mean_mm"], 1
        )
    path = folder / FILE_NAME
    points = json.loads(path.read_text()) if path.is_file() else []
    points.append({"scans": scans, "seconds": round(seconds), **means})
    path.write_text(json.dumps(points, indent=1) + "\n")
    return means


def drawing(points: list[dict[str, float]]) -> str:
    """Return the curve as SVG: V2V mean over scans, both on logarithmic axes, with the bars of the project."""
    scans = [point["scans"] for point in points if point["scans"] > 0]
    errors = [point[name] for point in points for name in _SETS if name in point]
    low_x, high_x = math.log10(min(scans) / 1.2), math.log10(max(*scans, 2 * min(scans)) * 1.2)
    low_y, high_y = math.log10(min(*errors, *BAR_MM) / 1.2), math.log10(max(*errors, *BAR_MM) * 1.2)

    def x_of(value: float) -> float:
        return _LEFT + (math.log10(value) - low_x) / (high_x - low_x) * (_WIDTH - _LEFT - _RIGHT)

    def y_of(value: float) -> float:
        return _TOP + (high_y - math.log10(value)) / (high_y - low_y) * (_HEIGHT - _TOP - _BOTTOM)

    right, bottom = _WIDTH - _RIGHT, _HEIGHT - _BOTTOM
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif" '
        'font-size="13" fill="#222">',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>',
        f'<path d="M{_LEFT} {_TOP}V{bottom}H{right}" fill="none" stroke="#222"/>',
        f'<text x="{(_LEFT + right) / 2}" y="{_HEIGHT - 10}" text-anchor="middle">training scans</text>',
        f'<text x="16" y="{(_TOP + bottom) / 2}" text-anchor="middle" '
        f'transform="rotate(-90 16 {(_TOP + bottom) / 2})">V2V mean, mm</text>',
    ]
    for value in _ticks(low_x, high_x):
        parts.append(f'<path d="M{x_of(value):.1f} {bottom}v5" stroke="#222"/>')
        parts.append(f'<text x="{x_of(value):.1f}" y="{bottom + 19}" text-anchor="middle">{value:,.0f}</text>')
    for value in _ticks(low_y, high_y):
        parts.append(f'<path d="M{_LEFT} {y_of(value):.1f}h-5" stroke="#222"/>')
        parts.append(f'<text x="{_LEFT - 9}" y="{y_of(value) + 4:.1f}" text-anchor="end">{value:.0f}</text>')
    for (title, colour), bar in zip(_SETS.values(), (*BAR_MM, None), strict=True):
        if bar is not None:
            line = f'stroke="{colour}" stroke-dasharray="5 4"'
            parts.append(f'<path d="M{_LEFT} {y_of(bar):.1f}H{right}" {line}/>')
            named = f"bar {title}: {bar:.0f} mm"
            parts.append(f'<text x="{right}" y="{y_of(bar) - 5:.1f}" text-anchor="end" fill="{colour}">{named}</text>')
    ends: list[tuple[float, float, str, str]] = []
    for name, (title, colour) in _SETS.items():
        seen = [(point["scans"], point[name]) for point in points if name in point and point["scans"] > 0]
        if not seen:
            continue
        path = "L".join(f"{x_of(x):.1f} {y_of(y):.1f}" for x, y in seen)
        parts.append(f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x_of(x):.1f}" cy="{y_of(y):.1f}" r="3" fill="{colour}"/>' for x, y in seen]
        ends.append((y_of(seen[-1][1]) + 4, x_of(seen[-1][0]) + 8, title, colour))
    free = -math.inf
    for y, x, title, colour in sorted(ends):
        free = max(y, free + _LINE)
        parts.append(f'<text x="{x:.1f}" y="{free:.1f}" fill="{colour}">{title}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def joined(before: list[dict[str, float]], after: list[dict[str, float]]) -> list[dict[str, float]]:
    """Return the curve of a run and of one that went on from its weights, scans and seconds counted through."""
    last = before[-1]
    added = [{**p, "scans": last["scans"] + p["scans"], "seconds": last["seconds"] + p["seconds"]} for p in after]
    return before + added


def _ticks(low: float, high: float) -> list[float]:
    decades = range(math.floor(low), math.ceil(high) + 1)
    steps = (1, 1.5, 2, 3, 5, 7) if high - low < 1 else (1, 2, 5)
    return [step * 10.0**decade for decade in decades for step in steps if low <= math.log10(step) + decade <= high]


def main(arguments: list[str] | None = None) -> None:
    """Draw the curve of a run."""
    parser = argparse.ArgumentParser(prog="python -m equiserve_models.body.learning_curve", description=__doc__)
    parser.add_argument("recipe")
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--after", type=Path, help="run folder whose weights this run went on from")
    parser.add_argument("--out", type=Path, default=Path("docs/pictures/body-learning.svg"))
    options = parser.parse_args(arguments)
    path = options.runs / options.recipe / FILE_NAME
    if not path.is_file():
        raise NotFound(f"no curve at {path}: train the recipe first")
    points = json.loads(path.read_text())
    if options.after is not None:
        points = joined(json.loads((options.after / FILE_NAME).read_text()), points)
    options.out.write_text(drawing(points))
    print(json.dumps(points))


if __name__ == "__main__":
    try:
        main()
    except EquiServeError as error:
        sys.exit(error.message)
