"""Turning noise, estimates and pictures: exact where it can be, unit variance, angles that add up."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import ndimage

from equiserve.numerics.noise import SEEDS, seeds_from, standard_normal
from equiserve.numerics.resampling import disc_mask
from equiserve.numerics.rotation import (
    angle_features,
    drift,
    drift_x0_angles,
    signed_angle,
    split_angle,
    turn_estimate,
    turn_noise,
    turn_picture,
)
from equiserve.numerics.solvers import karras_sigmas

RNG = np.random.default_rng(0)


def blob(angle_deg: float, size: int = 28) -> np.ndarray:
    """A bar with a heavy end, on black, turned by so much: its angle is its own."""
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    cos, sin = math.cos(math.radians(angle_deg)), math.sin(math.radians(angle_deg))
    along, across = cos * x - sin * y, -sin * x - cos * y
    value = np.exp(-((along / 6) ** 2) - (across / 2) ** 2) + np.exp(-((along - 6) ** 2 + across**2) / 6)
    return 2 * value - 1


@pytest.mark.parametrize(
    ("angle", "expected"),
    [(0, 0), (180, 180), (-180, 180), (181, -179), (270, -90), (720, 0), (-90, -90), (1e6, -80)],
)
def test_the_signed_angle_is_the_short_way_round(angle, expected):
    assert signed_angle(angle) == pytest.approx(expected)


@pytest.mark.parametrize("angle", [*range(-400, 401, 9), 45, -45, 135, 44.999999999])
def test_an_angle_is_quarter_turns_and_a_rest(angle):
    turns, rest = split_angle(angle)
    assert turns in range(4)
    assert -45 <= rest < 45
    assert (90 * turns + rest - angle) % 360 == pytest.approx(0, abs=1e-6) or (
        90 * turns + rest - angle
    ) % 360 == pytest.approx(360, abs=1e-6)


def test_the_angle_is_counter_clockwise_as_seen():
    np.testing.assert_allclose(turn_picture(blob(0), 30), blob(30), atol=0.03)
    np.testing.assert_array_equal(turn_picture(blob(0), 90), np.rot90(blob(0)))
    assert angle_features(90) == pytest.approx((0, 1, 1))


@pytest.mark.parametrize("angle", [7, 30, 77, -160])
def test_quarter_turns_of_what_was_turned_are_exact(angle):
    noise, picture = RNG.normal(size=(2, 3, 28, 28)).astype(np.float32)
    for turn, array in ((turn_noise, noise), (turn_picture, picture)):
        np.testing.assert_array_equal(turn(array, angle + 90), np.rot90(turn(array, angle), axes=(-2, -1)))


def test_an_exactly_turned_picture_has_empty_corners():
    turned = turn_picture(np.ones((1, 28, 28), np.float32), 45)
    assert turned[0, 0, 0] == turned[0, -1, -1] == -1
    assert turned[0, 14, 14] == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("angle", [3, 22.5, -45, 130])
@pytest.mark.parametrize("size", [12, 13])
def test_turned_noise_is_white_the_turn_is_orthogonal(angle, size):
    pixels = np.eye(size * size)
    turn = turn_noise(pixels.reshape(-1, size, size), angle).reshape(pixels.shape)
    np.testing.assert_allclose(turn @ turn.T, pixels, atol=1e-14)


@pytest.mark.parametrize("angle", [7, 22.5, -45, 130])
def test_noise_turns_as_pictures_do(angle):
    smooth = ndimage.gaussian_filter(RNG.normal(size=(28, 28)), 1.5) * disc_mask(28, 28, taper=8)
    np.testing.assert_allclose(turn_noise(smooth, angle), turn_picture(smooth, angle, 0.0), atol=0.01)


@pytest.mark.parametrize("angle", [0.09, 4.5, 30, -60])
def test_the_paper_s_drift_is_scipys_spline_on_a_torus(angle):
    x = RNG.normal(size=(2, 20, 20))
    expected = ndimage.rotate(x, angle, axes=(1, 2), reshape=False, order=3, mode="grid-wrap")
    np.testing.assert_allclose(drift(x, angle), expected, atol=1e-9)


def test_a_turned_estimate_moves_the_picture_and_leaves_the_noise():
    clean, noise = blob(0)[None], RNG.normal(size=(1, 28, 28))
    x = clean + 0.5 * noise
    np.testing.assert_allclose(x + turn_estimate(clean, 20) - 0.5 * noise, blob(20)[None], atol=0.05)


@pytest.mark.parametrize("steps", [1, 2, 6, 20, 250])
def test_the_angles_of_the_band_add_up_to_the_whole(steps):
    sigmas = karras_sigmas(steps, 0.002, 80.0)
    angles = drift_x0_angles(70, sigmas, (0.3, 5.0))
    assert len(angles) == steps
    assert sum(angles) == pytest.approx(70)
    if steps >= 20:
        assert all(0.3 <= sigma <= 5 for sigma, angle in zip(sigmas, angles, strict=False) if angle)


@pytest.mark.parametrize("turn", [turn_noise, turn_picture, drift, turn_estimate])
def test_one_of_several_is_turned_as_it_is_alone_bit_for_bit(turn):
    many = RNG.normal(size=(7, 1, 28, 28)).astype(np.float32)
    together = turn(many, 17)
    assert together.dtype == np.float32
    np.testing.assert_array_equal(together, np.concatenate([turn(many[k : k + 1], 17) for k in range(7)]))


def test_noise_is_a_function_of_seed_and_draw_alone():
    assert standard_normal((5,), 0, (1, 2, 2)).tobytes() == standard_normal((4, 5), 0, (1, 2, 2))[1:].tobytes()
    first, second = standard_normal((5,), 0, (1, 50, 50)), standard_normal((5,), 1, (1, 50, 50))
    assert abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 4 / 50
    assert seeds_from(SEEDS - 1, 3) == (SEEDS - 1, 0, 1)
    assert standard_normal((SEEDS - 1,), 1000, (1, 1, 1)).shape == (1, 1, 1, 1)


@pytest.mark.parametrize("seed", [0, 7, SEEDS - 1])
@pytest.mark.parametrize("draw", [0, 3])
def test_the_noise_is_numpy_s_philox_keyed_by_the_seed(seed, draw):
    generator = np.random.Generator(np.random.Philox(key=seed, counter=[0, 0, 0, draw]))
    expected = generator.standard_normal((2, 3, 5), np.float32)
    np.testing.assert_array_equal(standard_normal((1, seed), draw, (2, 3, 5))[1], expected)


def test_the_noise_of_a_seed_is_what_it_was():
    """A numpy that draws otherwise would change every picture: it must be noticed."""
    drawn = standard_normal((7,), 0, (1, 1, 4)).ravel()
    np.testing.assert_allclose(drawn, [-0.293339014, 1.70383060, 1.53919184, 0.636753857], rtol=1e-6)
