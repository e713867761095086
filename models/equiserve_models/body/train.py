"""Train a body fitter: ``python -m equiserve_models.body.train articulated-body``; a second start resumes."""

from __future__ import annotations

import argparse
import dataclasses
import math
import shutil
import sys
from pathlib import Path

import torch

from equiserve.errors import EquiServeError
from equiserve_models.body.recipes import RECIPES, SCANS_PER_EPOCH
from equiserve_models.training.allocator import keep_freed_memory
from equiserve_models.training.loop import train


def main(arguments: list[str] | None = None) -> None:
    """Train; `runs/<recipe>/checkpoint.pt` is what `equiserve_models.body.export` reads."""
    parser = argparse.ArgumentParser(prog="python -m equiserve_models.body.train", description=__doc__)
    parser.add_argument("recipe", choices=sorted(RECIPES))
    parser.add_argument("--minutes", type=float, default=math.inf, help="stop after so long, leave a checkpoint")
    parser.add_argument("--epochs", type=int, help=f"plan another number of epochs of {SCANS_PER_EPOCH} scans")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder of the run folders")
    parser.add_argument("--fresh", action="store_true", help="forget the checkpoint instead of resuming")
    options = parser.parse_args(arguments)
    recipe = RECIPES[options.recipe]
    plan = recipe.plan if options.epochs is None else dataclasses.replace(recipe.plan, epochs=options.epochs)
    folder = options.runs / options.recipe
    if options.fresh:
        shutil.rmtree(folder, ignore_errors=True)
    _, progress = train(recipe.build(), recipe.loss(), SCANS_PER_EPOCH, plan, folder, options.minutes)
    print(f"{progress.step * plan.batch_size} of {progress.steps * plan.batch_size} scans, "
          f"{progress.seconds / 60:.0f} minutes, loss {progress.loss:.4f}")  # fmt: skip


if __name__ == "__main__":
    keep_freed_memory()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    try:
        main()
    except EquiServeError as error:
        sys.exit(error.message)
