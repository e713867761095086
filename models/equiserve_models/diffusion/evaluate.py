"""Evaluate an exported denoiser: ``python -m equiserve_models.diffusion.evaluate mnist-diffusion``.

Draws with the ONNX file through the server's own solvers and rotation modes, notes the figures in ``model.yaml`` and
writes ``CARD.md`` with its pictures. ``runs/judges`` keeps the two classifiers; they are trained where it is empty.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch
from numpy.typing import NDArray

from equiserve.artifact import read_manifest, write_manifest
from equiserve.errors import InvalidRequest
from equiserve.numerics.solvers import PRESETS
from equiserve_models.diffusion import judges, pictures
from equiserve_models.diffusion.angle_chart import angle_chart
from equiserve_models.diffusion.angles import SYMMETRIC
from equiserve_models.diffusion.card import write_card
from equiserve_models.diffusion.distances import frechet_distance
from equiserve_models.diffusion.judges import read
from equiserve_models.diffusion.pictures import DataSet
from equiserve_models.diffusion.quality import RealPictures, balanced_labels, cpu_per_row
from equiserve_models.diffusion.rotation_scores import WAYS, Way, band_scores, estimator_floor, rotation_scores
from equiserve_models.diffusion.sampling import Sampler
from equiserve_models.diffusion.sheets import write_sheet
from equiserve_models.diffusion.zoo import onnx_runner
from equiserve_models.export import ZOO
from equiserve_models.training.process import run_command
from equiserve_models.zoo import rounded

PARTS = ("quality", "steps", "rotation", "corners", "pictures")
TURNED_CLASSES = np.array([label for label in range(10) if label not in SYMMETRIC])
SWEEP = tuple(np.arange(-180.0, 180.0, 30.0))
CORNER_ANGLE = 30.0


def main(arguments: list[str] | None = None) -> None:
    """Measure the parts that are asked for; the others keep the figures that the manifest has."""
    parser = argparse.ArgumentParser(prog="python -m equiserve_models.diffusion.evaluate", description=__doc__)
    parser.add_argument("model")
    parser.add_argument("--version", type=int, default=1)
    parser.add_argument("--zoo", type=Path, default=ZOO)
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--samples", type=int, default=10_000, help="pictures of the distances and accuracies")
    parser.add_argument("--turned", type=int, default=140, help="pictures at every angle of a mode; x 4 `conditioned`")
    parser.add_argument("--ways", nargs="+", choices=WAYS, help="of turning, the others keep their figures")
    parser.add_argument("--turned-paper", type=int, default=14, help="the same for the paper's 1,000 steps")
    parser.add_argument(
        "--guidance",
        nargs="+",
        type=float,
        default=(),
        help="weights, at all noise levels, to measure beside the artifact's own",
    )
    parser.add_argument("--seeds-from", type=int, default=0, help="added to every seed: pictures of their own")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    options = parser.parse_args(arguments)

    folder = options.zoo / options.model
    manifest = read_manifest(folder / "model.yaml")
    entry = manifest.versions[str(options.version)]
    dataset = entry.training["data"]["name"]
    if dataset not in get_args(DataSet):
        raise InvalidRequest(f"{options.model} was trained on {dataset!r}, expected one of {get_args(DataSet)}")
    _, channels, height, width = manifest.inputs[0].shape
    runner = onnx_runner(folder / str(options.version) / "model.onnx")
    low, high = manifest.task_options["guidance_band"]
    sampler = Sampler(
        runner, (channels, height, width), manifest.task_options["guidance"], (low, high), options.seeds_from
    )
    metrics = dict(entry.metrics)
    for part in options.parts:
        if part == "pictures":
            draw_sheets(sampler, folder)
        else:
            metrics[part] = rounded(measure(part, sampler, dataset, options, metrics.get(part, {})))
        if part == "rotation":
            (folder / "achieved.svg").write_text(angle_chart(metrics[part]))
        version = entry.model_copy(update={"metrics": metrics})
        # After every part: what was measured stays measured when the rest is broken off.
        manifest = manifest.model_copy(update={"versions": manifest.versions | {str(options.version): version}})
        write_manifest(manifest, folder / "model.yaml")
        write_card(manifest, options.version, folder / "CARD.md")
    print((folder / "CARD.md").read_text())


def measure(
    part: str, sampler: Sampler, dataset: DataSet, options: argparse.Namespace, known: dict[str, Any]
) -> dict[str, Any]:
    """Return the figures of one part; `known` are those that it has."""
    judged = judges.trained(dataset, options.runs)
    if part == "quality":
        return quality(sampler, RealPictures(dataset, judged, options.samples), options.samples, options.guidance)
    if part == "steps":
        return by_preset(sampler, RealPictures(dataset, judged, options.samples // 5), options.samples // 5)
    if part == "corners":
        return corners(sampler, dataset, judged, options.samples // 5)
    labels = np.resize(TURNED_CLASSES, options.turned)

    def of(way: Way, count: int) -> dict[str, Any]:
        return rotation_scores(sampler, judged, way, np.resize(TURNED_CLASSES, count * way.times))

    if options.ways:
        if known.get("guidance") != sampler.guided:
            raise InvalidRequest(
                f"--ways: the other ways have figures at guidance {known.get('guidance')}, expected {sampler.guided}: "
                "measure the whole part first"
            )
        return known | {way: of(WAYS[way], options.turned) for way in options.ways}
    floor = estimator_floor(pictures.load("mnist", "test"), 200)
    scores: dict[str, Any] = {"guidance": sampler.guided, "estimator_floor": floor}
    for name, way in WAYS.items():
        scores[name] = of(way, options.turned_paper if way.steps >= 1000 else options.turned)
    scores["bands"] = band_scores(sampler, judged, labels)
    symmetric = np.resize(np.array(SYMMETRIC), max(3, options.turned // 3))
    scores["conditioned, classes 0, 1, 8"] = rotation_scores(sampler, judged, WAYS["conditioned"], symmetric)
    return scores


def quality(sampler: Sampler, real: RealPictures, count: int, weights: Iterable[float]) -> dict[str, Any]:
    """Return the figures of upright pictures at the preset `balanced`: without guidance, with the artifact's, others.

    Args:
        sampler: The denoiser.
        real: What is compared with.
        count: Pictures.
        weights: Of guidance at all noise levels.
    """
    preset = PRESETS["balanced"]
    labels = balanced_labels(count)
    found: dict[str, Any] = {"pictures": count, "preset": "balanced", "anchors": real.anchors(), "judges": {}}
    everywhere = Sampler(sampler.runner, sampler.shape, seeds_from=sampler.seeds_from)
    drawn = sampler.draw(labels, solver=preset.solver, steps=preset.steps)
    found["copies"] = real.copies(drawn)
    found["judges"][sampler.guided] = real.scores(drawn, labels)
    for weight in sorted({1.0, *weights}):
        drawn = everywhere.draw(labels, solver=preset.solver, steps=preset.steps, guidance=weight)
        found["judges"][f"{weight:g}"] = real.scores(drawn, labels)
    found["cpu_ms_per_row"] = {str(rows): cpu_per_row(sampler, rows) for rows in (1, 4, 8, 32)}
    return found


def by_preset(sampler: Sampler, real: RealPictures, count: int) -> dict[str, Any]:
    """Return what fewer and more calls of the network give, at the artifact's guidance."""
    labels = balanced_labels(count)
    found: dict[str, Any] = {"pictures": count, "guidance": sampler.guided, "anchors": real.anchors()}
    for name in ("fast", "balanced", "quality"):
        preset = PRESETS[name]
        drawn = sampler.draw(labels, solver=preset.solver, steps=preset.steps)
        found[name] = {"solver": preset.solver, "steps": preset.steps, **real.scores(drawn, labels)}
    return found


