from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from equiserve_models.shift.vit import ViT


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    """Networks of this size only wait for the other threads, for seconds a step where the machine is busy."""
    try:
        import torch
    except ImportError:
        return
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def tiny_network() -> ViT:
    """A small random anchored network for pictures of 12x12 pixels."""
    import torch

    from equiserve_models.shift.vit import CONFIGS, ViT

    torch.manual_seed(3)
    return ViT(dataclasses.replace(CONFIGS["vit28_apa"], size=12, stem=(4, 6), width=12, depth=1)).eval()


@pytest.fixture(scope="session")
def exported(tiny_network: ViT, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Version folder of the small network in a model repository, written by the exporter."""
    from equiserve_models.shift.recipes import RECIPES
    from equiserve_models.shift.vit import CONFIGS
    from equiserve_models.shift.zoo import export_recipe

    zoo = tmp_path_factory.mktemp("zoo")
    recipe = dataclasses.replace(RECIPES["fashion-mnist-vit-apa"], network="tiny")
    progress = {"step": 3, "plans": [[0, 4]], "seconds": 60.0, "loss": 2.0, "origin": None}
    state = {"average": tiny_network.state_dict(), "plan": dataclasses.asdict(recipe.plan), **progress}
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(CONFIGS, "tiny", tiny_network.config)
        patch.setitem(RECIPES, "tiny", recipe)
        export_recipe("tiny", state, zoo, 1)
    return zoo / "tiny" / "1"
