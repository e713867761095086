"""The equivariance loss: turn the noisy picture and the stated angle, and the clean estimate must turn with them.

After AF-LDM (Zhou et al. 2025, arXiv 2503.09419), which does it for shifts: filters alone are not enough.
"""

from __future__ import annotations

import torch
from torch import Generator, Tensor, nn

from equiserve_models.diffusion.rotation import LARGEST_ANGLE, angle_condition, turned


def inscribed_disc(size: int) -> Tensor:
    """Return the pixels whose centre lies in the inscribed disc, bool [size, size]: every turn maps it onto itself."""
    place = torch.arange(size) - (size - 1) / 2
    return place.square()[:, None] + place.square() <= (size / 2) ** 2


def turned_noise(noise: Tensor, degrees: Tensor) -> Tensor:
    """Turn white noise and bring it back to unit variance, which interpolation lowers: [B, C, n, n] -> the same."""
    moved = turned(noise, degrees, 0.0)
    disc = inscribed_disc(noise.shape[-1])
    return moved / moved[:, :, disc].std(dim=(1, 2))[:, None, None, None]


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
    moved = turned(clean, extra, -1.0) + level * turned_noise(noise, extra)
    of_moved = denoiser(moved, sigma, label, angle_condition(degrees + extra, stated))
    return (of_moved - turned(estimate, extra, -1.0))[:, :, inscribed_disc(clean.shape[-1])].square().mean()
