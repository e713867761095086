"""Resampling against fields whose rotation is known in closed form; scipy and plain bilinear for comparison."""

import numpy as np
import pytest
from scipy import fft, ndimage

from equiserve.numerics import resampling

SIZE = 96
ANGLES = (7.0, 30.0, 45.0, 73.0)


def pullback(angle):
    """Inverse rotation on (y, x), y down, for content that turns counter-clockwise on the screen."""
    cos, sin = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
    return np.array([[cos, sin], [-sin, cos]])


def field(highest, seed):
    """Return a function of (y, x): 60 random waves, uniform in the disc of frequencies below ``highest``."""
    rng = np.random.default_rng(seed)
    frequency, direction, phase = (
        highest * np.sqrt(rng.random(60)),
        2 * np.pi * rng.random(60),
        2 * np.pi * rng.random(60),
    )

    def value(y, x):
        along = np.multiply.outer(np.sin(direction), y) + np.multiply.outer(np.cos(direction), x)
        return np.cos(2 * np.pi * frequency[:, None, None] * along + phase[:, None, None]).sum(axis=0)

    return value


def zero_padded(picture):
    """Return the cosine series of the picture on the fine grid, as it is."""
    fine = np.zeros((4 * SIZE, 4 * SIZE))
    fine[:SIZE, :SIZE] = fft.dctn(picture, type=2)
    return fft.idctn(fine, type=2) * 16


def errors(highest, seed):
    """Return relative L2 errors of one rotation, by kernel, inside 0.6 of the inscribed disc, mean over angles."""
    y, x = np.mgrid[:SIZE, :SIZE] - (SIZE - 1) / 2
    inside = np.hypot(y, x) < 0.3 * SIZE
    wave = field(highest, seed)
    picture = wave(y, x)
    ours = resampling.resample(resampling.upsample(picture), np.stack([pullback(a) for a in ANGLES]))
    plain = resampling.resample(zero_padded(picture), np.stack([pullback(a) for a in ANGLES]))
    found = {
        name: [] for name in ("this module", "without prefilter", "bilinear", "cubic B-spline", "quintic B-spline")
    }
    for angle, mine, unfiltered in zip(ANGLES, ours, plain, strict=True):
        (cos, sin), _ = pullback(angle)
        truth = wave(cos * y + sin * x, -sin * y + cos * x)
        rivals = {
            name: ndimage.rotate(picture, angle, reshape=False, order=order, mode="mirror")
            for name, order in (("bilinear", 1), ("cubic B-spline", 3), ("quintic B-spline", 5))
        }
        for name, moved in {"this module": mine, "without prefilter": unfiltered, **rivals}.items():
            found[name].append(np.linalg.norm((moved - truth)[inside]) / np.linalg.norm(truth[inside]))
    return {name: np.mean(values) for name, values in found.items()}


@pytest.mark.parametrize(("highest", "bound"), [(0.125, 0.001), (0.25, 0.0035), (0.4, 0.010)])
def test_a_rotation_is_as_accurate_as_the_docstring_says(highest, bound):
    by_seed = [errors(highest, seed) for seed in range(3)]
    mean = {name: np.mean([found[name] for found in by_seed]) for name in by_seed[0]}
    print(f"\ncontent below {highest} cycles a pixel: {', '.join(f'{k} {v:.5f}' for k, v in mean.items())}")
    assert mean["this module"] < bound
    assert mean["this module"] < mean["bilinear"] / 20
    assert mean["this module"] < mean["without prefilter"] / 2
    if highest == 0.4:
        assert mean["this module"] < mean["quintic B-spline"]


@pytest.mark.parametrize("shape", [(9, 9), (8, 11), (1, 5)])
def test_a_constant_stays_constant(shape):
    fine = resampling.upsample(np.full(shape, 7.0))
    assert fine.shape == (4 * shape[0], 4 * shape[1])
    np.testing.assert_allclose(fine, 7.0, rtol=1e-12)
    for fill in ("edge", "reflect"):
        moved = resampling.resample(fine, np.stack([pullback(a) for a in (0, 33)]), fill)
        np.testing.assert_allclose(moved, 7.0, rtol=1e-12)


def test_elements_and_planes_are_independent_of_their_company():
    pictures = np.random.default_rng(0).normal(size=(2, 3, 10, 12))
    maps = np.stack([pullback(a) for a in (10, 20, 200)])
    together = resampling.resample(resampling.upsample(pictures), maps)
    assert together.shape == (3, 2, 3, 10, 12)
    for k in range(3):
        alone = resampling.resample(resampling.upsample(pictures[1, 2]), maps[k : k + 1])
        np.testing.assert_allclose(together[k, 1, 2], alone[0], rtol=1e-12, atol=1e-12)


def test_large_orbits_are_gathered_in_parts_without_a_seam(monkeypatch):
    fine = resampling.upsample(np.random.default_rng(0).normal(size=(2, 10, 10)))
    maps = np.stack([pullback(a) for a in range(0, 70, 10)])
    whole = resampling.resample(fine, maps)
    monkeypatch.setattr(resampling, "_GATHER_SAMPLES", 500)
    np.testing.assert_array_equal(resampling.resample(fine, maps), whole)


@pytest.mark.parametrize(
    ("given", "kept"), [(np.uint8, np.float32), (np.float32, np.float32), (np.float64, np.float64)]
)
def test_precision_follows_the_input(given, kept):
    fine = resampling.upsample(np.ones((4, 4), given))
    assert fine.dtype == resampling.resample(fine, pullback(20)[None]).dtype == kept


@pytest.mark.parametrize("shape", [(28, 28), (29, 29), (20, 31)])
def test_the_disc_mask_is_symmetric_and_falls_from_one_to_zero(shape):
    mask = resampling.disc_mask(*shape)
    y, x = (np.arange(n) - (n - 1) / 2 for n in shape)
    radius = np.hypot(y[:, None], x[None, :])
    assert (mask[radius <= min(shape) / 2 - 1.5] == 1).all()
    assert (mask[radius >= min(shape) / 2] == 0).all()
    np.testing.assert_array_equal(mask, mask[::-1])
    np.testing.assert_array_equal(mask, mask[:, ::-1])
    if shape[0] == shape[1]:
        np.testing.assert_array_equal(mask, mask.T)
