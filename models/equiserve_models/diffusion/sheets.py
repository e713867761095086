"""Contact sheets and angle sweeps as PNG files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

ENLARGED, GAP = 2, 2  # pixels of the sheet a pixel, and between pictures


def write_sheet(rows: NDArray[np.float32], path: Path) -> None:
    """Write pictures in rows.

    Args:
        rows: float32 [R, N, C, H, W] in [-1, 1]; grey or colour.
        path: The PNG file.
    """
    count, across, channels, height, width = rows.shape
    sheet = np.full((count, across, height * ENLARGED + GAP, width * ENLARGED + GAP, channels), 255, np.uint8)
    pixels = np.round((np.clip(rows, -1, 1) + 1) * 127.5).astype(np.uint8).transpose(0, 1, 3, 4, 2)
    sheet[:, :, :-GAP, :-GAP] = pixels.repeat(ENLARGED, 2).repeat(ENLARGED, 3)
    flat = sheet.transpose(0, 2, 1, 3, 4).reshape(sheet.shape[0] * sheet.shape[2], -1, channels)[:-GAP]
    flat = flat[:, :-GAP]
    Image.fromarray(flat[..., 0] if channels == 1 else flat).save(path, optimize=True)