def corners(sampler: Sampler, dataset: DataSet, judged: dict[str, torch.nn.Module], count: int) -> dict[str, Any]:
    """Return the distance of pictures turned by 30 degrees to test pictures whose digit alone is turned.

    The floor is that of training pictures, made likewise.
    """
    labels = balanced_labels(count)
    preset = PRESETS["balanced"]
    sets = {"floor": _turned_pictures(dataset, "train", count)}
    for mode in ("conditioned", "exact"):
        sets[mode] = sampler.draw(labels, solver=preset.solver, steps=preset.steps, mode=mode, angle_deg=CORNER_ANGLE)
    real = _turned_pictures(dataset, "test", count)
    return {
        "pictures": count,
        "angle": CORNER_ANGLE,
        "guidance": sampler.guided,
        **{
            judge: {
                name: frechet_distance(read(network, drawn).features, read(network, real).features)
                for name, drawn in sets.items()
            }
            for judge, network in judged.items()
        },
    }


def draw_sheets(sampler: Sampler, folder: Path) -> None:
    """Write ``sheet.png`` (ten of each class), ``angles.png`` (a class a row) and ``ways.png`` (a way of turning)."""
    preset = PRESETS["balanced"]
    labels = balanced_labels(100)
    drawn = sampler.draw(labels, solver=preset.solver, steps=preset.steps)
    write_sheet(drawn.reshape(10, 10, *sampler.shape).transpose(1, 0, 2, 3, 4), folder / "sheet.png")
    chosen = np.array([2, 3, 4, 5, 7])
    sweep = [
        sampler.draw(
            chosen,
            solver=preset.solver,
            steps=preset.steps,
            mode="conditioned",
            angle_deg=angle,
            first_seed=100,
        )
        for angle in SWEEP
    ]
    heads = [f"{angle:g}°" for angle in SWEEP]
    write_sheet(np.stack(sweep, 1), folder / "angles.png", heads=heads)
    turned = [
        [
            sampler.draw(
                chosen[:1], solver=way.solver, steps=way.steps, mode=way.mode, angle_deg=angle, first_seed=100
            )[0]
            for angle in SWEEP
        ]
        for way in WAYS.values()
    ]
    write_sheet(np.array(turned), folder / "ways.png", names=list(WAYS), heads=heads)


def _turned_pictures(dataset: DataSet, split: str, count: int) -> NDArray[np.float32]:
    data = pictures.load(dataset, split)
    generator = torch.Generator().manual_seed(2)
    chosen = torch.randperm(len(data.labels), generator=generator)[:count]
    return data.batch(chosen, torch.full((count,), CORNER_ANGLE), generator).numpy()


if __name__ == "__main__":
    run_command(main)
