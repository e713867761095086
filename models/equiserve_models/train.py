"""Train a recipe: ``python -m equiserve_models.train fashion-mnist-vit-apa``; a second start resumes.

``--from models/zoo/fashion-mnist-vit-apa/1/model.pt`` begins at the weights of a shipped file, under a schedule of its
own.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, nn

from equiserve.errors import EquiServeError
from equiserve_models.data import datasets
from equiserve_models.export import trace, write_torchscript
from equiserve_models.shift.evaluation import circular_shift_scores
from equiserve_models.shift.recipes import RECIPES
from equiserve_models.training import checkpoint, warm_start
from equiserve_models.training.loop import Loss, train

RUNS = Path("runs")
# Of a run that starts from a shipped file: pictures on which both must agree, pictures for the batch norms.
EXAMPLES = 16
CALIBRATION = 1024


def main(arguments: list[str] | None = None) -> None:
    """Train, then write ``runs/<recipe>/metrics.json`` for the moving average."""
    parser = argparse.ArgumentParser(prog="python -m equiserve_models.train", description=__doc__)
    parser.add_argument("recipe", choices=sorted(RECIPES))
    parser.add_argument("--minutes", type=float, default=math.inf, help="stop after so long, leave a checkpoint")
    parser.add_argument("--epochs", type=int, help="plan another number of epochs than the recipe")
    parser.add_argument("--learning-rate", type=float, help="plan another peak than the recipe")
    parser.add_argument("--from", type=Path, metavar="FILE", dest="start", help="begin a new run at a shipped model.pt")
    parser.add_argument("--runs", type=Path, default=RUNS, help="folder of the run folders")
    parser.add_argument("--fresh", action="store_true", help="forget the checkpoint instead of resuming")
    options = parser.parse_args(arguments)

    recipe = RECIPES[options.recipe]
    changes = {"epochs": options.epochs, "learning_rate": options.learning_rate}
    changes = {name: value for name, value in changes.items() if value is not None}
    recipe = dataclasses.replace(recipe, plan=dataclasses.replace(recipe.plan, **changes))
    folder = options.runs / options.recipe
    if options.fresh:
        shutil.rmtree(folder, ignore_errors=True)
    pictures = datasets.load(recipe.dataset, "train")
    network = recipe.build().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    loss_of = recipe.loss(pictures)
    origin = None
    if options.start is not None and checkpoint.load(folder) is None:
        origin = _begin_at(options.start, network, pictures, loss_of)
    average, progress = train(network, loss_of, len(pictures.labels), recipe.plan, folder, options.minutes, origin)

    @torch.no_grad()
    def classifier(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        return average(torch.from_numpy(images)).numpy()

    scores = circular_shift_scores(classifier, datasets.load(recipe.dataset, "test"), shifts=8, seed=0)
    metrics = {"recipe": dataclasses.asdict(recipe), "progress": dataclasses.asdict(progress), "test": scores}
    (folder / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")
    print(json.dumps(metrics["test"]))


def _begin_at(file: Path, network: nn.Module, pictures: datasets.Pictures, loss_of: Loss) -> dict[str, Any]:
    origin = warm_start.origin_of(file)

    def write(marked: nn.Module, path: Path) -> None:
        write_torchscript(trace(marked, pictures.images.shape[1:]), path)

    warm_start.load_weights(network, file, write, torch.from_numpy(pictures.images[:EXAMPLES]))
    chosen = torch.randperm(len(pictures.labels), generator=Generator().manual_seed(0))[:CALIBRATION]
    warm_start.calibrate(network, lambda calibrated: loss_of(calibrated, chosen, Generator().manual_seed(0)))
    return origin


if __name__ == "__main__":
    # Settings of the process, not of whoever calls main: the second one changes all arithmetic from here on.
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    try:
        main()
    except EquiServeError as error:
        sys.exit(error.message)
