"""The training of a denoiser, which may begin at one of other colours: what has another shape begins anew."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import torch
from torch import nn

from equiserve.artifact.digest import sha256_of
from equiserve_models.diffusion import pictures
from equiserve_models.diffusion.recipes import Recipe
from equiserve_models.training.loop import Progress
from equiserve_models.training.named_weights import load_matching_weights
from equiserve_models.training.run import Training, write_metrics

# In the run folder: the file that a run began at.
ORIGIN = "origin.json"


def prepare(recipe: Recipe, folder: Path) -> Training:
    """Load the digits and build the denoiser; the report writes ``metrics.json``, which says how far the run is."""
    data = pictures.load(recipe.dataset, "train")
    denoiser = recipe.build().to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def begin_at(file: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        taken = load_matching_weights(denoiser, file)
        origin = {"file": "/".join(file.parts[-3:]), "sha256": sha256_of(file), "tensors": taken}
        (folder / ORIGIN).write_text(json.dumps(origin) + "\n")

    def report(average: nn.Module, progress: Progress) -> None:
        write_metrics(folder, recipe, progress)
        print(json.dumps(dataclasses.asdict(progress)))

    return Training(denoiser, recipe.loss(data), len(data.labels), begin_at, report)
