"""Drawing pictures step by step: solver, noise and rotation together, as a program that someone else runs.

Whoever runs it calls the denoiser: the server through its batches, an evaluation in a loop.

    >>> from equiserve.numerics.solvers import SOLVERS
    >>> plan = Sampling.of(SOLVERS["ipndm"], 8, (0.002, 80.0), shape=(1, 8, 8), seeds=(7,), mode="exact", angle_deg=30)
    >>> state = plan.start()
    >>> while not plan.ended(state):
    ...     denoised = state.x / (1 + plan.level(state) ** 2)  # the denoiser of standard normal pictures
    ...     state = plan.advance(state, denoised)
    >>> plan.finished(state.x).shape
    (1, 1, 8, 8)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from equiserve.numerics.noise import standard_normal
from equiserve.numerics.rotation import (
    DRIFT_BAND,
    RotationMode,
    angle_features,
    drift,
    drift_x0_angles,
    signed_angle,
    split_angle,
    turn_estimate,
    turn_noise,
    turn_picture,
)
from equiserve.numerics.solvers import Solver, SolverState


@dataclass(frozen=True, slots=True)
class Sampling:
    """What will be drawn, and how. Frozen: all that changes is the `SolverState`.

    Attributes:
        solver: Takes in the denoiser's answers.
        sigmas: N + 1 noise levels.
        shape: Of one picture, [C, H, W].
        seeds: Of the n pictures.
        mode: How the angle comes about.
        angle_deg: Counter-clockwise as seen.
        told_deg: What a conditioned denoiser is told.
        drift_deg: What each step turns, [N]; empty where none does.
    """

    solver: Solver
    sigmas: tuple[float, ...]
    shape: tuple[int, int, int]
    seeds: tuple[int, ...]
    mode: RotationMode
    angle_deg: float
    told_deg: float
    drift_deg: tuple[float, ...]

    @classmethod
    def of(
        cls,
        solver: Solver,
        steps: int,
        levels: tuple[float, float],
        *,
        shape: tuple[int, int, int],
        seeds: tuple[int, ...],
        mode: RotationMode = "exact",
        angle_deg: float = 0.0,
        band: tuple[float, float] = DRIFT_BAND,
    ) -> Self:
        """Return the plan of n pictures.

        Args:
            solver: One of `SOLVERS`.
            steps: N, at least 1.
            levels: The denoiser's lowest and highest noise level.
            shape: Of one picture, [C, H, W]; square where it is turned.
            seeds: One a picture.
            mode: See `numerics.rotation`.
            angle_deg: Counter-clockwise as seen.
            band: Noise levels within which `drift_x0` turns.
        """
        sigmas = solver.schedule(steps, *levels)
        told, drifts = 0.0, tuple[float, ...]()
        if mode == "conditioned":
            told = split_angle(angle_deg)[1]
        elif mode == "drift" and signed_angle(angle_deg):
            drifts = (signed_angle(angle_deg) / steps,) * steps
        elif mode == "drift_x0" and signed_angle(angle_deg):
            drifts = drift_x0_angles(signed_angle(angle_deg), sigmas, band)
        return cls(solver, sigmas, shape, seeds, mode, angle_deg, told, drifts)

    @property
    def calls(self) -> int:
        """How often the denoiser is called."""
        return self.solver.calls(self.sigmas)

    @property
    def features(self) -> tuple[float, float, float]:
        """What a conditioned denoiser is told of the angle: cosine, sine, 1."""
        return angle_features(self.told_deg)

    @property
    def resamples(self) -> bool:
        """Whether taking in an answer resamples pictures: ten times the work of a solver alone."""
        return bool(self.drift_deg) or (self.solver.stochastic and self.told_deg != 0)

    def start(self) -> SolverState:
        """Return pure noise of the highest level."""
        noise = self._noise(0)
        noise *= self.sigmas[0]
        return SolverState(noise)

    def ended(self, state: SolverState) -> bool:
        """Return whether the pictures are drawn."""
        return state.call >= self.calls

    def level(self, state: SolverState) -> float:
        """Return the noise level at which the denoiser is to be called at `state.x`."""
        return self.solver.level(state.call, self.sigmas)

    def advance(self, state: SolverState, denoised: NDArray[Any]) -> SolverState:
        """Take in the denoiser's answer at `state.x`, [n, C, H, W]; nothing that is given is changed."""
        solver, call = self.solver, state.call
        step = solver.step(call)
        noise = self._noise(1 + step) if solver.wants_noise(call, self.sigmas) else None
        following = solver.advance(state, denoised, self.sigmas, noise)
        if self.drift_deg and self.drift_deg[step] and solver.ends_step(call, self.sigmas):
            return self._drifted(following, denoised, self.drift_deg[step])
        return following

    def _drifted(self, state: SolverState, denoised: NDArray[Any], angle_deg: float) -> SolverState:
        """Return the state after its step's turn; the history moves with x, or a solver would extrapolate the turn."""
        if self.mode == "drift":
            return SolverState(
                drift(state.x, angle_deg), state.call, tuple(drift(one, angle_deg) for one in state.history)
            )
        change = turn_estimate(denoised, angle_deg)
        # x and the estimates move, the noise between them does not: a slope, (x - D) / sigma, is noise.
        history = state.history if self.solver.keeps_slopes else tuple(one + change for one in state.history)
        return SolverState(state.x + change, state.call, history)

    def finished(self, pictures: NDArray[Any]) -> NDArray[Any]:
        """Return what a caller sees of final pictures, or of clean estimates on the way there, [n, C, H, W]."""
        if self.mode == "exact":
            return turn_picture(pictures, self.angle_deg)
        if self.mode == "conditioned":
            return turn_picture(pictures, 90.0 * split_angle(self.angle_deg)[0])
        return pictures

    def _noise(self, draw: int) -> NDArray[np.float32]:
        noise = standard_normal(self.seeds, draw, self.shape)
        return turn_noise(noise, self.told_deg) if self.told_deg else noise
