from __future__ import annotations

import numpy as np
import pytest
from scipy import signal, special

pytest.importorskip("torch", reason="the train extra is not installed")

import torch

from equiserve_models.diffusion import filters
from equiserve_models.diffusion.resampling import BILINEAR, FilteredSiLU, Kernel, doubling, halving
from equiserve_models.diffusion.unet import HALF_BAND, POOLED, PUBLISHED

QUARTERS = np.array([0, np.pi / 4, np.pi / 2, 3 * np.pi / 4, np.pi])


def gains(kernel: np.ndarray) -> list[float]:
    return [round(float(gain), 3) + 0.0 for gain in filters.response(kernel, QUARTERS)]


def test_half_band_filter_passes_what_the_coarse_grid_holds_and_stops_the_rest() -> None:
    kernel = filters.half_band()
    # The same design by scipy: a window on an ideal low-pass at half of the Nyquist frequency.
    expected = signal.firwin(12, 0.5, window=("kaiser", 5.0), scale=True)
    np.testing.assert_allclose(kernel, expected, atol=1e-12)
    assert gains(kernel) == pytest.approx([1, 0.985, 0.501, 0.016, 0], abs=1e-3)
    stop_band = filters.response(kernel, np.linspace(0.8 * np.pi, np.pi, 200))
    assert np.abs(stop_band).max() < 0.01


@pytest.mark.parametrize(
    ("beta", "expected"),
    [
        (0.0, [1.00, 0.83, 0.42, 0.00, -0.17]),
        (1.0, [1.00, 0.85, 0.47, 0.10, -0.05]),
        (2.0, [1.0, 0.89, 0.62, 0.35, 0.23]),
    ],
)
def test_published_kernel_has_no_stop_band(beta: float, expected: list[float]) -> None:
    assert gains(filters.published_kernel(beta)) == pytest.approx(expected, abs=0.01)


def test_published_kernel_is_the_circular_low_pass_of_bessel() -> None:
    cutoff = np.pi / 2
    kernel = filters.published_kernel(0.0, normalised=False)
    assert kernel[1, 2] == pytest.approx(cutoff * special.j1(cutoff) / (2 * np.pi), rel=1e-12)
    root = np.sqrt(2)
    assert kernel[0, 0] == pytest.approx(cutoff * special.j1(cutoff * root) / (2 * np.pi * root), rel=1e-12)
    # Brightness changes at every resampling where it is not divided by its sum.
    assert [filters.published_kernel(beta, False).sum() for beta in (0.0, 1.0)] == pytest.approx([1.15, 0.89], abs=0.01)


def test_published_doubling_darkens_to_a_quarter_and_ripples() -> None:
    constant = torch.ones(1, 1, 14, 14)
    inner = doubling(14, 1, PUBLISHED["2N"])(constant)[0, 0, 4:-4, 4:-4]
    assert float(inner.mean()) == pytest.approx(0.25, abs=1e-6)
    assert (float(inner.min()), float(inner.max())) == pytest.approx((0.145, 0.377), abs=2e-3)


@pytest.mark.parametrize("kernel", [HALF_BAND, POOLED])
@pytest.mark.parametrize("size", [7, 14])
def test_resampling_keeps_a_constant_up_to_the_border(kernel: Kernel, size: int) -> None:
    constant = torch.full((1, 2, size, size), 0.7)
    torch.testing.assert_close(doubling(size, 2, kernel)(constant), torch.full((1, 2, 2 * size, 2 * size), 0.7))
    wide = torch.full((1, 2, 2 * size, 2 * size), 0.7)
    torch.testing.assert_close(halving(2 * size, 2, kernel)(wide), constant)
    torch.testing.assert_close(
        FilteredSiLU(size, 2, kernel)(constant), torch.nn.functional.silu(constant), rtol=1e-5, atol=1e-6
    )


def test_matrices_are_the_filters_far_from_the_border() -> None:
    kernel, generator = filters.half_band(), np.random.default_rng(0)
    x = generator.standard_normal(40)
    up, down = filters.upsampling_matrix(40, kernel), filters.downsampling_matrix(40, kernel)
    np.testing.assert_allclose((up @ x)[12:-12], signal.upfirdn(2 * kernel, x, up=2)[5:][12 : 80 - 12], atol=1e-12)
    np.testing.assert_allclose((down @ x)[6:-6], signal.upfirdn(kernel, x, down=1)[6::2][6:14], atol=1e-12)


def test_border_is_continued_by_its_mirror_image() -> None:
    kernel, generator = filters.half_band(), np.random.default_rng(1)
    x = generator.standard_normal(8)
    mirrored = np.pad(x, 8, mode="symmetric")
    up = filters.upsampling_matrix(24, kernel) @ mirrored
    np.testing.assert_allclose(filters.upsampling_matrix(8, kernel) @ x, up[16:32], atol=1e-12)
    down = filters.downsampling_matrix(24, kernel) @ mirrored
    np.testing.assert_allclose(filters.downsampling_matrix(8, kernel) @ x, down[4:8], atol=1e-12)


@pytest.mark.parametrize("kernel", [HALF_BAND, POOLED])
def test_resampling_commutes_with_quarter_turns_and_flips(kernel: Kernel) -> None:
    x = torch.randn(2, 3, 14, 14, dtype=torch.float64)
    for layer in (doubling(14, 3, kernel).double(), halving(14, 3, kernel).double()):
        torch.testing.assert_close(layer(x.rot90(1, (2, 3))), layer(x).rot90(1, (2, 3)))
        torch.testing.assert_close(layer(x.flip(3)), layer(x).flip(3))


def test_bilinear_doubling_is_that_of_torch() -> None:
    x = torch.randn(1, 2, 7, 7)
    expected = torch.nn.functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
    torch.testing.assert_close(doubling(7, 2, POOLED)(x), expected)
    assert BILINEAR.sum() == 1


def test_layout_of_training_gives_the_same_resampling() -> None:
    x = torch.randn(2, 3, 14, 14)
    for layer in (doubling(14, 3, HALF_BAND), halving(14, 3, HALF_BAND)):
        torch.testing.assert_close(layer(x.to(memory_format=torch.channels_last)), layer(x))
