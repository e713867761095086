"""How each denoiser is trained: one table, and the loss."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Generator, Tensor, nn

from equiserve_models.diffusion.denoiser import Denoiser, Objective
from equiserve_models.diffusion.equivariance import equivariance_error
from equiserve_models.diffusion.pictures import DataSet, DigitPictures
from equiserve_models.diffusion.rotation import LARGEST_ANGLE, angle_condition
from equiserve_models.diffusion.unet import CONFIGS
from equiserve_models.training.loop import Loss, Plan

# Beyond 45 degrees a little, so that the angles that are asked for lie inside of what was learnt.
TRAINED_ANGLE = LARGEST_ANGLE + 5.0


@dataclass(frozen=True)
class Recipe:
    """A denoiser and its training.

    Args:
        title: What the model draws, in one sentence.
        network: Key of `equiserve_models.diffusion.unet.CONFIGS`.
        dataset: Key of the data.
        objective: What the network predicts, at which noise levels.
        plan: What the optimiser does.
        turned: Share of the pictures that are turned, by any angle within `TRAINED_ANGLE`; the others are upright.
        label_dropout: Share of the rows that are shown no class, which guidance needs.
        angle_dropout: Share of the rows that are shown no angle.
        equivariance: Weight of the equivariance loss; 0 for none.
        guidance: The weight of the class that the artifact asks for; other than 1 it costs a second row within
            `guidance_band`.
        guidance_band: Noise levels within which the class is weighed.
    """

    title: str
    network: str
    dataset: DataSet
    objective: Objective
    plan: Plan
    turned: float = 0.8
    label_dropout: float = 0.1
    angle_dropout: float = 0.1
    equivariance: float = 0.0
    guidance: float = 1.35
    guidance_band: tuple[float, float] = (0.6, 4.0)

    def build(self) -> Denoiser:
        """Return the denoiser with its seeded random weights."""
        torch.manual_seed(self.plan.seed)
        return Denoiser(CONFIGS[self.network], self.objective)

    def loss(self, pictures: DigitPictures) -> Loss:
        """Return the loss of a batch of these pictures: the weighted squared error of the clean estimate."""
        classes = CONFIGS[self.network].classes

        def loss_of(denoiser: nn.Module, indices: Tensor, generator: Generator) -> Tensor:
            count = len(indices)
            degrees = TRAINED_ANGLE * (2 * torch.rand(count, generator=generator) - 1)
            degrees = degrees * (torch.rand(count, generator=generator) < self.turned)
            clean = pictures.batch(indices, degrees, generator)
            no_class = torch.rand(count, generator=generator) < self.label_dropout
            label = pictures.labels[indices].masked_fill(no_class, classes)
            stated = torch.rand(count, generator=generator) >= self.angle_dropout
            sigma = self.objective.noise_levels(count, generator)
            noise = torch.randn(clean.shape, generator=generator)
            noisy = clean + sigma[:, None, None, None] * noise
            denoised = denoiser(noisy, sigma, label, angle_condition(degrees, stated))
            weight = self.objective.weight(sigma)[:, None, None, None]
            loss = (weight * (denoised - clean).square()).mean()
            if self.equivariance:
                error = equivariance_error(denoiser, clean, noise, sigma, label, degrees, generator)
                loss = loss + self.equivariance * error
            return loss

        return loss_of


_MNIST = Recipe(
    title="MNIST digits of any class and angle, alias-free denoiser",
    network="digits28-B",
    dataset="mnist",
    objective=Objective(kind="edm", sigma_data=0.6),
    plan=Plan(
        epochs=12, batch_size=64, learning_rate=3e-3, weight_decay=0.0, warmup=0.03, ema_decay=0.999, clip=1.0, seed=0,
        optimizer="muon",
    ),
)  # fmt: skip

# The paper's table under one small budget: the same pictures in the same order, three seeds.
COMPARED = ("A", "B", "C", "D", "B-2N", "D-2N")
SEEDS = (0, 1, 2)


def _compared(letter: str, seed: int) -> Recipe:
    return replace(
        _MNIST,
        title=f"MNIST digits, comparison of the configurations: {letter}, seed {seed}",
        network=f"small28-{letter}",
        plan=replace(_MNIST.plan, epochs=2, seed=seed),
    )


RECIPES = {
    "mnist-diffusion-base": _MNIST,
    # Begins at the base's weights: nearly all pictures turned, and more of the noise levels that decide the digit.
    "mnist-diffusion": replace(
        _MNIST,
        objective=replace(_MNIST.objective, log_mean=-0.4, log_std=1.2),
        plan=replace(_MNIST.plan, epochs=10, learning_rate=1.5e-3),
        turned=0.95,
    ),
    "mnist-diffusion-pooled": replace(
        _MNIST, title="MNIST digits of any class and angle, pooling instead of alias-free filters", network="digits28-A"
    ),
    "mnistm-diffusion": replace(
        _MNIST,
        title="Colour digits on photographs (MNIST-M style) of any class and angle of the digit, alias-free denoiser",
        network="colour28-B",
        dataset="mnist-m-style",
        objective=Objective(kind="edm", sigma_data=0.45),
        plan=replace(_MNIST.plan, epochs=8),
        guidance=2.0,
        guidance_band=(0.0, 100.0),
    ),
    # The paper's objective.
    "mnist-diffusion-epsilon": replace(
        _MNIST, title="MNIST digits, the paper's objective: noise predicted", objective=Objective(kind="epsilon")
    ),
    **{f"comparison-{letter}-{seed}": _compared(letter, seed) for letter in COMPARED for seed in SEEDS},
}
