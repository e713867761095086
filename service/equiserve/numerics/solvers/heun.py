"""Heun's method (Karras et al. 2022, arXiv 2206.00364, algorithm 1): two calls of the denoiser a step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

from equiserve.numerics.solvers.solver import SolverState


def heun(
    state: SolverState, denoised: NDArray[Any], sigmas: Sequence[float], noise: NDArray[Any] | None
) -> SolverState:
    """Go to the next level with Euler's slope, then with the mean of the slopes at both ends; second order.

    Between the two calls the history is where the step began, and the slope there.
    """
    step, second = divmod(state.call, 2)
    level, following = sigmas[step], sigmas[step + 1]
    if second:
        start, first_slope = state.history
        slope = state.x - denoised
        slope /= following
        slope += first_slope
        slope *= 0.5 * (following - level)
        slope += start
        return SolverState(slope, state.call + 1)
    slope = state.x - denoised
    slope /= level
    x = slope * (following - level)
    x += state.x
    return SolverState(x, state.call + 1, (state.x, slope))
