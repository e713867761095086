"""Which noise levels a run visits."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

_BETAS = np.linspace(1e-4, 0.02, 1000)


@lru_cache(maxsize=256)
def karras_sigmas(steps: int, sigma_min: float, sigma_max: float, rho: float = 7.0) -> tuple[float, ...]:
    """Return N + 1 levels, even in sigma^(1 / rho) from sigma_max to sigma_min, then 0 (Karras et al. 2022, eq. 5).

    Args:
        steps: N, at least 1; a single step goes from sigma_max to 0.
        sigma_min: Lowest level at which the denoiser is called, greater than 0.
        sigma_max: Highest level.
        rho: The larger, the more steps at low noise.
    """
    if steps == 1:
        return (sigma_max, 0.0)
    low, high = sigma_min ** (1 / rho), sigma_max ** (1 / rho)
    inner = ((high + step / (steps - 1) * (low - high)) ** rho for step in range(1, steps - 1))
    return (sigma_max, *inner, sigma_min, 0.0)


@lru_cache(maxsize=256)
def ddpm_sigmas(steps: int, sigma_min: float, sigma_max: float) -> tuple[float, ...]:
    """Return N + 1 levels, even in the time of the process with 1000 linear betas from 1e-4 to 0.02, then 0.

    Ho et al. 2020, arXiv 2006.11239, section 4; sigma = sqrt((1 - abar) / abar). Its levels reach from 0.01 to 157:
    of these only what lies within [sigma_min, sigma_max] is visited, since the denoiser knows no others.

    Args:
        steps: N, at least 1.
        sigma_min: Lowest level of the denoiser.
        sigma_max: Highest level of the denoiser.
    """
    kept = np.cumprod(1 - _BETAS)
    known = np.log(np.sqrt((1 - kept) / kept))
    time = np.arange(len(known), dtype=float)
    first = float(np.interp(math.log(sigma_max), known, time))
    last = float(np.interp(math.log(sigma_min), known, time))
    levels = np.exp(np.interp(np.linspace(first, last, steps), time, known))
    return (*(float(level) for level in np.clip(levels, sigma_min, sigma_max)), 0.0)
