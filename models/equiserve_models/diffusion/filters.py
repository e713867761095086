"""The low-pass filters of alias-free resampling as constant matrices, and the published 3x3 kernel.

A filter of even length on the grid of half-pixel centres keeps the centre of the picture where it is, so that
resampling commutes with quarter turns and flips. Beyond the border the picture is continued by its mirror image about
the *edge* of the border pixel (half-sample symmetry): a constant stays that constant up to the border, which zero
padding would darken, and no border pixel counts twice more than another.

Source: Karras et al. 2021, arXiv 2106.12423 (Kaiser filters, gain of the upsampling); Anjum 2024, arXiv 2411.09174 (the
3x3 kernel).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

TAPS = 12
KAISER_BETA = 5.0


def half_band(taps: int = TAPS, beta: float = KAISER_BETA) -> NDArray[np.float64]:
    """Return the Kaiser-windowed half-band low-pass for a factor of 2.

    Args:
        taps: Even length; tap k lies at k - (taps - 1) / 2 samples of the fine grid.
        beta: Of the Kaiser window.

    Returns:
        float64 [taps], of sum 1: gain 1 at frequency 0, 1/2 at a quarter of the fine sampling rate.
    """
    position = np.arange(taps) - (taps - 1) / 2
    kernel = np.sinc(position / 2) * np.kaiser(taps, beta)
    return np.asarray(kernel / kernel.sum())


def upsampling_matrix(size: int, kernel: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the matrix that doubles the samples of a signal: zeros between, low-pass, gain 2.

    Args:
        size: Samples of the signal.
        kernel: float64 [taps], even length, of sum 1.

    Returns:
        float64 [2 size, size]; every row has the sum 1.
    """
    reach = len(kernel) // 2
    matrix = np.zeros((2 * size, size))
    for fine in range(2 * size):
        for tap, weight in enumerate(kernel):
            place, between = divmod(fine - tap + reach - 1, 2)
            if not between:
                matrix[fine, _mirrored(place, size)] += 2 * weight
    return matrix


def downsampling_matrix(size: int, kernel: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the matrix that halves the samples of a signal: low-pass at unit gain, every second sample.

    Args:
        size: Samples of the signal, even.
        kernel: float64 [taps], even length, of sum 1.

    Returns:
        float64 [size / 2, size]; every row has the sum 1.
    """
    reach = len(kernel) // 2
    matrix = np.zeros((size // 2, size))
    for coarse in range(size // 2):
        for tap, weight in enumerate(kernel):
            matrix[coarse, _mirrored(2 * coarse + tap - reach + 1, size)] += weight
    return matrix


def published_kernel(beta: float = 2.0, normalised: bool = True) -> NDArray[np.float64]:
    """Return the paper's 3x3 kernel: circular low-pass at half the Nyquist frequency times Kaiser windows.

    Args:
        beta: Of the Kaiser windows.
        normalised: Whether it is divided by its sum (the suffix N of the paper's configurations).

    Returns:
        float64 [3, 3].
    """
    cutoff = np.pi / 2
    y, x = np.mgrid[-1:2, -1:2].astype(np.float64)
    radius = np.hypot(y, x)
    radius[1, 1] = 1.0
    kernel = cutoff * _bessel_j1(cutoff * radius) / (2 * np.pi * radius)
    kernel[1, 1] = cutoff**2 / (4 * np.pi)
    kernel *= np.outer(np.kaiser(3, beta), np.kaiser(3, beta))
    return np.asarray(kernel / kernel.sum() if normalised else kernel)


def response(kernel: NDArray[np.float64], frequency: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the real gain of a symmetric kernel along one axis.

    Args:
        kernel: float64 [taps], or [taps, taps], of which the sums over the other axis act along this one.
        frequency: Radians a sample of the fine grid, any shape.
    """
    along = kernel if kernel.ndim == 1 else kernel.sum(axis=0)
    position = np.arange(len(along)) - (len(along) - 1) / 2
    return np.asarray(np.cos(np.multiply.outer(frequency, position)) @ along)


def _bessel_j1(x: NDArray[np.float64]) -> NDArray[np.float64]:
    # Bessel's integral of a periodic function: the midpoint rule is exact to rounding.
    angle = (np.arange(64) + 0.5) * (np.pi / 64)
    return np.asarray(np.cos(angle - np.multiply.outer(x, np.sin(angle))).mean(-1))


def _mirrored(index: int, size: int) -> int:
    index %= 2 * size
    return index if index < size else 2 * size - 1 - index
