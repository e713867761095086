"""iPNDM (Zhang and Chen 2023, arXiv 2204.13902; after Liu et al. 2022, arXiv 2202.09778): Adams and Bashforth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

from equiserve.numerics.solvers.solver import SolverState

# Coefficients of the slopes, the newest first, for as many as there are.
_ADAMS_BASHFORTH = (
    (1.0,),
    (3 / 2, -1 / 2),
    (23 / 12, -16 / 12, 5 / 12),
    (55 / 24, -59 / 24, 37 / 24, -9 / 24),
)


def ipndm(
    state: SolverState, denoised: NDArray[Any], sigmas: Sequence[float], noise: NDArray[Any] | None
) -> SolverState:
    """Go on with the last four slopes (x - D) / sigma, weighted as for even steps; the history is the last three.

    Steps that shrink smoothly, as those of a Karras schedule do, leave it at second order, with a small constant: the
    best of these solvers below ten calls.
    """
    call = state.call
    slope = state.x - denoised
    slope /= sigmas[call]
    slopes = (slope, *state.history)
    stride = sigmas[call + 1] - sigmas[call]
    x = state.x
    for coefficient, one in zip(_ADAMS_BASHFORTH[len(slopes) - 1], slopes, strict=True):
        x = x + one * (coefficient * stride)
    return SolverState(x, call + 1, slopes[:3])
