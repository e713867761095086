from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from equiserve_models.shift import perturbations
from equiserve_models.shift.tie_pictures import circular_orbit

NOISE = np.random.default_rng(0).integers(1, 256, (60, 3, 12, 10), dtype=np.uint8)
SMOOTH = ndimage.gaussian_filter(np.random.default_rng(1).random((24, 24)), 2, mode="wrap")
SMOOTH = np.rint(255 * (SMOOTH - SMOOTH.min()) / np.ptp(SMOOTH)).astype(np.uint8)[None]


def generator() -> np.random.Generator:
    return np.random.default_rng(3)


@pytest.mark.parametrize(
    "name", ["random_circular_shift", "half_pixel_shift", "mirror", "random_affine", "random_erasing"]
)
def test_every_perturbation_keeps_shape_and_type_changes_pictures_and_repeats_its_draws(name: str) -> None:
    perturb = getattr(perturbations, name)
    first, again = perturb(NOISE, generator()), perturb(NOISE, generator())
    assert (first.shape, first.dtype) == (NOISE.shape, np.uint8)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, NOISE)


def test_random_circular_shift_gives_each_picture_a_shift_of_its_own() -> None:
    shifted = perturbations.random_circular_shift(NOISE, generator())
    places = []
    for picture, moved in zip(NOISE, shifted, strict=True):
        (place,) = np.flatnonzero((circular_orbit(picture) == moved).all((1, 2, 3)))
        places.append(place)
    assert len(set(places)) > 30


def test_zero_filled_shift_loses_content_up_to_its_reach() -> None:
    moved = perturbations.zero_filled_shift(NOISE, generator(), reach=2)
    black_rows = (moved == 0).all((1, 3)).sum(1)
    assert set(black_rows.tolist()) == {0, 1, 2}
    assert (moved[:, :, 2:-2, 2:-2] > 0).all()


@pytest.mark.parametrize("size", [9, 12])
def test_half_sample_delay_is_exact_for_every_frequency_below_nyquist(size: int) -> None:
    n = np.arange(size)
    for cycles in range((size - 1) // 2 + 1):
        signal, delayed = (np.cos(2 * np.pi * cycles * (n - delay) / size + 0.3) for delay in (0, 0.5))
        np.testing.assert_allclose(perturbations.half_sample_matrix(size) @ signal, delayed, atol=1e-12)


def test_half_pixel_shift_is_a_circular_shift_of_the_picture_between_its_pixels() -> None:
    y, x = np.mgrid[:16, :16].astype(float)

    def picture(dy: float, dx: float) -> np.ndarray:
        wave = np.sin(2 * np.pi * (y - dy) / 16) + np.cos(2 * np.pi * (2 * (x - dx) + y - dy) / 16)
        return np.rint(128 + 60 * wave)[None]

    moved = perturbations.half_pixel_shift(picture(0, 0).astype(np.uint8)[None], generator())[0].astype(float)
    errors = [np.abs(moved - picture(i + 0.5, j + 0.5)).max() for i in range(16) for j in range(16)]
    assert min(errors) <= 2  # grey levels: rounding of the pixels that went in and of those that come out


def test_mirror_reverses_the_columns() -> None:
    assert np.array_equal(perturbations.mirror(NOISE, generator()), np.flip(NOISE, 3))


def test_warp_by_a_quarter_turn_and_by_whole_pixels_moves_pixels_exactly() -> None:
    square = NOISE[0, :, :10]
    turned = perturbations.warp(square, np.array([[0.0, -1.0], [1.0, 0.0]]), np.zeros(2))
    assert np.array_equal(turned, np.rot90(square, -1, (1, 2)))  # x to y, and y points down: clockwise
    moved = perturbations.warp(square, np.eye(2), np.array([3.0, -2.0]))
    assert np.array_equal(moved[:, :8, 3:], square[:, 2:, :7])
    assert not moved[:, 8:].any()
    assert not moved[:, :, :3].any()


def test_warp_agrees_with_scipy_inside_the_picture() -> None:
    linear, offset = np.array([[1.1, -0.3], [0.4, 0.9]]), np.array([1.3, -0.6])
    warped = perturbations.warp(SMOOTH, linear, offset)[0]
    back = np.linalg.inv(linear)[::-1, ::-1]  # scipy counts (row, column)
    centre = np.full(2, 11.5)
    expected = ndimage.affine_transform(SMOOTH[0].astype(float), back, centre - back @ (centre + offset[::-1]), order=1)
    assert np.abs(warped - expected)[7:-7, 7:-7].max() <= 2


def test_affine_motions_stay_in_the_published_ranges(monkeypatch: pytest.MonkeyPatch) -> None:
    motions = []

    def record(image: np.ndarray, linear: np.ndarray, offset: np.ndarray) -> np.ndarray:
        motions.append((linear, offset))
        return image

    monkeypatch.setattr(perturbations, "warp", record)
    perturbations.random_affine(np.zeros((400, 1, 20, 30), np.uint8), generator())
    linear, offsets = (np.stack(part) for part in zip(*motions, strict=True))
    angles = np.degrees(np.arctan2(linear[:, 1, 0], linear[:, 0, 0]))
    scales = np.hypot(linear[:, 0, 0], linear[:, 1, 0])
    # Shear and rotation keep areas: what is left of the second column along the first is the shear.
    shears = np.degrees(np.arctan((linear[:, :, 0] * linear[:, :, 1]).sum(1) / scales**2))
    np.testing.assert_allclose(np.linalg.det(linear), scales**2)
    for values, low, high in (
        (angles, -30, 30), (scales, 0.8, 1.2), (shears, -10, 10), (offsets[:, 0], -3, 3), (offsets[:, 1], -2, 2),
    ):  # fmt: skip
        assert low <= values.min() < low + 0.05 * (high - low)
        assert high - 0.05 * (high - low) < values.max() <= high


def test_erasing_blackens_one_rectangle_of_the_published_area() -> None:
    white = np.full((300, 2, 28, 28), 255, np.uint8)
    erased = perturbations.random_erasing(white, generator())
    shares = []
    for picture in erased:
        assert np.array_equal(picture[0], picture[1])
        rows, columns = np.nonzero(picture[0] == 0)
        height, width = np.ptp(rows) + 1, np.ptp(columns) + 1
        assert len(rows) == height * width
        shares.append(len(rows) / 784)
    assert 0.01 < min(shares) < 0.04
    assert 0.30 < max(shares) < 0.35
