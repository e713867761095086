"""The equivariance loss: turn the noisy picture and the stated angle, and the clean estimate must turn with them.

After AF-LDM (Zhou et al. 2025, arXiv 2503.09419), which does it for shifts: filters alone are not enough.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Generator, Tensor, nn

from equiserve.numerics.rotation import turn_noise
from equiserve_models.diffusion.rotation import LARGEST_ANGLE, angle_condition, turned


def inscribed_disc(size: int) -> Tensor:
    """Return the pixels whose centre lies in the inscribed disc, bool [size, size]: every turn maps it onto itself."""
    place = torch.arange(size) - (size - 1) / 2
    return place.square()[:, None] + place.square() <= (size / 2) ** 2


def equivariance_error(
    denoiser: nn.Module,
    clean: Tensor,
    noise: Tensor,
    sigma: Tensor,
    label: Tensor,
    degrees: Tensor,
    generator: Generator,
) -> Tensor:
    """Return the mean squared difference, in the disc, of the turned estimate and the estimate of the turned picture.

    Args:
        denoiser: As `Denoiser`.
        clean: Pictures whose content has the angle `degrees`, float32 [B, C, n, n].
        noise: Unit noise on them, of the same shape.
        sigma: Noise levels, float32 [B].
        label: int64 [B].
        degrees: float32 [B].
        generator: Chooses the turn of each picture.
    """
    extra = LARGEST_ANGLE * (2 * torch.rand(len(clean), generator=generator) - 1) - degrees
    stated = torch.ones(len(clean), dtype=torch.bool)
    level = sigma[:, None, None, None]
    estimate = denoiser(clean + level * noise, sigma, label, angle_condition(degrees, stated))
    turned_noise = np.stack([turn_noise(one, angle) for one, angle in zip(noise.numpy(), extra.tolist(), strict=True)])
    moved = turned(clean, extra, -1.0) + level * torch.from_numpy(turned_noise)
    of_moved = denoiser(moved, sigma, label, angle_condition(degrees + extra, stated))
    return (of_moved - turned(estimate, extra, -1.0))[:, :, inscribed_disc(clean.shape[-1])].square().mean()
