"""The exported graph: a clean estimate D(x; sigma) around the network, preconditioned in float32.

Two objectives. `edm`: the network sees unit variance and predicts a mixture of picture and noise, so that its error is
never amplified (Karras et al. 2022, arXiv 2206.00364, table 1). `epsilon`: the paper's (DDPM), the network predicts the
noise, and the clean estimate is what is left. Both are trained on pictures in [-1, 1] and conditioned on ln(sigma) / 4.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Generator, Tensor, nn

from equiserve_models.diffusion.unet import UNet, UNetConfig

# Below it the clean estimate is the noisy picture within float32; keeps the logarithm finite at 0.
SMALLEST_SIGMA = 1e-5
# What solvers ask for: the end of an EDM schedule, the beginning of the paper's.
LEVELS = (0.002, 160.0)


@dataclass(frozen=True)
class Objective:
    """What the network predicts and at which noise levels it is trained.

    Args:
        kind: `edm` or `epsilon`.
        sigma_data: Standard deviation of the pixels, which `edm` assumes.
        log_mean, log_std: Of ln(sigma) in training, `edm`.
        tail: Share of the levels, `edm`, that are drawn log-uniformly over all levels a solver may ask for: the normal
            distribution hardly knows the highest, and there the picture's brightness is decided.
        steps, beta_first, beta_last: Of the linear DDPM schedule, `epsilon`.
    """

    kind: Literal["edm", "epsilon"]
    sigma_data: float = 0.5
    log_mean: float = -0.8
    log_std: float = 1.4
    tail: float = 0.06
    steps: int = 1000
    beta_first: float = 1e-4
    beta_last: float = 0.02

    def noise_levels(self, count: int, generator: Generator) -> Tensor:
        """Draw the noise levels of a batch, float32 [count]; each in a stratum of its own, in random order."""
        order = torch.randperm(count, generator=generator)
        place = (order + torch.rand(count, generator=generator, dtype=torch.float64)) / count
        if self.kind == "edm":
            normal = self.log_mean + self.log_std * math.sqrt(2) * torch.erfinv(2 * place.clamp(1e-6, 1 - 1e-6) - 1)
            lowest, highest = (math.log(level) for level in LEVELS)
            uniform = lowest + (highest - lowest) * torch.rand(count, generator=generator, dtype=torch.float64)
            in_tail = torch.rand(count, generator=generator) < self.tail
            return torch.where(in_tail, uniform, normal).exp().float()
        # t uniform in [1, T), as the paper draws it.
        return self.schedule()[(1 + place * (self.steps - 1)).long()].float()

    def schedule(self) -> Tensor:
        """Return sigma of every DDPM step, float64 [steps], rising: sqrt((1 - alpha_bar) / alpha_bar)."""
        betas = torch.linspace(self.beta_first, self.beta_last, self.steps, dtype=torch.float64)
        alpha_bar = torch.cumprod(1 - betas, 0)
        return ((1 - alpha_bar) / alpha_bar).sqrt()

    def scales(self, sigma: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return what x is multiplied with beside, after and before the network: c_skip, c_out, c_in."""
        # A product, not a power: for a single row ONNX Runtime hands a power to the C library, which rounds otherwise.
        square = sigma * sigma
        if self.kind == "epsilon":
            return torch.ones_like(sigma), -sigma, torch.rsqrt(square + 1)
        variance = square + self.sigma_data**2
        return self.sigma_data**2 / variance, sigma * self.sigma_data * torch.rsqrt(variance), torch.rsqrt(variance)

    def weight(self, sigma: Tensor) -> Tensor:
        """Return the weight of the squared error of D at a noise level: 1 / c_out^2."""
        return self.scales(sigma)[1].square().reciprocal()


class Denoiser(nn.Module):
    """The clean estimate of noisy pictures, x float32 [B, C, H, W] -> denoised float32 [B, C, H, W]."""

    def __init__(self, config: UNetConfig, objective: Objective) -> None:
        super().__init__()
        self.objective = objective
        self.network = UNet(config)

    def forward(self, x: Tensor, sigma: Tensor, label: Tensor, angle: Tensor) -> Tensor:
        """Estimate.

        Args:
            x: Picture in [-1, 1] plus noise of standard deviation sigma, [B, C, H, W].
            sigma: Noise level, float32 [B].
            label: Class, int64 [B]; the number of classes means none.
            angle: (cos, sin, 1) of the angle by which what is drawn is turned counter-clockwise as seen, or
                (0, 0, 0) for no statement, float32 [B, 3].
        """
        sigma = sigma.clamp(min=SMALLEST_SIGMA)
        skip, out, inside = (scale[:, None, None, None] for scale in self.objective.scales(sigma))
        return skip * x + out * self.network(inside * x, sigma, label, angle)
