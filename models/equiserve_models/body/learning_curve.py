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
from equiserve_models.line_chart import COLOURS, Axis, Level, Line, line_chart

EVERY_MINUTES = 10.0
CLOUDS = 24
FILE_NAME = "curve.json"
_SETS = {
    "in_distribution": ("in distribution", COLOURS["blue"]),
    "out_of_distribution": ("out of distribution", COLOURS["vermillion"]),
    "joint_limits": ("joint limits", COLOURS["green"]),
}


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
    lines = [
        Line(title, colour, [(point["scans"], point[name]) for point in points if name in point and point["scans"] > 0])
        for name, (title, colour) in _SETS.items()
    ]
    return line_chart(
        _logarithmic("training scans", min(scans), max(*scans, 2 * min(scans)), ",.0f"),
        _logarithmic("V2V mean, mm", min(*errors, *BAR_MM), max(*errors, *BAR_MM), ".0f"),
        [line for line in lines if line.points],
        [
            Level(f"bar {title}: {bar:.0f} mm", colour, bar)
            for (title, colour), bar in zip(_SETS.values(), BAR_MM, strict=False)
        ],
    )


def joined(before: list[dict[str, float]], after: list[dict[str, float]]) -> list[dict[str, float]]:
    """Return the curve of a run and of one that went on from its weights, scans and seconds counted through."""
    last = before[-1]
    added = [{**p, "scans": last["scans"] + p["scans"], "seconds": last["seconds"] + p["seconds"]} for p in after]
    return before + added


def _logarithmic(title: str, low: float, high: float, form: str) -> Axis:
    """Return an axis with room at both ends."""
    low, high = low / 1.2, high * 1.2
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    steps = (1, 1.5, 2, 3, 5, 7) if high < 10 * low else (1, 2, 5)
    return Axis(title, low, high, [step * 10.0**decade for decade in decades for step in steps], True, form)


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
