"""Solver, noise and rotation together, on denoisers that are known in closed form."""

from __future__ import annotations

import math

import numpy as np
import pytest

from equiserve.numerics.rotation import ROTATION_MODES, RotationMode, turn_noise
from equiserve.numerics.sampling import Sampling
from equiserve.numerics.solvers import SOLVERS

SIZE = 24


def pattern(angle_deg: float) -> np.ndarray:
    """A bar with one heavy end, in [-1, 1]: its angle is its own."""
    y, x = np.mgrid[:SIZE, :SIZE] - (SIZE - 1) / 2
    cos, sin = math.cos(math.radians(angle_deg)), math.sin(math.radians(angle_deg))
    along, across = cos * x - sin * y, -sin * x - cos * y
    bar = np.exp(-((along / 6) ** 2) - (across / 2) ** 2) + np.exp(-((along - 5) ** 2 + across**2) / 5)
    return (1.4 * bar - 1).astype(np.float32)


def angle_of(picture: np.ndarray) -> float:
    """Where the heavy end points, degrees: the first circular moment of what is brighter than the background."""
    y, x = np.mgrid[:SIZE, :SIZE] - (SIZE - 1) / 2
    weight = np.clip(picture + 1, 0, None)
    return math.degrees(math.atan2(-(weight * y).sum(), (weight * x).sum()))


def oriented_denoiser(x: np.ndarray, sigma: float, features: tuple[float, float, float], deviation: float = 0.4):
    """E[x0 | x] of N(pattern at the angle it is told, deviation^2)."""
    kept = np.float32(deviation**2 / (deviation**2 + sigma**2))
    told = math.degrees(math.atan2(features[1], features[0]))
    return kept * x + (1 - kept) * pattern(told)


def draw(solver: str, mode: RotationMode, angle: float, *, seeds=(1, 2), steps=12, deviation=0.4, **options):
    plan = Sampling.of(
        SOLVERS[solver], steps, (0.01, 40.0), shape=(1, SIZE, SIZE), seeds=seeds, mode=mode, angle_deg=angle, **options
    )
    state, calls = plan.start(), 0
    while not plan.ended(state):
        state = plan.advance(state, oriented_denoiser(state.x, plan.level(state), plan.features, deviation))
        calls += 1
    assert calls == plan.calls
    return plan.finished(state.x)


@pytest.mark.parametrize("mode", ROTATION_MODES)
@pytest.mark.parametrize("solver", SOLVERS)
def test_angle_zero_is_the_upright_picture_in_every_mode(mode, solver):
    np.testing.assert_array_equal(draw(solver, mode, 0), draw(solver, "conditioned", 0))


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("mode", ["conditioned", "exact"])
def test_a_quarter_turn_more_turns_the_picture_exactly(mode, solver):
    for angle in (0, 20, -30):
        expected = np.rot90(draw(solver, mode, angle), axes=(-2, -1))
        np.testing.assert_array_equal(draw(solver, mode, angle + 90), expected)


@pytest.mark.parametrize("mode", ["conditioned", "exact"])
@pytest.mark.parametrize("angle", [30, -75, 160])
def test_these_modes_reach_the_angle_that_was_asked_for(mode, angle):
    pictures = draw("dpmpp_2m", mode, angle, seeds=tuple(range(20)), deviation=0.1)
    error = (angle_of(pictures.mean(axis=0)[0]) - angle + 180) % 360 - 180
    assert abs(error) < 2


@pytest.mark.parametrize("angle", [20, 37])
def test_a_conditioned_model_draws_the_same_picture_turned(angle):
    """The initial noise is turned with the angle, so what the data leave open is turned as well."""
    upright, turned = draw("dpmpp_2m", "conditioned", 0), draw("dpmpp_2m", "conditioned", angle)
    back = turn_noise(turned, -angle)
    inside = np.hypot(*(np.mgrid[:SIZE, :SIZE] - (SIZE - 1) / 2)) < SIZE / 2 - 2
    same = np.corrcoef(back[..., inside].ravel(), upright[..., inside].ravel())[0, 1]
    other = np.corrcoef(back[::-1][..., inside].ravel(), upright[..., inside].ravel())[0, 1]
    assert same > 0.9 > other


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("mode", ["drift", "drift_x0"])
def test_a_model_of_upright_pictures_pulls_a_drift_back(mode, solver):
    """What the paper's rotation cannot overcome: it turns, the right way, and less than was asked for."""
    steps = 60 if solver == "ddpm" else 20
    pictures = draw(solver, mode, 60, seeds=tuple(range(20)), deviation=0.4, steps=steps)
    assert 0 < angle_of(pictures.mean(axis=0)[0]) < 45


@pytest.mark.parametrize("solver", SOLVERS)
def test_drift_turns_what_a_denoiser_leaves_alone_by_the_whole_angle(solver):
    """A denoiser that takes x for clean does not pull back: the steps' angles add up."""
    plan = Sampling.of(SOLVERS[solver], 10, (0.01, 40.0), shape=(1, SIZE, SIZE), seeds=(1,), mode="drift", angle_deg=40)
    state = plan.start()
    state = type(state)(pattern(0)[None, None])
    while not plan.ended(state):
        state = plan.advance(state, state.x)
    if solver != "ddpm":
        assert angle_of(state.x[0, 0]) == pytest.approx(40, abs=1)


def test_the_estimate_is_turned_within_the_band_only():
    plan = Sampling.of(
        SOLVERS["ddim"], 20, (0.01, 40.0), shape=(1, 8, 8), seeds=(1,), mode="drift_x0", angle_deg=90, band=(0.5, 2.0)
    )
    turning = [sigma for sigma, angle in zip(plan.sigmas, plan.drift_deg, strict=False) if angle]
    assert turning
    assert all(0.5 <= sigma <= 2 for sigma in turning)
    assert sum(plan.drift_deg) == pytest.approx(90)


@pytest.mark.parametrize("mode", ROTATION_MODES)
@pytest.mark.parametrize("solver", SOLVERS)
def test_each_picture_is_a_function_of_its_own_seed(mode, solver):
    together = draw(solver, mode, 25, seeds=(11, 12, 13))
    assert together.dtype == np.float32
    np.testing.assert_array_equal(together[1:2], draw(solver, mode, 25, seeds=(12,)))
