"""Train, export and score every ablation of `RECIPES`: ``python -m equiserve_models.shift.ablation``.

What is scored is skipped, what is half trained goes on from its checkpoint. First all networks with seed 0, then with
the other seeds, so that an interrupted ablation can be compared. ONNX files are written below ``runs/zoo``; the scores
of every test picture into ``docs/ablation``, which is committed: an ablation may take several sessions, and
`equiserve_models.shift.table` prints what is recorded there.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from equiserve_models import export
from equiserve_models.data import datasets
from equiserve_models.shift.recipes import RECIPES, Recipe
from equiserve_models.shift.scoring import ORBIT_PER_CLASS, score, store_of
from equiserve_models.training.loop import train
from equiserve_models.training.process import run_command

RUNS = Path("runs")
EXPORTS = RUNS / "zoo"
RECORDS = Path("docs/ablation")


def ablations() -> list[str]:
    """Return the recipes of the ablation in the order in which they are trained."""
    names = [name for name in RECIPES if name.startswith("ablation-")]
    return sorted(names, key=lambda name: RECIPES[name].plan.seed)


def onnx_path(exports: Path, name: str) -> Path:
    """Return where the ONNX file of an ablation lies."""
    return exports / name / "1" / "model.onnx"


def record_of(records: Path, name: str) -> Path:
    """Return where the scores of an ablation lie."""
    return store_of(records, name, RECIPES[name].dataset, ORBIT_PER_CLASS)


def run(
    names: list[str], runs: Path, exports: Path, records: Path, minutes: float, report: Callable[[str], None]
) -> None:
    """Train, export and score recipes one after another.

    Args:
        names: Keys of `RECIPES`.
        runs: Folder of the run folders.
        exports: Folder of the exported files, ``<name>/1/model.onnx``.
        records: Folder of the scores.
        minutes: Stop after so long; the recipe under way leaves a checkpoint.
        report: Takes a line about each recipe.
    """
    began = time.monotonic()
    trained = 0
    pictures: dict[str, datasets.Pictures] = {}
    for place, name in enumerate(names, 1):
        path, record = onnx_path(exports, name), record_of(records, name)
        if record.is_file():
            report(f"[{place}/{len(names)}] {name}: recorded")
            continue
        recipe = RECIPES[name]
        if not path.is_file():
            spent = (time.monotonic() - began) / 60
            waiting = sum(not record_of(records, other).is_file() for other in names[place - 1 :])
            left = f", about {spent / trained * waiting:.0f} minutes left" if trained else ""
            report(f"[{place}/{len(names)}] {name}: training{left}")
            if recipe.dataset not in pictures:
                pictures[recipe.dataset] = datasets.load(recipe.dataset, "train")
            average, finished = _train(recipe, pictures[recipe.dataset], runs / name, minutes - spent)
            if not finished:
                report(f"{name}: stopped; a second start goes on from its checkpoint")
                return
            write_file(recipe, path, average.state_dict())
            trained += 1
        score(path, recipe.dataset, ORBIT_PER_CLASS, record)


def _train(recipe: Recipe, pictures: datasets.Pictures, folder: Path, minutes: float) -> tuple[nn.Module, bool]:
    network = recipe.build().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    average, progress = train(network, recipe.loss(pictures), len(pictures.labels), recipe.plan, folder, minutes)
    return average, progress.step == progress.steps


def write_file(recipe: Recipe, path: Path, weights: Mapping[str, Tensor] | None = None) -> None:
    """Write the ONNX file of a recipe's network.

    Args:
        recipe: The recipe.
        path: The file.
        weights: State of the network; None = as it is before any training, to see what it costs.
    """
    network = recipe.build().eval()
    if weights is None:
        with torch.no_grad():
            for parameter in network.parameters():  # equal ones would be stored once
                parameter.add_(torch.randn_like(parameter), alpha=1e-3)
    else:
        network.load_state_dict(weights)
    config = network.config
    path.parent.mkdir(parents=True, exist_ok=True)
    # Its presence says that it is whole.
    partial = path.with_suffix(".partial")
    program = export.trace(network, (config.channels, config.size, config.size))
    export.write_onnx(program, partial, "image", "logits")
    os.replace(partial, path)


def main(arguments: list[str] | None = None) -> None:
    """Run the ablation, or the recipes that are named."""
    parser = argparse.ArgumentParser(prog="python -m equiserve_models.shift.ablation", description=__doc__)
    parser.add_argument("recipes", nargs="*", metavar="RECIPE", help="default: every ablation")
    parser.add_argument("--minutes", type=float, default=math.inf, help="stop after so long, leave a checkpoint")
    parser.add_argument("--runs", type=Path, default=RUNS, help="folder of the run folders")
    parser.add_argument("--exports", type=Path, default=EXPORTS, help="folder of the exported files")
    parser.add_argument("--records", type=Path, default=RECORDS, help="folder of the scores")
    options = parser.parse_args(arguments)
    unknown = sorted(set(options.recipes) - set(ablations()))
    if unknown:
        parser.error(f"no ablation {unknown}, expected some of {ablations()}")
    names = options.recipes or ablations()
    run(
        names, options.runs, options.exports, options.records, options.minutes,
        lambda line: print(line, file=sys.stderr, flush=True),
    )  # fmt: skip


if __name__ == "__main__":
    run_command(main)
