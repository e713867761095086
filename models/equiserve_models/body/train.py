"""Train a body fitter: ``python -m equiserve_models.body.train articulated-body``; a second start resumes.

``--from models/zoo/articulated-body/1/model.pt`` begins at the weights of a shipped file, under a schedule of its own.
"""

from __future__ import annotations

import argparse
import dataclasses
import math
import shutil
import sys
import time
import warnings
from pathlib import Path

import torch
from torch import nn

from equiserve.errors import EquiServeError, InvalidRequest
from equiserve_models.body.learning_curve import EVERY_MINUTES, add_point
from equiserve_models.body.recipes import RECIPES, SCANS_PER_EPOCH
from equiserve_models.training import checkpoint, warm_start
from equiserve_models.training.allocator import keep_freed_memory
from equiserve_models.training.loop import train


def main(arguments: list[str] | None = None) -> None:
    """Train; `runs/<recipe>/checkpoint.pt` is what `equiserve_models.body.export` reads."""
    parser = argparse.ArgumentParser(prog="python -m equiserve_models.body.train", description=__doc__)
    parser.add_argument("recipe", choices=sorted(RECIPES))
    parser.add_argument("--minutes", type=float, default=math.inf, help="stop after so long, leave a checkpoint")
    parser.add_argument("--epochs", type=int, help=f"plan another number of epochs of {SCANS_PER_EPOCH} scans")
    parser.add_argument("--learning-rate", type=float, help="plan another peak than the recipe")
    parser.add_argument("--from", type=Path, metavar="FILE", dest="start", help="begin a new run at a shipped model.pt")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder of the run folders")
    parser.add_argument("--fresh", action="store_true", help="forget the checkpoint instead of resuming")
    options = parser.parse_args(arguments)
    recipe = RECIPES[options.recipe]
    changes = {"epochs": options.epochs, "learning_rate": options.learning_rate}
    plan = dataclasses.replace(recipe.plan, **{name: value for name, value in changes.items() if value is not None})
    folder = options.runs / options.recipe
    if options.fresh:
        shutil.rmtree(folder, ignore_errors=True)
    network, loss_of = recipe.build(), recipe.loss()
    origin = None
    if options.start is not None and checkpoint.load(folder) is None:
        origin = warm_start.origin_of(options.start)
        load_named_weights(network, options.start)
    ends = time.monotonic() + 60 * options.minutes
    done = False
    while not done:
        minutes = min(EVERY_MINUTES, (ends - time.monotonic()) / 60)
        average, progress = train(network, loss_of, SCANS_PER_EPOCH, plan, folder, minutes, origin)
        scans = progress.step * plan.batch_size
        errors = add_point(folder, average, scans, progress.seconds)
        print(f"{scans} of {progress.steps * plan.batch_size} scans, {progress.seconds / 60:.0f} minutes, "
              f"loss {progress.loss:.4f}, V2V mean in mm {errors}", flush=True)  # fmt: skip
        done = progress.step >= progress.steps or time.monotonic() >= ends


def load_named_weights(network: nn.Module, path: Path) -> None:
    """Give a network the weights of a TorchScript file that keeps their names, as `export.write_torchscript` writes it.

    Raises:
        InvalidRequest: The file is of another network.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        kept = dict(torch.jit.load(path).named_parameters())
    for name, parameter in network.named_parameters():
        if name not in kept or kept[name].shape != parameter.shape:
            got = list(kept[name].shape) if name in kept else "none"
            raise InvalidRequest(
                f"{path}: got {got} in the place of {name}, expected a tensor of shape {list(parameter.shape)}",
                field="from",
            )
        with torch.no_grad():
            parameter.copy_(kept[name])


if __name__ == "__main__":
    keep_freed_memory()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    try:
        main()
    except EquiServeError as error:
        sys.exit(error.message)
