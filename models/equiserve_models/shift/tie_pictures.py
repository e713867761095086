"""Pictures on which the choice of a phase is ambiguous: the published anchor fails on them, every export is checked."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def tie_pictures(size: int) -> dict[str, NDArray[np.uint8]]:
    """Return pictures with exact ties between polyphase components.

    Args:
        size: Height and width in pixels; a multiple of 4.

    Returns:
        By name, uint8 [1, size, size] each: constant, periodic, binary and single-pixel pictures.
    """
    rows, columns = np.mgrid[:size, :size]
    strokes = np.random.default_rng(7).random((size, size)) < 0.15
    two_points = np.zeros((size, size), bool)
    two_points[3, 5] = two_points[3 + size // 2 + 1, 5 + 2] = True
    pictures = {
        "black": np.zeros((size, size)),
        "grey": np.full((size, size), 128),
        "checkerboard": (rows + columns) % 2 * 255,
        "stripes of period 4": (columns % 4) * 80,
        "tiles of half the size": (rows * columns) % (size // 2) * (255 // size),
        "binary noise": strokes * 255,
        "single pixel": ((rows == size // 3) & (columns == size // 5)) * 255,
        "two pixels": two_points * 255,
        "bar": ((rows > 4) & (rows < 9)) * 200,
    }
    return {name: picture.astype(np.uint8)[None] for name, picture in pictures.items()}


def circular_orbit(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """All H * W circular shifts of a picture, uint8 [C, H, W] -> [H * W, C, H, W]; the unshifted one first."""
    _, H, W = picture.shape
    return np.stack([np.roll(picture, (dy, dx), (1, 2)) for dy in range(H) for dx in range(W)])
