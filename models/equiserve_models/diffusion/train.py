"""Train a denoiser: ``python -m equiserve_models.diffusion.train mnist-diffusion``; a second start resumes.

``--from models/zoo/mnist-diffusion/1/model.pt`` begins a new run with the weights of a shipped file, also of a denoiser
of other colours: what has another shape begins anew.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import shutil
import sys
import warnings
from pathlib import Path

import torch
from torch import nn

from equiserve.artifact.digest import sha256_of
from equiserve.errors import EquiServeError, InvalidRequest
from equiserve_models.diffusion import pictures
from equiserve_models.diffusion.recipes import RECIPES
from equiserve_models.training import checkpoint
from equiserve_models.training.loop import train

RUNS = Path("runs")
ORIGIN = "origin.json"


def main(arguments: list[str] | None = None) -> None:
    """Train until the plan is done or the minutes are used, and write ``runs/<recipe>/metrics.json``."""
    parser = argparse.ArgumentParser(prog="python -m equiserve_models.diffusion.train", description=__doc__)
    parser.add_argument("recipe", choices=sorted(RECIPES))
    parser.add_argument("--minutes", type=float, default=math.inf, help="stop after so long, leave a checkpoint")
    parser.add_argument("--epochs", type=int, help="plan another number of epochs than the recipe")
    parser.add_argument("--learning-rate", type=float, help="plan another peak than the recipe")
    parser.add_argument("--runs", type=Path, default=RUNS, help="folder of the run folders")
    parser.add_argument(
        "--from", type=Path, dest="origin", help="a model.pt to begin with where there is no checkpoint"
    )
    parser.add_argument("--fresh", action="store_true", help="forget the checkpoint instead of resuming")
    options = parser.parse_args(arguments)

    recipe = RECIPES[options.recipe]
    changes = {"epochs": options.epochs, "learning_rate": options.learning_rate}
    changes = {name: value for name, value in changes.items() if value is not None}
    recipe = dataclasses.replace(recipe, plan=dataclasses.replace(recipe.plan, **changes))
    folder = options.runs / options.recipe
    if options.fresh:
        shutil.rmtree(folder, ignore_errors=True)
    data = pictures.load(recipe.dataset, "train")
    denoiser = recipe.build().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if options.origin is not None and checkpoint.load(folder) is None:
        folder.mkdir(parents=True, exist_ok=True)
        taken = take_weights(denoiser, options.origin)
        origin = {"file": "/".join(options.origin.parts[-3:]), "sha256": sha256_of(options.origin), "tensors": taken}
        (folder / ORIGIN).write_text(json.dumps(origin) + "\n")
    _, progress = train(denoiser, recipe.loss(data), len(data.labels), recipe.plan, folder, options.minutes)
    metrics = {"recipe": dataclasses.asdict(recipe), "progress": dataclasses.asdict(progress)}
    (folder / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")
    print(json.dumps(metrics["progress"]))


def take_weights(denoiser: nn.Module, path: Path) -> int:
    """Give a network the weights of a TorchScript file where names and shapes agree; return how many tensors do.

    Raises:
        InvalidRequest: Not one agrees.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        shipped = torch.jit.load(path, map_location="cpu").state_dict()
    own = denoiser.state_dict()
    taken = {name: value for name, value in shipped.items() if name in own and own[name].shape == value.shape}
    if not taken:
        raise InvalidRequest(f"{path}: no tensor has name and shape of one of the network's", field="from")
    denoiser.load_state_dict(taken, strict=False)
    return len(taken)


if __name__ == "__main__":
    # Settings of the process, not of whoever calls main: the second one changes all arithmetic from here on.
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    try:
        main()
    except EquiServeError as error:
        sys.exit(error.message)
