"""DPM-Solver++(2M) (Lu et al. 2022, arXiv 2211.01095, algorithm 2)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

from equiserve.numerics.solvers.solver import SolverState


def dpmpp_2m(
    state: SolverState, denoised: NDArray[Any], sigmas: Sequence[float], noise: NDArray[Any] | None
) -> SolverState:
    """Integrate the linear part exactly, the clean estimate as a line through its last two values; second order.

    The first step, and a last one to level 0, take the estimate as constant. The history is the previous estimate.
    """
    call = state.call
    level, following = sigmas[call], sigmas[call + 1]
    estimate = denoised
    if state.history and following > 0:
        half_ratio = 0.5 * math.log(level / following) / math.log(sigmas[call - 1] / level)
        estimate = denoised - state.history[0]
        estimate *= half_ratio
        estimate += denoised
    ratio = following / level
    x = estimate * (1 - ratio)
    if ratio > 0:
        x += state.x * ratio
    return SolverState(x, call + 1, (denoised,))
