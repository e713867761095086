"""How each shift classifier is trained: one table; a plain twin differs from its anchored network in nothing else."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Generator, Tensor, nn
from torch.nn.functional import cross_entropy

from equiserve_models.data import datasets
from equiserve_models.shift import twins
from equiserve_models.shift.twins import Twins
from equiserve_models.shift.vit import CONFIGS, ViT
from equiserve_models.training.augment import random_erasing, random_flip, random_translation
from equiserve_models.training.loop import Loss, Plan


@dataclass(frozen=True)
class Recipe:
    """A classifier and its training.

    Args:
        title: What the model is, in one sentence.
        network: Key of `equiserve_models.shift.vit.CONFIGS` or `equiserve_models.shift.twins.CONFIGS`.
        dataset: Key of `equiserve_models.data.datasets.SOURCES`.
        plan: What the optimiser does.
        flip: Whether half of the pictures are mirrored left to right.
        translation: Largest translation of the augmentation, pixels.
        mirrored_border: Whether the mirrored picture comes in with it; black otherwise. Garments and digits lie on
            black; a photograph that is trained with black bars, which show where its frame is, is read worse without.
        erasing: Probability that a random rectangle is erased.
        label_smoothing: Share of the target that is spread over all classes.
    """

    title: str
    network: str
    dataset: str
    plan: Plan
    flip: bool
    translation: int
    mirrored_border: bool
    erasing: float
    label_smoothing: float

    def build(self) -> ViT | Twins:
        """Return the network with its seeded random weights."""
        torch.manual_seed(self.plan.seed)
        if self.network in twins.CONFIGS:
            return Twins(twins.CONFIGS[self.network])
        return ViT(CONFIGS[self.network])

    def loss(self, pictures: datasets.Pictures) -> Loss:
        """Return the loss of a batch of these pictures, augmented."""
        images, labels = torch.from_numpy(pictures.images), torch.from_numpy(pictures.labels)

        def loss_of(network: nn.Module, indices: Tensor, generator: Generator) -> Tensor:
            batch = random_flip(images[indices], generator) if self.flip else images[indices]
            batch = random_translation(batch, self.translation, generator, mirrored=self.mirrored_border)
            batch = random_erasing(batch, self.erasing, generator)
            return cross_entropy(network(batch), labels[indices], label_smoothing=self.label_smoothing)

        return loss_of


_FASHION_APA = Recipe(
    title="Fashion-MNIST garments, vision transformer anchored at the canonical origin of the picture",
    network="vit28_apa",
    dataset="fashion-mnist",
    plan=Plan(
        epochs=20,
        batch_size=128,
        learning_rate=2e-3,
        weight_decay=0.05,
        warmup=0.1,
        ema_decay=0.998,
        clip=2.0,
        seed=0,
        optimizer="muon",
    ),
    flip=True,
    translation=2,
    mirrored_border=False,
    erasing=0.3,
    label_smoothing=0.05,
)

_FASHION_TWINS_APA = replace(
    _FASHION_APA,
    title="Fashion-MNIST garments, Twins-SVT anchored at the canonical origin of the picture and before each attention",
    network="twins28_apa",
    plan=replace(_FASHION_APA.plan, epochs=10),
)

# The four ways by their names in `vit.CONFIGS` and `twins.CONFIGS`, and in words.
WAYS = {
    "": "plain layers",
    "_origin": "plain layers, canonical origin",
    "_published": "anchored layers as published",
    "_apa": "anchored layers, canonical origin",
}
ALIAS_FREE = {"_alias_free": "anchored layers, canonical origin, alias-free patch embedding"}
ABLATION_SEEDS = (0, 1, 2)


def _ablation(network: str, way: str, seed: int) -> Recipe:
    # What is recorded in docs/ablation was trained so.
    plan = replace(_FASHION_APA.plan, epochs=2, seed=seed, optimizer="adamw")
    title = f"Fashion-MNIST garments, ablation: {network}, {(WAYS | ALIAS_FREE)[way]}, seed {seed}"
    return replace(_FASHION_APA, title=title, network=network + way, plan=plan)


RECIPES = {
    "fashion-mnist-vit-apa": _FASHION_APA,
    "fashion-mnist-vit": replace(
        _FASHION_APA, title="Fashion-MNIST garments, plain vision transformer with absolute positions", network="vit28"
    ),
    "fashion-mnist-twins-apa": _FASHION_TWINS_APA,
    "fashion-mnist-twins": replace(
        _FASHION_TWINS_APA, title="Fashion-MNIST garments, plain Twins-SVT with zero padding", network="twins28"
    ),
    "mnist-vit-apa": replace(
        _FASHION_APA,
        title="MNIST digits, vision transformer anchored at the canonical origin of the picture",
        network="vit28_apa_mnist",
        dataset="mnist",
        plan=replace(_FASHION_APA.plan, epochs=4),
        flip=False,
        erasing=0.1,
    ),
    "cifar10-twins-apa": replace(
        _FASHION_TWINS_APA,
        title="CIFAR-10 (JPEG copy), Twins-SVT anchored at the canonical origin and before each attention",
        network="twins32_apa",
        dataset="cifar10-jpeg",
        plan=replace(_FASHION_APA.plan, epochs=20),
        translation=4,
        mirrored_border=True,
    ),
    **{
        f"ablation-{network}{way.replace('_', '-')}-{seed}": _ablation(network, way, seed)
        for network, ways in (("vit28", WAYS | ALIAS_FREE), ("twins28", WAYS))
        for way in ways
        for seed in ABLATION_SEEDS
    },
}
