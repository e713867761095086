"""The training of a body fitter on scans made on the fly, with its learning curve."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import nn

from equiserve_models.body.learning_curve import EVERY_MINUTES, add_point
from equiserve_models.body.recipes import SCANS_PER_EPOCH, Recipe
from equiserve_models.training import warm_start
from equiserve_models.training.allocator import keep_freed_memory
from equiserve_models.training.loop import Progress
from equiserve_models.training.named_weights import load_named_weights
from equiserve_models.training.run import Training


def prepare(recipe: Recipe, folder: Path) -> Training:
    """Build the network and what makes its scans; each report is a point of the learning curve."""
    # Of the whole process; no result depends on it.
    keep_freed_memory()
    network, loss_of = recipe.build(), recipe.loss()

    def begin_at(file: Path) -> dict[str, Any]:
        origin = warm_start.origin_of(file)
        load_named_weights(network, file)
        return origin

    def report(average: nn.Module, progress: Progress) -> None:
        scans = progress.step * recipe.plan.batch_size
        errors = add_point(folder, average, scans, progress.seconds)
        print(f"{scans} of {progress.steps * recipe.plan.batch_size} scans, {progress.seconds / 60:.0f} minutes, "
              f"loss {progress.loss:.4f}, V2V mean in mm {errors}", flush=True)  # fmt: skip

    return Training(network, loss_of, SCANS_PER_EPOCH, begin_at, report, EVERY_MINUTES)
