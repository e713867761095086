"""The ladder of interpolation kernels, from the crudest to the reference.

A figure that changes from one good kernel to a better one is made by the kernel, not by the model: repeat what looks
bad with `bspline3` before you blame the model.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from equiserve.errors import InvalidRequest
from equiserve.numerics import bspline, resampling
from equiserve.numerics.resampling import Fill

#: ``upsample4`` is what the checks use: upsampled four times, then read bilinearly.
Kernel = Literal["nearest", "bilinear", "upsample4", "bspline3"]
KERNELS: tuple[Kernel, ...] = get_args(Kernel)


def transform(
    pictures: NDArray[Any], pullbacks: NDArray[np.float64], kernel: Kernel = "upsample4", fill: Fill = "edge"
) -> NDArray[Any]:
    """Return each picture moved by each linear map about its centre, through one kernel.

    Args:
        pictures: [..., H, W], any real dtype.
        pullbacks: [n, 2, 2], as in `resampling.resample`.
        kernel: One of `KERNELS`.
        fill: As in `resampling.resample`.

    Returns:
        [n, ..., H, W]; float64 for float64 pictures, else float32; the pictures' dtype for ``nearest``, which only
        copies values (class ids stay class ids).

    Raises:
        InvalidRequest: Unknown kernel.
    """
    if kernel not in KERNELS:
        raise InvalidRequest(f"kernel: got {kernel!r}, expected one of {KERNELS}", field="kernel")
    if kernel == "upsample4":
        return resampling.resample(resampling.upsample(pictures), pullbacks, fill)
    height, width = pictures.shape[-2:]
    sources = resampling.source_places(pullbacks, height, width)
    if kernel == "bspline3":
        coefficients = bspline.spline_coefficients(pictures)
        moved = np.stack([bspline.evaluate_spline(coefficients, places, fill) for places in sources])
    else:
        read = _nearest if kernel == "nearest" else _bilinear
        moved = np.stack([read(pictures, places, fill) for places in sources])
    moved = moved.reshape(len(pullbacks), *pictures.shape)
    if kernel == "nearest":
        return moved
    return moved if pictures.dtype == np.float64 else moved.astype(np.float32)


def _nearest(pictures: NDArray[Any], places: NDArray[np.float64], fill: Fill) -> NDArray[Any]:
    height, width = pictures.shape[-2:]
    inside = ((places >= -0.5) & (places <= np.array([[height], [width]]) - 0.5)).all(axis=0)
    row, column = (
        _within(np.floor(axis + 0.5).astype(np.int64), size, fill)
        for axis, size in zip(places, (height, width), strict=True)
    )
    values: NDArray[Any] = pictures[..., row, column]
    return values if fill != "zero" else np.where(inside, values, 0).astype(pictures.dtype)


def _bilinear(pictures: NDArray[Any], places: NDArray[np.float64], fill: Fill) -> NDArray[np.float64]:
    height, width = pictures.shape[-2:]
    values = np.zeros((*pictures.shape[:-2], places.shape[1]))
    if fill == "edge":
        places = np.clip(places, 0, np.array([[height], [width]]) - 1)
    before = np.floor(places).astype(np.int64)
    part = places - before
    for dy in (0, 1):
        for dx in (0, 1):
            weight = np.where(dy, part[0], 1 - part[0]) * np.where(dx, part[1], 1 - part[1])
            row, column = _within(before[0] + dy, height, fill), _within(before[1] + dx, width, fill)
            values += weight * pictures[..., row, column]
    inside = ((places >= -0.5) & (places <= np.array([[height], [width]]) - 0.5)).all(axis=0)
    return values if fill != "zero" else values * inside


def _within(index: NDArray[np.int64], size: int, fill: Fill) -> NDArray[np.int64]:
    if fill == "reflect":
        return resampling.mirrored(index, size).astype(np.int64)
    return np.clip(index, 0, size - 1)
