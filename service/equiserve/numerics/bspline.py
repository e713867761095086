"""Cubic B-spline interpolation of pictures: the reference kernel (Unser, Aldroubi and Eden 1993).

Twice continuously differentiable, and far more accurate than bilinear or the usual bicubic on smooth content (see the
table in `resampling`); slower, so that it serves as a control and not as the default.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equiserve.numerics.resampling import Fill, mirrored


def spline_coefficients(pictures: NDArray[Any]) -> NDArray[np.float64]:
    """Return the coefficients of the cubic spline through every pixel, mirrored about the border pixels.

    Args:
        pictures: [..., H, W], any real dtype.

    Returns:
        [..., H, W] float64.
    """
    rows, columns = _prefilter(pictures.shape[-2]), _prefilter(pictures.shape[-1])
    return np.asarray(rows @ pictures.astype(np.float64) @ columns.T)


def evaluate_spline(
    coefficients: NDArray[np.float64], places: NDArray[np.float64], fill: Fill = "edge"
) -> NDArray[np.float64]:
    """Return the values of splines anywhere.

    Args:
        coefficients: [..., H, W] from `spline_coefficients`.
        places: [2, P] rows and columns in pixels.
        fill: What lies beyond the border: 0, the nearest border point, or the mirror image about the border pixel.

    Returns:
        [..., P].
    """
    height, width = coefficients.shape[-2:]
    rows, row_weights, row_inside = _taps(places[0], height, fill)
    columns, column_weights, column_inside = _taps(places[1], width, fill)
    flat = coefficients.reshape(*coefficients.shape[:-2], height * width)
    values = np.zeros((*coefficients.shape[:-2], places.shape[1]))
    for row, row_weight in zip(rows, row_weights, strict=True):
        for column, column_weight in zip(columns, column_weights, strict=True):
            values += row_weight * column_weight * flat[..., row * width + column]
    return values * (row_inside & column_inside)


@lru_cache(maxsize=32)
def _prefilter(size: int) -> NDArray[np.float64]:
    """Return the matrix [size, size] from samples to coefficients: the inverse of sampling a cubic spline."""
    sampling = np.diag(np.full(size, 4 / 6))
    for k in range(size):
        for neighbour in (k - 1, k + 1):
            sampling[k, int(mirrored(np.array(neighbour), size))] += 1 / 6
    matrix = np.linalg.inv(sampling)
    matrix.flags.writeable = False
    return matrix


def _taps(
    position: NDArray[np.float64], size: int, fill: Fill
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.bool_]]:
    """Return the four coefficients' indices and weights at each position, both [4, P], and visibility [P]."""
    inside = np.ones(position.shape, np.bool_)
    if fill == "edge":
        position = np.clip(position, 0, size - 1)
    elif fill == "zero":
        inside = (position >= -0.5) & (position <= size - 0.5)
    before = np.floor(position)
    t = position - before
    weights = np.stack([(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3]) / 6
    indices = mirrored(before[None] + np.arange(-1, 3)[:, None], size)
    return indices.astype(np.int64), weights, inside
