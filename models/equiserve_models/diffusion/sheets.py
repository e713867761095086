"""Contact sheets and angle sweeps as PNG files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

ENLARGED, GAP = 2, 2  # pixels of the sheet a pixel, and between pictures
LETTERS, AIR = 13, 6  # height of a name's letters, and the room about it


def write_sheet(rows: NDArray[np.float32], path: Path, *, names: Sequence[str] = (), heads: Sequence[str] = ()) -> None:
    """Write pictures in rows.

    Args:
        rows: float32 [R, N, C, H, W] in [-1, 1]; grey or colour.
        path: The PNG file.
        names: What stands left of each row, if anything.
        heads: What stands above each column, if anything.
    """
    count, across, channels, height, width = rows.shape
    sheet = np.full((count, across, height * ENLARGED + GAP, width * ENLARGED + GAP, channels), 255, np.uint8)
    pixels = np.round((np.clip(rows, -1, 1) + 1) * 127.5).astype(np.uint8).transpose(0, 1, 3, 4, 2)
    sheet[:, :, :-GAP, :-GAP] = pixels.repeat(ENLARGED, 2).repeat(ENLARGED, 3)
    flat = sheet.transpose(0, 2, 1, 3, 4).reshape(sheet.shape[0] * sheet.shape[2], -1, channels)[:-GAP]
    flat = flat[:, :-GAP]
    picture = Image.fromarray(flat[..., 0] if channels == 1 else flat)
    if names or heads:
        picture = _labelled(picture, names, heads, height * ENLARGED + GAP, width * ENLARGED + GAP)
    picture.save(path, optimize=True)


def _labelled(picture: Image.Image, names: Sequence[str], heads: Sequence[str], height: int, width: int) -> Image.Image:
    font = ImageFont.load_default(LETTERS)
    left = round(max((font.getlength(name) for name in names), default=0)) + 2 * AIR
    top = LETTERS + 2 * AIR if heads else 0
    sheet = Image.new(picture.mode, (picture.width + left, picture.height + top), "white")
    sheet.paste(picture, (left, top))
    pen = ImageDraw.Draw(sheet)
    for place, name in enumerate(names):
        pen.text((left - AIR, top + place * height + height // 2), name, "black", font, anchor="rm")
    for place, head in enumerate(heads):
        pen.text((left + place * width + width // 2, top // 2), head, "black", font, anchor="mm")
    return sheet
