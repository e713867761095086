"""DDIM (Song, Meng and Ermon 2021, arXiv 2010.02502, eq. 12 with eta = 0): Euler's method in sigma."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

from equiserve.numerics.solvers.solver import SolverState


def ddim(
    state: SolverState, denoised: NDArray[Any], sigmas: Sequence[float], noise: NDArray[Any] | None
) -> SolverState:
    """Keep the noise that x has beside its clean estimate, at the next level; first order."""
    call = state.call
    x = state.x - denoised
    x *= sigmas[call + 1] / sigmas[call]
    x += denoised
    return SolverState(x, call + 1)
