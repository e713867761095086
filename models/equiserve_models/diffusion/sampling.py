"""Pictures of an exported denoiser, drawn by the server's own solvers, noise and rotation modes."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

import numpy as np
from numpy.typing import NDArray

from equiserve.numerics.rotation import RotationMode
from equiserve.numerics.sampling import Sampling
from equiserve.numerics.solvers import SOLVERS
from equiserve_models.diffusion.zoo import DRIFT_BAND, SIGMA_MAX, SIGMA_MIN, Runner

ROWS = 50  # pictures of one call of the denoiser
NO_CLASS = 10


@dataclass(frozen=True)
class Sampler:
    """A loaded denoiser, and what its manifest says of it.

    Args:
        runner: The denoiser.
        shape: Of one picture, [C, H, W].
        guidance: The weight of the class where a call of `draw` names none.
        guidance_band: Noise levels within which the class is weighed.
        seeds_from: Added to every seed: pictures that no choice was made by.
    """

    runner: Runner
    shape: tuple[int, int, int]
    guidance: float = 1.0
    guidance_band: tuple[float, float] = (0.0, inf)
    seeds_from: int = 0

    @property
    def guided(self) -> str:
        """Weight and band, as text."""
        low, high = self.guidance_band
        return f"{self.guidance:g}" if (low, high) == (0.0, inf) else f"{self.guidance:g} in {low:g} to {high:g}"

    def draw(
        self,
        labels: NDArray[np.int64],
        *,
        first_seed: int = 0,
        solver: str = "dpmpp_2m",
        steps: int = 12,
        mode: RotationMode = "exact",
        angle_deg: float = 0.0,
        guidance: float | None = None,
        band: tuple[float, float] = DRIFT_BAND,
    ) -> NDArray[np.float32]:
        """Draw a picture a label, of seeds that follow one another.

        Args:
            labels: int64 [N].
            first_seed: Seed of the first picture.
            solver: Key of `equiserve.numerics.solvers.SOLVERS`.
            steps: Steps of the solver.
            mode: How the angle comes about.
            angle_deg: Counter-clockwise as seen.
            guidance: By how much the class is exaggerated: the estimate of no class, and so many times what the class
                changes of it (Ho and Salimans 2022, arXiv 2207.12598); 1 calls the denoiser once a step, others twice
                within `guidance_band`.
            band: Noise levels within which `drift_x0` turns.

        Returns:
            float32 [N, C, H, W] in [-1, 1].
        """
        first_seed += self.seeds_from
        weight, (low, high) = np.float32(self.guidance if guidance is None else guidance), self.guidance_band
        drawn = []
        for at in range(0, len(labels), ROWS):
            part = labels[at : at + ROWS]
            plan = Sampling.of(
                SOLVERS[solver],
                steps,
                (SIGMA_MIN, SIGMA_MAX),
                shape=self.shape,
                seeds=tuple(range(first_seed + at, first_seed + at + len(part))),
                mode=mode,
                angle_deg=angle_deg,
                band=band,
            )
            angle = np.tile(np.array(plan.features, np.float32), (len(part), 1))
            state = plan.start()
            while not plan.ended(state):
                level = plan.level(state)
                sigma = np.full(len(part), level, np.float32)
                x = np.ascontiguousarray(state.x, np.float32)
                denoised = self.runner((x, sigma, part, angle))
                if weight != 1 and low <= level <= high:
                    unguided = self.runner((x, sigma, np.full_like(part, NO_CLASS), angle))
                    denoised = unguided + weight * (denoised - unguided)
                state = plan.advance(state, denoised)
            drawn.append(plan.finished(state.x))
        return np.clip(np.concatenate(drawn), -1, 1).astype(np.float32)
