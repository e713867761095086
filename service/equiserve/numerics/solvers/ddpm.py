"""DDPM's ancestral sampling (Ho, Jain and Abbeel 2020, arXiv 2006.11239, eq. 6 and 7), in terms of sigma."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

from equiserve.numerics.solvers.solver import SolverState


def ddpm(
    state: SolverState, denoised: NDArray[Any], sigmas: Sequence[float], noise: NDArray[Any] | None
) -> SolverState:
    """Draw the next x from its distribution given x and the clean estimate.

    Divided by sqrt(abar), the posterior of eq. 7 has mean D + (s'/s)^2 (x - D) and variance s'^2 (1 - (s'/s)^2) for a
    step from level s to s'. (The other choice of section 3.2, beta, is its limit for short steps.)
    """
    call = state.call
    ratio = sigmas[call + 1] / sigmas[call]
    x = state.x - denoised
    x *= ratio * ratio
    x += denoised
    if noise is not None:
        x += noise * (sigmas[call + 1] * math.sqrt(1 - ratio * ratio))
    return SolverState(x, call + 1)
