from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="the train extra is not installed")

import torch
from torch import Generator, Tensor, nn

from equiserve_models import train
from equiserve_models.data import datasets
from equiserve_models.shift.recipes import ABLATION_SEEDS, RECIPES, WAYS
from equiserve_models.training.loop import Plan


def changes(first: str, second: str) -> set[str]:
    one, other = dataclasses.asdict(RECIPES[first]), dataclasses.asdict(RECIPES[second])
    return {key for key in one if one[key] != other[key]}


def some_pictures(name: str, split: str) -> datasets.Pictures:
    shape = (3, 32, 32) if name == "cifar10-jpeg" else (1, 28, 28)
    images = np.random.default_rng(0).integers(0, 256, (16, *shape), dtype=np.uint8)
    return datasets.Pictures(images, np.arange(16) % 10)


@pytest.mark.parametrize("family", ["vit", "twins"])
def test_plain_twin_is_trained_by_the_recipe_of_its_anchored_network(family: str) -> None:
    assert changes(f"fashion-mnist-{family}", f"fashion-mnist-{family}-apa") == {"title", "network"}


def test_recipes_of_an_ablation_differ_in_the_network_alone_and_cover_every_seed() -> None:
    for network in ("vit28", "twins28"):
        for way in WAYS:
            name = f"ablation-{network}{way.replace('_', '-')}"
            assert changes(f"ablation-{network}-0", f"{name}-0") <= {"title", "network"}
            assert [RECIPES[f"{name}-{seed}"].plan.seed for seed in ABLATION_SEEDS] == [0, 1, 2]
            assert RECIPES[f"{name}-0"].network == network + way
    assert changes("ablation-vit28-apa-2", "ablation-vit28-alias-free-2") == {"title", "network"}
    assert sum(name.startswith("ablation") for name in RECIPES) == 27


@pytest.mark.parametrize("name", [name for name in RECIPES if not name.endswith(("-1", "-2"))])
def test_loss_of_every_recipe_reaches_all_weights_of_its_network(name: str) -> None:
    recipe = RECIPES[name]
    network = recipe.build()
    loss = recipe.loss(some_pictures(recipe.dataset, "train"))(network, torch.arange(4), Generator().manual_seed(0))
    loss.backward()
    assert 1.0 < loss.item() < 6.0
    assert all(p.grad is not None and bool(p.grad.isfinite().all()) for p in network.parameters())


def test_digits_are_never_mirrored() -> None:
    seen: list[Tensor] = []

    class Recorder(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            seen.append(images)
            return torch.zeros(len(images), 10, requires_grad=True)

    # Bright left half: a mirrored digit would be bright on the right.
    images = np.zeros((64, 1, 28, 28), np.uint8)
    images[:, :, :, :10] = 255
    pictures = datasets.Pictures(images, np.zeros(64, np.int64))
    for name in ("mnist-vit-apa", "fashion-mnist-vit-apa"):
        recipe = dataclasses.replace(RECIPES[name], erasing=0.0)
        recipe.loss(pictures)(Recorder(), torch.arange(64), Generator().manual_seed(0))
    digits, garments = (batch[:, 0, :, 18:].flatten(1).sum(1) > 0 for batch in seen)
    assert not bool(digits.any())
    assert 16 < int(garments.sum()) < 48


def test_train_command_runs_a_twins_recipe_and_writes_its_figures(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(datasets, "load", some_pictures)
    plan = Plan(
        epochs=1, batch_size=8, learning_rate=1e-3, weight_decay=0.0, warmup=0.1, ema_decay=0.9, clip=2.0, seed=0
    )
    monkeypatch.setitem(RECIPES, "cifar10-twins-apa", dataclasses.replace(RECIPES["cifar10-twins-apa"], plan=plan))
    train.main(["cifar10-twins-apa", "--runs", str(tmp_path)])
    assert (tmp_path / "cifar10-twins-apa" / "metrics.json").is_file()
    assert (tmp_path / "cifar10-twins-apa" / "checkpoint.pt").is_file()
