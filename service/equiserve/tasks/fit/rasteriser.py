"""Triangles to pixels: a z-buffer in numpy, for small pictures of meshes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_BACKGROUND = -1
# Pixels that are tested at a time: bounds the memory, and how long one numpy call takes.
_AT_A_TIME = 200_000


def rasterise(corners: Floats, height: int, width: int) -> tuple[NDArray[np.int64], Floats]:
    """Return which triangle is in front at each pixel, and how far it is.

    Args:
        corners: Triangles in pixel coordinates, [F, 3, 3]: column, row, and depth (larger is farther).
        height, width: Of the picture.

    Returns:
        Index of the triangle [height, width], -1 where there is none, and depth [height, width], inf there.
    """
    owner = np.full(height * width, _BACKGROUND)
    depth = np.full(height * width, np.inf)
    low = np.floor(corners[..., :2].min(axis=1)).astype(np.int64)
    size = np.ceil(corners[..., :2].max(axis=1)).astype(np.int64) - low + 1
    shown = (low < (width, height)).all(axis=1) & (low + size > 0).all(axis=1)
    # Triangles of about one size are tested on one square of pixels each.
    side = 1 << np.ceil(np.log2(size.max(axis=1))).astype(np.int64)
    for square in np.unique(side[shown]):
        chosen = np.flatnonzero(shown & (side == square))
        step = max(1, _AT_A_TIME // int(square) ** 2)
        for start in range(0, len(chosen), step):
            some = chosen[start : start + step]
            _draw(corners[some], some, low[some], int(square), owner, depth, (height, width))
    return owner.reshape(height, width), depth.reshape(height, width)


def _draw(
    corners: Floats,
    names: NDArray[np.int64],
    low: NDArray[np.int64],
    square: int,
    owner: NDArray[np.int64],
    depth: Floats,
    shape: tuple[int, int],
) -> None:
    rows, columns = np.divmod(np.arange(square * square), square)
    x, y = low[:, :1] + columns, low[:, 1:] + rows
    a, b, c = corners[:, 0, :, None], corners[:, 1, :, None], corners[:, 2, :, None]
    area = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
    area = np.where(np.abs(area) < 1e-12, np.inf, area)
    beta = ((x - a[:, 0]) * (c[:, 1] - a[:, 1]) - (y - a[:, 1]) * (c[:, 0] - a[:, 0])) / area
    gamma = ((b[:, 0] - a[:, 0]) * (y - a[:, 1]) - (b[:, 1] - a[:, 1]) * (x - a[:, 0])) / area
    inside = (beta >= 0) & (gamma >= 0) & (beta + gamma <= 1) & np.isfinite(area)
    inside &= (x >= 0) & (x < shape[1]) & (y >= 0) & (y < shape[0])
    which, _ = np.nonzero(inside)
    beta, gamma = beta[inside], gamma[inside]
    far = (1 - beta - gamma) * a[which, 2, 0] + beta * b[which, 2, 0] + gamma * c[which, 2, 0]
    pixel = y[inside] * shape[1] + x[inside]
    # The nearest comes last, and of several writes to one place the last one stays.
    order = np.argsort(-far, kind="stable")
    pixel, far, which = pixel[order], far[order], which[order]
    nearer = far < depth[pixel]
    depth[pixel[nearer]] = far[nearer]
    owner[pixel[nearer]] = names[which[nearer]]
