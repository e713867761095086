"""The ladder of kernels: the B-spline against scipy, exactness, fills, masks, and the order of accuracy."""

import numpy as np
import pytest
from scipy import ndimage

from equiserve.errors import InvalidRequest
from equiserve.numerics.bspline import evaluate_spline, spline_coefficients
from equiserve.numerics.kernels import KERNELS, transform
from equiserve.numerics.resampling import rotation_pullback, source_places, visible_pixels

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("shape", [(9, 9), (8, 13), (1, 6), (2, 2)])
def test_the_spline_goes_through_every_pixel(shape):
    picture = RNG.normal(size=(3, *shape))
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    places = np.stack([rows.ravel(), columns.ravel()]).astype(float)
    values = evaluate_spline(spline_coefficients(picture), places)
    np.testing.assert_allclose(values.reshape(picture.shape), picture, atol=1e-12)


def test_the_spline_equals_scipys_cubic_mirror_spline_anywhere():
    picture = RNG.normal(size=(11, 14))
    places = np.stack([RNG.uniform(-6, 16, 500), RNG.uniform(-8, 21, 500)])
    expected = ndimage.map_coordinates(picture, places, order=3, mode="mirror")
    np.testing.assert_allclose(evaluate_spline(spline_coefficients(picture), places, "reflect"), expected, atol=1e-10)


@pytest.mark.parametrize(("kernel", "order"), [("nearest", 0), ("bilinear", 1)])
def test_the_lower_rungs_equal_scipys(kernel, order):
    picture, pullback = RNG.normal(size=(9, 12)), rotation_pullback(33)
    places = source_places(pullback[None], 9, 12)[0]
    for fill, mode in (("edge", "nearest"), ("reflect", "mirror")):
        expected = ndimage.map_coordinates(picture, places, order=order, mode=mode).reshape(9, 12)
        np.testing.assert_allclose(transform(picture, pullback[None], kernel, fill)[0], expected, atol=1e-12)


@pytest.mark.parametrize("kernel", KERNELS)
def test_quarter_turns_are_numpys_up_to_the_kernels_own_error(kernel):
    y, x = np.mgrid[:24, :24] / 24
    picture = np.sin(5 * y) * np.cos(4 * x)
    moved = transform(picture, rotation_pullback(90)[None], kernel)[0]
    np.testing.assert_allclose(moved, np.rot90(picture), atol=0.02 if kernel == "upsample4" else 1e-12)
    mirrored = transform(picture, rotation_pullback(0, reflected=True)[None], kernel)[0]
    np.testing.assert_allclose(mirrored, picture[:, ::-1], atol=0.02 if kernel == "upsample4" else 1e-12)


def test_each_rung_is_better_than_the_one_below():
    y, x = np.mgrid[:48, :48] - 23.5
    inside = np.hypot(y, x) < 16
    pullback = rotation_pullback(30)
    wave = lambda rows, columns: np.sin(0.9 * rows + 0.3) * np.cos(0.7 * columns)  # noqa: E731
    truth = wave(pullback[0, 0] * y + pullback[0, 1] * x, pullback[1, 0] * y + pullback[1, 1] * x)
    errors = {
        kernel: np.abs(transform(wave(y, x), pullback[None], kernel)[0] - truth)[inside].mean() for kernel in KERNELS
    }
    assert errors["nearest"] > 2 * errors["bilinear"] > 20 * errors["bspline3"]
    assert errors["bilinear"] > 20 * errors["upsample4"]


@pytest.mark.parametrize("kernel", KERNELS)
def test_the_fill_decides_what_comes_in(kernel):
    picture = np.full((2, 7, 7), 3.0)
    turn = rotation_pullback(45)[None]
    np.testing.assert_allclose(transform(picture, turn, kernel, "edge"), 3, atol=1e-9)
    np.testing.assert_allclose(transform(picture, turn, kernel, "reflect"), 3, atol=1e-9)
    assert transform(picture, turn, kernel, "zero")[0, :, 0, 0].tolist() == [0, 0]
    assert transform(picture.astype(np.float32), turn, kernel).dtype == np.float32


def test_nearest_copies_ids_and_never_mixes_them():
    ids = RNG.choice([3, 200], (16, 16)).astype(np.uint8)
    moved = transform(ids, rotation_pullback(20)[None], "nearest", "zero")
    assert moved.dtype == np.uint8
    assert set(np.unique(moved)) <= {0, 3, 200}


def test_an_unknown_kernel_is_refused():
    with pytest.raises(InvalidRequest, match="lanczos"):
        transform(np.zeros((4, 4)), rotation_pullback(5)[None], "lanczos")


def test_the_mask_shows_what_comes_from_within_the_picture():
    masks = visible_pixels(np.stack([rotation_pullback(a) for a in (0, 90, 45)]), 9, 9)
    assert masks[0].all()
    assert masks[1].all()
    assert not masks[2, 0, 0]
    assert masks[2, 4].all()
    assert visible_pixels(rotation_pullback(90)[None], 5, 9)[0].sum() == 25
