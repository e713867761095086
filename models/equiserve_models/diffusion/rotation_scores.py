"""Requested against achieved angle over the full circle, for every rotation mode and for the paper's own sampler."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn, tensor

from equiserve.numerics import rotation as numerics_rotation
from equiserve.numerics.rotation import RotationMode
from equiserve_models.diffusion import angles, zoo
from equiserve_models.diffusion.judges import read
from equiserve_models.diffusion.pictures import DigitPictures, upright
from equiserve_models.diffusion.rotation import turned
from equiserve_models.diffusion.sampling import Sampler

REQUESTED = tuple(np.arange(-157.5, 181.0, 22.5))
# Of the paper's thousand steps, fewer angles.
REQUESTED_OF_PAPER = (-135.0, -90.0, -45.0, 45.0, 90.0, 135.0)
CLOSE = 10.0  # degrees
# Noise levels within which `drift_x0` may turn: the engine's default, the artifact's, a later one.
BANDS = (numerics_rotation.DRIFT_BAND, zoo.DRIFT_BAND, (0.05, 1.0))
BAND_ANGLE = 90.0


@dataclass(frozen=True)
class Way:
    """A mode with the solver that it is measured with, and on how many times the pictures that are asked for."""

    mode: RotationMode
    solver: str
    steps: int
    times: int = 1


WAYS = {
    # The shares of the default mode are to tell 98 % from 97.
    "conditioned": Way("conditioned", "dpmpp_2m", 12, times=4),
    "exact": Way("exact", "dpmpp_2m", 12),
    "drift_x0": Way("drift_x0", "dpmpp_2m", 20),
    "drift": Way("drift", "dpmpp_2m", 20),
    "drift, the paper's sampler": Way("drift", "ddpm", 1000),
}


def rotation_scores(
    sampler: Sampler, judges: dict[str, nn.Module], way: Way, labels: NDArray[np.int64]
) -> dict[str, Any]:
    """Return the scores of one way over the circle.

    Args:
        sampler: The denoiser.
        judges: By name.
        way: Mode, solver, steps.
        labels: int64 [N]; a picture a label at every angle, of the seeds 0, 1, ...

    Returns:
        `by_angle`: asked -> median achieved angle and scores; the scores over the angles that are no quarter turns
        (some modes make those exactly); and the largest difference of a quarter turn to the turned upright picture.
    """
    requested = REQUESTED_OF_PAPER if way.steps >= 1000 else REQUESTED
    reference = sampler.draw(labels, solver=way.solver, steps=way.steps)
    parts: list[dict[str, NDArray[np.float64]]] = []
    quarter_turn_difference = 0.0
    for asked in requested:
        drawn = sampler.draw(labels, solver=way.solver, steps=way.steps, mode=way.mode, angle_deg=asked)
        found = angles.register(drawn, reference)
        backs = angles.turned_back(drawn, asked)
        part = {
            "asked": np.full(len(labels), asked),
            "achieved": found.degrees,
            "error": angles.angle_error(found.degrees, asked),
            "correlation": angles.kept_correlation(drawn, reference, asked),
            "eq_r_db": angles.equivariance_psnr(drawn, reference, asked),
        }
        if asked % 90 == 0:
            expected = np.rot90(reference, round(asked / 90), axes=(-2, -1))
            quarter_turn_difference = max(quarter_turn_difference, float(np.abs(drawn - expected).max()))
        parts.append(part | {name: read(judge, backs).classes == labels for name, judge in judges.items()})
    every = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
    between = every["asked"] % 90 != 0
    small = (np.abs(every["asked"]) <= 90) & (every["asked"] != 0)
    return {
        "pictures": len(labels),
        "solver": way.solver,
        "steps": way.steps,
        **_scores({key: values[between] for key, values in every.items()}, judges),
        "quarter_turn_difference": quarter_turn_difference,
        # Beyond 90 degrees a drift may well go the other way round.
        "share_of_requested": float(np.median(every["achieved"][small] / every["asked"][small]))
        if small.any()
        else None,
        "by_angle": {
            f"{asked:g}": {"achieved": _circular_median(part["achieved"], asked), **_scores(part, judges)}
            for asked, part in zip(requested, parts, strict=True)
        },
    }


def band_scores(sampler: Sampler, judges: dict[str, nn.Module], labels: NDArray[np.int64]) -> dict[str, Any]:
    """Return, a band, what `drift_x0` makes of a request of 90 degrees: share of the angle, class kept, correlation.

    Args:
        sampler: The denoiser.
        judges: By name.
        labels: int64 [N].
    """
    way = WAYS["drift_x0"]
    reference = sampler.draw(labels, solver=way.solver, steps=way.steps)
    found = {}
    for band in BANDS:
        drawn = sampler.draw(
            labels, solver=way.solver, steps=way.steps, mode="drift_x0", angle_deg=BAND_ANGLE, band=band
        )
        backs = angles.turned_back(drawn, BAND_ANGLE)
        found[f"{band[0]:g} to {band[1]:g}"] = {
            "share_of_requested": float(np.median(angles.register(drawn, reference).degrees) / BAND_ANGLE),
            "correlation": float(np.median(angles.kept_correlation(drawn, reference, BAND_ANGLE))),
            **{
                f"class_kept_{name}": float((read(judge, backs).classes == labels).mean())
                for name, judge in judges.items()
            },
        }
    return found


def estimator_floor(data: DigitPictures, count: int) -> dict[str, float]:
    """Return the registration's own error: test digits, turned by the training's resampler, with pixel noise on them.

    Args:
        data: Digits on black.
        count: How many.
    """
    pictures, labels = upright(data, 4 * count, seed=1)
    asymmetric = np.flatnonzero(~np.isin(labels.numpy(), angles.SYMMETRIC))[:count]
    reference = pictures.numpy()[asymmetric]
    generator = np.random.default_rng(0)
    asked = generator.uniform(-180, 180, len(asymmetric)).astype(np.float32)
    moved = turned(tensor(reference), tensor(asked), -1.0).numpy() + 0.1 * generator.standard_normal(reference.shape)
    error = angles.angle_error(angles.register(moved.astype(np.float32), reference).degrees, asked.astype(np.float64))
    return {"median": float(np.median(error)), "p90": float(np.quantile(error, 0.9))}


def _scores(part: dict[str, NDArray[np.float64]], judges: dict[str, nn.Module]) -> dict[str, float]:
    return {
        "error_median": float(np.median(part["error"])),
        "error_p90": float(np.quantile(part["error"], 0.9)),
        "within_10_degrees": float((part["error"] <= CLOSE).mean()),
        "correlation": float(np.median(part["correlation"])),
        "eq_r_db": float(np.median(part["eq_r_db"])),
        **{f"class_kept_{name}": float(part[name].mean()) for name in judges},
    }


def _circular_median(achieved: NDArray[np.float64], asked: float) -> float:
    """Return the median angle, cut open opposite to what was asked."""
    return asked + float(np.median((achieved - asked + 180.0) % 360.0 - 180.0))
