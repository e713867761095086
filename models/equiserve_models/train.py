"""Train a recipe: ``python -m equiserve_models.train fashion-mnist-vit-apa``; a second start resumes.

``--from models/zoo/fashion-mnist-vit-apa/1/model.pt`` begins at the weights of a shipped file, under a schedule of its
own.
"""

from __future__ import annotations

import argparse
import dataclasses
import math
import shutil
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from equiserve_models.body import recipes as body
from equiserve_models.diffusion import recipes as diffusion
from equiserve_models.shift import recipes as shift
from equiserve_models.training.process import run_command
from equiserve_models.training.run import run

RUNS = Path("runs")
# Tables alone, which are light: `prepare` in the family's module `training` is imported for the recipe that is trained.
FAMILIES: dict[str, Mapping[str, Any]] = {
    "shift": shift.RECIPES,
    "diffusion": diffusion.RECIPES,
    "body": body.RECIPES,
}


def main(arguments: list[str] | None = None) -> None:
    """Train until the plan is done or the minutes are used; ``runs/<recipe>`` keeps the checkpoint and the figures."""
    family_of = {name: family for family, recipes in FAMILIES.items() for name in recipes}
    parser = argparse.ArgumentParser(prog="python -m equiserve_models.train", description=__doc__)
    named = "; ".join(f"{family}: {', '.join(sorted(recipes))}" for family, recipes in FAMILIES.items())
    parser.add_argument("recipe", choices=sorted(family_of), metavar="RECIPE", help=named)
    parser.add_argument("--minutes", type=float, default=math.inf, help="stop after so long, leave a checkpoint")
    parser.add_argument("--epochs", type=int, help="plan another number of epochs than the recipe")
    parser.add_argument("--learning-rate", type=float, help="plan another peak than the recipe")
    parser.add_argument("--from", type=Path, metavar="FILE", dest="start", help="begin a new run at a shipped model.pt")
    parser.add_argument("--runs", type=Path, default=RUNS, help="folder of the run folders")
    parser.add_argument("--fresh", action="store_true", help="forget the checkpoint instead of resuming")
    options = parser.parse_args(arguments)

    family = family_of[options.recipe]
    recipe = FAMILIES[family][options.recipe]
    changes = {"epochs": options.epochs, "learning_rate": options.learning_rate}
    changes = {name: value for name, value in changes.items() if value is not None}
    recipe = dataclasses.replace(recipe, plan=dataclasses.replace(recipe.plan, **changes))
    folder = options.runs / options.recipe
    if options.fresh:
        shutil.rmtree(folder, ignore_errors=True)
    training = import_module(f"equiserve_models.{family}.training").prepare(recipe, folder)
    run(training, recipe.plan, folder, options.minutes, options.start)


if __name__ == "__main__":
    run_command(main)
