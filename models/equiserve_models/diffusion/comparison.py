"""The paper's configurations under one budget: ``python -m equiserve_models.diffusion.comparison --minutes 30``.

Trains each with each seed on the same pictures, draws with the moving average, writes the scores into
``docs/ablation``, which is committed (a comparison may take several sessions), and prints the table of what is recorded
there. What is recorded is not trained again, what is half trained goes on from its checkpoint.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

from equiserve.numerics.solvers import PRESETS
from equiserve_models.diffusion import angles, judges, pictures
from equiserve_models.diffusion.quality import RealPictures, balanced_labels
from equiserve_models.diffusion.recipes import COMPARED, RECIPES, SEEDS
from equiserve_models.diffusion.sampling import Sampler
from equiserve_models.diffusion.zoo import eager_runner
from equiserve_models.training import checkpoint
from equiserve_models.training.loop import train
from equiserve_models.training.process import run_command

RECORDS = Path("docs/ablation")
ANGLE = 30.0  # degrees at which EQ-R is measured: inside of what a denoiser is told


def main(arguments: list[str] | None = None) -> None:
    """Train what is missing, measure what is trained, print the table."""
    parser = argparse.ArgumentParser(prog="python -m equiserve_models.diffusion.comparison", description=__doc__)
    parser.add_argument("--configurations", nargs="+", choices=COMPARED, default=COMPARED)
    parser.add_argument("--seeds", nargs="+", type=int, choices=SEEDS, default=SEEDS)
    parser.add_argument("--epochs", type=int, default=2, help="passes over the 60,000 digits")
    parser.add_argument("--minutes", type=float, default=30.0, help="most minutes of this call's training")
    parser.add_argument("--samples", type=int, default=2000, help="pictures drawn with each")
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--records", type=Path, default=RECORDS, help="folder of the scores")
    options = parser.parse_args(arguments)

    data = pictures.load("mnist", "train")
    left = options.minutes
    judged: dict[str, torch.nn.Module] = {}
    real: RealPictures | None = None
    for seed in options.seeds:
        for letter in options.configurations:
            name = f"comparison-{letter}-{seed}"
            folder = options.runs / name
            record = record_of(options.records, letter, seed, options.epochs, options.samples)
            if record.is_file() or left <= 0:
                continue
            recipe = RECIPES[name]
            plan = dataclasses.replace(recipe.plan, epochs=options.epochs)
            denoiser = recipe.build().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
            state = checkpoint.load(folder)
            before = 0.0 if state is None else state["seconds"]
            average, progress = train(denoiser, recipe.loss(data), len(data.labels), plan, folder, left)
            left -= (progress.seconds - before) / 60
            if progress.step < progress.steps:
                continue
            if real is None:
                judged = judges.trained("mnist", options.runs)
                real = RealPictures("mnist", judged, options.samples)
            average = average.eval().to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
            found = measured(Sampler(eager_runner(average), (1, 28, 28)), real, options.samples)
            found["pictures_seen"] = progress.step * plan.batch_size
            options.records.mkdir(parents=True, exist_ok=True)
            record.write_text(json.dumps(found, indent=1) + "\n")
    print(table(options.records, options.configurations, options.epochs, options.samples))


def measured(sampler: Sampler, real: RealPictures, count: int) -> dict[str, Any]:
    """Return the scores of upright pictures, and EQ-R of the same seeds at 30 degrees."""
    labels, preset = balanced_labels(count), PRESETS["balanced"]
    upright = sampler.draw(labels, solver=preset.solver, steps=preset.steps)
    few = labels[: count // 10]
    turned = sampler.draw(few, solver=preset.solver, steps=preset.steps, mode="conditioned", angle_deg=ANGLE)
    eq_r = angles.equivariance_psnr(turned, upright[: len(few)], ANGLE)
    return {"judges": real.scores(upright, labels), "eq_r_db": float(np.median(eq_r)), "anchors": real.anchors()}


def record_of(records: Path, letter: str, seed: int, epochs: int, samples: int) -> Path:
    """Return where the scores of one run lie: the name says what they depend on."""
    return records / f"diffusion-{letter}-{seed}-{epochs}-epochs-{samples}-drawn.json"


def table(records: Path, configurations: list[str], epochs: int, samples: int) -> str:
    """Return the Markdown table of what is measured: mean and range over the seeds."""
    lines = [
        "| configuration | seeds | pictures seen | distance, strided | distance, pooled | accuracy, strided | "
        "accuracy, pooled | EQ-R at 30°, dB |",
        "|" + " --- |" * 8,
    ]
    for letter in configurations:
        paths = [record_of(records, letter, seed, epochs, samples) for seed in SEEDS]
        found = [json.loads(path.read_text()) for path in paths if path.is_file()]
        if found:
            cells = [
                *(_over_seeds([one["judges"][judge]["distance"] for one in found], ".2f") for judge in judges.JUDGES),
                *(_over_seeds([one["judges"][judge]["accuracy"] for one in found], ".2%") for judge in judges.JUDGES),
                _over_seeds([one["eq_r_db"] for one in found], ".1f"),
            ]
            lines.append(f"| {letter} | {len(found)} | {found[0]['pictures_seen']:,} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _over_seeds(values: list[float], form: str) -> str:
    if len(values) == 1:
        return f"{values[0]:{form}}"
    return f"{np.mean(values):{form}} ({min(values):{form}} to {max(values):{form}})"


if __name__ == "__main__":
    run_command(main)
