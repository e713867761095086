"""The training of a shift classifier, scored on the test set."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, nn

from equiserve_models.data import datasets
from equiserve_models.export import trace, write_torchscript
from equiserve_models.shift.evaluation import circular_shift_scores
from equiserve_models.shift.recipes import Recipe
from equiserve_models.training import warm_start
from equiserve_models.training.loop import Loss, Progress
from equiserve_models.training.run import Training, write_metrics

# Of a run that starts from a shipped file: pictures on which both must agree, pictures for the batch norms.
EXAMPLES = 16
CALIBRATION = 1024


def prepare(recipe: Recipe, folder: Path) -> Training:
    """Load the pictures and build the network; the report writes ``metrics.json`` for the moving average."""
    pictures = datasets.load(recipe.dataset, "train")
    network = recipe.build().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    loss_of = recipe.loss(pictures)

    def begin_at(file: Path) -> dict[str, Any]:
        return _begin_at(file, network, pictures, loss_of)

    def report(average: nn.Module, progress: Progress) -> None:
        @torch.no_grad()
        def classifier(images: NDArray[np.uint8]) -> NDArray[np.float32]:
            return average(torch.from_numpy(images)).numpy()

        scores = circular_shift_scores(classifier, datasets.load(recipe.dataset, "test"), shifts=8, seed=0)
        write_metrics(folder, recipe, progress, test=scores)
        print(json.dumps(scores))

    return Training(network, loss_of, len(pictures.labels), begin_at, report)


def _begin_at(file: Path, network: nn.Module, pictures: datasets.Pictures, loss_of: Loss) -> dict[str, Any]:
    origin = warm_start.origin_of(file)

    def write(marked: nn.Module, path: Path) -> None:
        write_torchscript(trace(marked, pictures.images.shape[1:]), path)

    warm_start.load_weights(network, file, write, torch.from_numpy(pictures.images[:EXAMPLES]))
    chosen = torch.randperm(len(pictures.labels), generator=Generator().manual_seed(0))[:CALIBRATION]
    warm_start.calibrate(network, lambda calibrated: loss_of(calibrated, chosen, Generator().manual_seed(0)))
    return origin
