"""The nouns of sampling: where a request stands between two calls of the denoiser, and what takes it further."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from numpy.typing import NDArray

from equiserve.numerics.solvers.schedule import karras_sigmas


@dataclass(frozen=True, slots=True)
class SolverState:
    """Where one request stands.

    Attributes:
        x: Where the denoiser is called next, [n, C, H, W]; after the last call the finished pictures.
        call: Calls of the denoiser so far.
        history: At most three arrays like `x` that the solver wants to see again.
    """

    x: NDArray[Any]
    call: int = 0
    history: tuple[NDArray[Any], ...] = ()


class Advance(Protocol):
    """One call of the denoiser taken in."""

    def __call__(
        self, state: SolverState, denoised: NDArray[Any], sigmas: Sequence[float], noise: NDArray[Any] | None
    ) -> SolverState:
        """Return where the request stands next.

        Args:
            state: Where it stood.
            denoised: D(state.x, sigma of this call), like `state.x`.
            sigmas: Noise levels of the N steps' ends, N + 1 of them, falling; the last may be 0.
            noise: Standard normal, like `state.x`, for a stochastic solver; None where no noise is wanted.
        """


@dataclass(frozen=True, slots=True)
class Solver:
    """A solver and what a caller must know of it.

    Attributes:
        name: As callers write it.
        advance: Takes in one call of the denoiser.
        calls_a_step: 1, or 2 for a step that looks at its own end (the last one, to level 0, has nothing to look at).
        schedule: Makes the noise levels of N steps from N, sigma_min and sigma_max.
        stochastic: Whether each step but the last wants fresh noise.
        keeps_slopes: Whether its history holds slopes (x - D) / sigma; else points and clean estimates.
    """

    name: str
    advance: Advance
    calls_a_step: int = 1
    schedule: Callable[[int, float, float], tuple[float, ...]] = karras_sigmas
    stochastic: bool = False
    keeps_slopes: bool = False

    def calls(self, sigmas: Sequence[float]) -> int:
        """Return how often the denoiser is called for all of the levels."""
        steps = len(sigmas) - 1
        return self.calls_a_step * steps - (self.calls_a_step == 2 and sigmas[-1] == 0)

    def step(self, call: int) -> int:
        """Return the step that a call belongs to, counted from 0."""
        return call // self.calls_a_step

    def level(self, call: int, sigmas: Sequence[float]) -> float:
        """Return the noise level at which the denoiser is called."""
        return sigmas[self.step(call) + call % self.calls_a_step]

    def ends_step(self, call: int, sigmas: Sequence[float]) -> bool:
        """Return whether a step is complete once this call is taken in."""
        return call % self.calls_a_step == self.calls_a_step - 1 or call == self.calls(sigmas) - 1

    def wants_noise(self, call: int, sigmas: Sequence[float]) -> bool:
        """Return whether this call's step wants noise: those of a stochastic solver that end above level 0 do."""
        return self.stochastic and sigmas[self.step(call) + 1] > 0


class Preset(NamedTuple):
    """A solver and its number of steps."""

    solver: str
    steps: int
