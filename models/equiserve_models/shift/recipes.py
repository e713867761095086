"""How each shift classifier is trained: one table; a plain twin differs from its anchored network in nothing else."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Generator, Tensor, nn
from torch.nn.functional import cross_entropy

from equiserve_models.data import datasets
from equiserve_models.shift.vit import CONFIGS, ViT
from equiserve_models.training.augment import random_erasing, random_flip, random_translation
from equiserve_models.training.loop import Loss, Plan


@dataclass(frozen=True)
class Recipe:
    """A classifier and its training.

    Args:
        title: What the model is, in one sentence.
        network: Key of `equiserve_models.shift.vit.CONFIGS`.
        dataset: Key of `equiserve_models.data.datasets.SOURCES`.
        plan: What the optimiser does.
        translation: Largest zero-filled translation of the augmentation, pixels.
        erasing: Probability that a random rectangle is erased.
        label_smoothing: Share of the target that is spread over all classes.
    """

    title: str
    network: str
    dataset: str
    plan: Plan
    translation: int
    erasing: float
    label_smoothing: float

    def build(self) -> ViT:
        """Return the network with its seeded random weights."""
        torch.manual_seed(self.plan.seed)
        return ViT(CONFIGS[self.network])

    def loss(self, pictures: datasets.Pictures) -> Loss:
        """Return the loss of a batch of these pictures, augmented."""
        images, labels = torch.from_numpy(pictures.images), torch.from_numpy(pictures.labels)

        def loss_of(network: nn.Module, indices: Tensor, generator: Generator) -> Tensor:
            batch = random_flip(images[indices], generator)
            batch = random_translation(batch, self.translation, generator)
            batch = random_erasing(batch, self.erasing, generator)
            return cross_entropy(network(batch), labels[indices], label_smoothing=self.label_smoothing)

        return loss_of


_FASHION_APA = Recipe(
    title="Fashion-MNIST garments, vision transformer anchored at the canonical origin of the picture",
    network="vit28_apa",
    dataset="fashion-mnist",
    plan=Plan(
        epochs=16, batch_size=128, learning_rate=2e-3, weight_decay=0.05, warmup=0.1, ema_decay=0.998, clip=2.0, seed=0
    ),
    translation=2,
    erasing=0.3,
    label_smoothing=0.05,
)

RECIPES = {
    "fashion-mnist-vit-apa": _FASHION_APA,
    "fashion-mnist-vit": replace(
        _FASHION_APA, title="Fashion-MNIST garments, plain vision transformer with absolute positions", network="vit28"
    ),
}
