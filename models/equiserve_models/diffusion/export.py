"""Export a trained denoiser into the model repository: ``python -m equiserve_models.diffusion.export mnist-diffusion``.

The last step is a gate: both files are loaded again and compared with the eager network before the manifest is written.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from equiserve.artifact import read_manifest
from equiserve.errors import NotFound
from equiserve_models.diffusion.card import write_card
from equiserve_models.diffusion.recipes import RECIPES
from equiserve_models.diffusion.training import ORIGIN
from equiserve_models.diffusion.zoo import export_again, export_recipe
from equiserve_models.export import ZOO
from equiserve_models.training import checkpoint
from equiserve_models.training.process import run_command


def main(arguments: list[str] | None = None) -> None:
    """Export the moving average of a run's checkpoint, whether or not its plan is done; or a version anew."""
    parser = argparse.ArgumentParser(prog="python -m equiserve_models.diffusion.export", description=__doc__)
    parser.add_argument("recipe", choices=sorted(RECIPES))
    parser.add_argument("--version", type=int, default=1)
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--zoo", type=Path, default=ZOO)
    parser.add_argument("--again", action="store_true", help="from the weights that the version has, its scores kept")
    options = parser.parse_args(arguments)
    if options.again:
        export_again(options.recipe, options.zoo, options.version)
        folder = options.zoo / options.recipe
        write_card(read_manifest(folder / "model.yaml"), options.version, folder / "CARD.md")
        return
    state = checkpoint.load(options.runs / options.recipe)
    if state is None:
        raise NotFound(f"{options.runs / options.recipe} has no checkpoint, expected one: train the recipe first")
    origin = options.runs / options.recipe / ORIGIN
    begun_from = json.loads(origin.read_text()) if origin.is_file() else None
    export_recipe(options.recipe, state, options.zoo, options.version, begun_from)


if __name__ == "__main__":
    run_command(main)
