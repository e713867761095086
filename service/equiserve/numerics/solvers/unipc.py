"""UniPC of order 2 (Zhao et al. 2023, arXiv 2302.04867, algorithms 1 and 2; B(h) = exp(h) - 1, clean estimates)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

from equiserve.numerics.solvers.solver import SolverState


def unipc(
    state: SolverState, denoised: NDArray[Any], sigmas: Sequence[float], noise: NDArray[Any] | None
) -> SolverState:
    """Correct the step that led here with the estimate found at its end, then predict the next one; third order.

    The corrector costs no call of its own. The history is where the last step began, corrected, and the last two
    estimates.
    """
    call = state.call
    x = state.x
    if call > 0:
        x = _corrected(state, denoised, sigmas)
    level, following = sigmas[call], sigmas[call + 1]
    phi = following / level - 1  # expm1(-h), h = log(level / following)
    moved = x * (following / level)
    estimate = denoised
    if call > 0 and following > 0:
        # Half of the slope of the estimate over log sigma, times the step.
        weight = 0.5 * math.log(level / following) / math.log(sigmas[call - 1] / level)
        estimate = denoised + (denoised - state.history[1]) * weight
    moved -= estimate * phi
    return SolverState(moved, call + 1, (x, denoised, *state.history[1:2]))


def _corrected(state: SolverState, denoised: NDArray[Any], sigmas: Sequence[float]) -> NDArray[Any]:
    """Return x at this call's level anew, from where the step to it began (eq. 9)."""
    call = state.call
    level, following = sigmas[call - 1], sigmas[call]
    start, estimate, *older = state.history
    h = math.log(level / following)
    phi = math.expm1(-h)
    change: NDArray[Any] = denoised - estimate
    if older:
        r = -math.log(sigmas[call - 2] / level) / h  # where the older estimate lies, in steps
        b_1 = (phi / -h - 1) / phi
        b_2 = 2 * ((phi / -h - 1) / -h - 0.5) / phi
        rho = (b_1 - b_2) / (1 - r)
        change *= b_1 - rho
        change += (older[0] - estimate) * (rho / r)
    else:
        change *= 0.5
    change += estimate
    change *= -phi
    change += start * (following / level)
    return change
