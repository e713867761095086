"""A small random denoiser of the artifact's contract (docs/diffusion.md), exported on the fly."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from equiserve_models.diffusion.denoiser import Denoiser

SIZE = 8


def tiny_denoiser(channels: int = 1, letter: str = "B") -> Denoiser:
    """Return a denoiser of pictures of 8x8 pixels whose every layer has something to say."""
    import torch

    from equiserve_models.diffusion.denoiser import Denoiser
    from equiserve_models.diffusion.recipes import RECIPES
    from equiserve_models.diffusion.unet import CONFIGS

    torch.manual_seed(5)
    small = {"size": SIZE, "channels": channels, "widths": (8, 8, 16), "embedding": 16}
    config = dataclasses.replace(CONFIGS[f"digits28-{letter}"], **small)
    denoiser = Denoiser(config, RECIPES["mnist-diffusion"].objective).eval()
    with torch.no_grad():
        for parameter in denoiser.parameters():
            if not parameter.any():  # residual branches begin as nothing
                parameter.normal_(std=0.2)
    return denoiser


def write_tiny_denoiser(zoo: Path, name: str = "tiny-diffusion", channels: int = 1) -> Path:
    """Export it as version 1 of a model repository, and return the model's folder."""
    from equiserve_models.diffusion.zoo import export_recipe

    denoiser = tiny_denoiser(channels)
    state = {"average": denoiser.state_dict(), "step": 3, "plans": [[0, 4]], "seconds": 60.0, "loss": 0.5}
    with tiny_recipe(name, denoiser):
        export_recipe(name, state, zoo, 1)
    return zoo / name


@contextmanager
def tiny_recipe(name: str, denoiser: Denoiser) -> Iterator[None]:
    """Have a recipe of a denoiser's network meanwhile."""
    from equiserve_models.diffusion.recipes import RECIPES
    from equiserve_models.diffusion.unet import CONFIGS

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(CONFIGS, name, denoiser.network.config)
        patch.setitem(RECIPES, name, dataclasses.replace(RECIPES["mnist-diffusion"], network=name))
        yield
