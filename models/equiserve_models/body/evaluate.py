"""Evaluate a body fitter: ``python -m equiserve_models.body.evaluate articulated-body``.

Measures the ONNX file through ONNX Runtime on clouds drawn anew, notes the figures in ``model.yaml`` and writes
``CARD.md``. ``--checkpoint`` measures the moving average of a run instead, and writes nothing but the figures.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equiserve.artifact import Symmetry, read_manifest, write_manifest
from equiserve.errors import NotFound
from equiserve.numerics.body_model import bundled_body
from equiserve_models.body import icosahedron
from equiserve_models.body.card import write_card
from equiserve_models.body.evaluation import (
    Cloud,
    Fit,
    OrbitErrors,
    confidence_rates,
    fit_errors,
    make_cloud,
    orbit_errors,
    random_rotation,
    resampled,
    summary,
)
from equiserve_models.body.export import Fitter, onnx_fitter, torch_fitter
from equiserve_models.body.network import CONFIGS
from equiserve_models.body.poses import joint_limit_poses, motion_poses
from equiserve_models.body.recipes import RECIPES, motion_file
from equiserve_models.export import ZOO
from equiserve_models.training import checkpoint
from equiserve_models.training.process import run_command
from equiserve_models.zoo import rounded

# Angles to the nearest of the sixty rotations, degrees; none is farther than 44.5.
ANGLE_BINS = (0, 10, 20, 30, 45)
BUMPS_M = 0.015
RANDOM_TURNS = 8
ORBIT_CLOUDS = 12
GROUP_CLOUDS = 3
# Share by which one cloud's mean error may exceed that of all; largest relative error that counts as exact in float32.
TOLERANCE = 1.0
EXACT = 5e-5


def evaluate(
    fitter: Fitter, samples: int, labelled: int, clouds: int, seed: int = 0, *, upright: bool = False
) -> dict[str, Any]:
    """Return every figure of the card.

    Args:
        fitter: The network.
        samples: Points of a cloud that it was trained on.
        labelled: Points that are in farthest-point order.
        clouds: Clouds of a set.
        seed: Of the random choices.
        upright: Whether people stand upright; otherwise every cloud is in a random orientation.
    """
    body = bundled_body()
    sets: dict[str, tuple[NDArray[np.float32], dict[str, Any]]] = {}
    if motion_file().is_file():
        everyday = motion_poses(motion_file(), "id_test")
        sets["in_distribution"] = (everyday, {})
        sets["out_of_distribution"] = (motion_poses(motion_file(), "ood_test"), {})
    else:
        everyday = joint_limit_poses(clouds, np.random.default_rng(seed + 1))
    sets["joint_limits"] = (joint_limit_poses(clouds, np.random.default_rng(seed + 2)), {})
    sets["outside_the_shape_space"] = (everyday, {"bumps_m": BUMPS_M})
    sets["one_sided_5_percent_outliers"] = (everyday, {"one_sided": True, "outliers": 0.05})
    figures: dict[str, Any] = {}
    kept: list[Cloud] = []
    for number, (name, (poses, options)) in enumerate(sets.items()):
        rng = np.random.default_rng([seed, number])
        fits: list[Fit] = []
        for pose in poses[rng.integers(len(poses), size=clouds)]:
            cloud = resampled(make_cloud(body, pose, rng, turned=not upright, **options), samples, labelled, rng)
            fits.append(fit_errors(fitter, cloud, body))
            if number == 0 and len(kept) < ORBIT_CLOUDS:
                kept.append(cloud)
        figures[name] = summary(fits) | confidence_rates(fits)
    rng = np.random.default_rng(seed)
    turned = orbit_errors(fitter, kept, np.stack([random_rotation(rng) for _ in range(RANDOM_TURNS)]))
    figures["random_rotations"] = {
        "elements": RANDOM_TURNS,
        "inputs": len(kept),
        "relative_error": max(float(errors.mean()) for errors in turned.relative.values()),
        "by_angle": _curve(turned),
    }
    grouped = orbit_errors(fitter, kept[:GROUP_CLOUDS], icosahedron.rotations())
    figures["sixty_rotations"] = {
        "inputs": GROUP_CLOUDS,
        "relative_error": max(float(errors.max()) for errors in grouped.relative.values()),
        "rotation_deg": float(grouped.rotation_deg.max()),
    }
    started = time.process_time()
    for cloud in kept:
        fitter(cloud.points[None].astype(np.float32))
    figures["cpu_ms"] = (time.process_time() - started) / len(kept) * 1e3
    return figures


def _curve(turned: OrbitErrors) -> dict[str, float]:
    curve = {}
    for low, high in itertools.pairwise(ANGLE_BINS):
        inside = (turned.away_deg >= low) & (turned.away_deg < high)
        if inside.any():
            curve[f"{low} to {high} deg"] = float(turned.rotation_deg[inside].mean())
    return curve


def measured_symmetries(metrics: dict[str, Any], digest: str) -> list[Symmetry]:
    """Return what a check is to hold the file to: its mean error under random rotations, and the sixty.

    Args:
        metrics: Of `evaluate`.
        digest: Of the file that was measured.
    """
    some, sixty = metrics["random_rotations"], metrics["sixty_rotations"]
    return [
        Symmetry(
            group="SE3", level="approximate", source="measured", metric="relative_error", tolerance=TOLERANCE,
            value=some["relative_error"], elements=some["elements"], inputs=some["inputs"], file_digest=digest,
            note="mean over random rotations, of the output that it is largest for; every translation is exact",
        ),
        Symmetry(
            group="Icosahedral", level="exact" if sixty["relative_error"] <= EXACT else "approximate",
            source="measured", metric="relative_error", value=sixty["relative_error"],
            elements=icosahedron.ROTATIONS, inputs=sixty["inputs"], file_digest=digest,
            note="largest error, float32; where a neighbour changes at a tie of distances, more",
        ),
    ]  # fmt: skip


def main(arguments: list[str] | None = None) -> None:
    """Evaluate one version of a model, or the checkpoint of a run."""
    parser = argparse.ArgumentParser(prog="python -m equiserve_models.body.evaluate", description=__doc__)
    parser.add_argument("model", choices=sorted(RECIPES))
    parser.add_argument("--clouds", type=int, default=300, help="clouds of a set")
    parser.add_argument("--checkpoint", action="store_true", help="measure the run's checkpoint, write no card")
    parser.add_argument("--upright", action="store_true", help="of people who stand upright; with --checkpoint")
    parser.add_argument("--version", type=int, default=1)
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--zoo", type=Path, default=ZOO)
    options = parser.parse_args(arguments)
    if options.upright and not options.checkpoint:
        parser.error("--upright: a card is of random orientations, expected --checkpoint beside it")
    config = CONFIGS[RECIPES[options.model].network]
    if options.checkpoint:
        state = checkpoint.load(options.runs / options.model)
        if state is None:
            raise NotFound(f"{options.runs / options.model} has no checkpoint, expected one: train the recipe first")
        network = RECIPES[options.model].build().eval()
        network.load_state_dict(state["average"])
        figures = evaluate(
            torch_fitter(network), config.samples, config.labelled, options.clouds, upright=options.upright
        )
        print(json.dumps(rounded(figures)))
        return
    folder = options.zoo / options.model
    manifest = read_manifest(folder / "model.yaml")
    entry = manifest.versions[str(options.version)]
    fitter = onnx_fitter(folder / str(options.version) / "model.onnx")
    metrics = rounded(evaluate(fitter, config.samples, config.labelled, options.clouds))
    versions = manifest.versions | {str(options.version): entry.model_copy(update={"metrics": metrics})}
    symmetries = measured_symmetries(metrics, entry.files["model.onnx"].sha256)
    manifest = manifest.model_copy(update={"versions": versions, "symmetries": symmetries})
    write_manifest(manifest, folder / "model.yaml")
    write_card(manifest, options.version, folder / "CARD.md")
    print((folder / "CARD.md").read_text())


if __name__ == "__main__":
    run_command(main)
