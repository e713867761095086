"""From any decoded image to the channels and the size of a model's input."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image

from equiserve.artifact import TensorSpec
from equiserve.errors import InvalidRequest

InputFit = Literal["reject", "resize", "pad"]


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture as a model's input takes it.

    Attributes:
        array: uint8 [C, H, W], RGB or grey; contiguous.
        resized_from: (H, W) before it was resized or padded; None where it came in the model's size.
    """

    array: np.ndarray
    resized_from: tuple[int, int] | None


def background_of(spec: TensorSpec) -> int:
    """Return the pixel value (0 to 255) of nothing: the lower end of the input's value range, 0 by default."""
    if spec.value_range is None:
        return 0
    low, high = spec.value_range
    return int(np.clip(round(low * 255 / high) if high <= 1 else low, 0, 255))


def in_channels(image: Image.Image, spec: TensorSpec) -> Image.Image:
    """Return the image as 8-bit grey or RGB, without transparency."""
    if image.mode.startswith("I") or image.mode == "F":
        # Pillow would clip 16 bits to 255; its RGB files with 16 bits keep the upper 8 too.
        image = Image.fromarray((np.asarray(image).astype(np.uint32) >> 8).astype(np.uint8))
    if image.has_transparency_data:
        ground = Image.new("RGBA", image.size, (*(background_of(spec),) * 3, 255))
        image = Image.alpha_composite(ground, image.convert("RGBA"))
    mode = "L" if spec.shape[1] == 1 else "RGB"
    return image if image.mode == mode else image.convert(mode)


def fit(image: Image.Image, spec: TensorSpec, input_fit: InputFit, field: str) -> Picture:
    """Return the picture in the input's size (see the package); raises InvalidRequest (`wrong_picture_size`)."""
    got, wanted = (image.height, image.width), spec.shape[2:4]
    if fits(got, wanted):
        return Picture(_planes(image), None)
    height, width = (size if size != -1 else own for size, own in zip(wanted, got, strict=True))
    if input_fit == "resize":
        return Picture(_planes(image.resize((width, height), Image.Resampling.BICUBIC)), got)
    if input_fit == "reject" or got[0] > height or got[1] > width:
        raise wrong_size(got, wanted, field)
    planes = _planes(image)
    padded = np.full((planes.shape[0], height, width), background_of(spec), np.uint8)
    top, left = (height - got[0]) // 2, (width - got[1]) // 2
    padded[:, top : top + got[0], left : left + got[1]] = planes
    return Picture(padded, got)


def _planes(image: Image.Image) -> np.ndarray:
    pixels = np.frombuffer(image.tobytes(), np.uint8).reshape(image.height, image.width, -1)
    return np.ascontiguousarray(pixels.transpose(2, 0, 1))


def fits(got: tuple[int, int], wanted: Sequence[int]) -> bool:
    """Return whether (H, W) is what an input of sizes `wanted` takes; -1 = any."""
    return all(size in (-1, own) for size, own in zip(wanted, got, strict=True))


def wrong_size(got: tuple[int, int], wanted: Sequence[int], field: str) -> InvalidRequest:
    """Return the error for a picture of (H, W) that does not fit."""
    sizes = ["any" if size == -1 else str(size) for size in wanted]
    return InvalidRequest(
        f"{field}: got a picture {got[0]} pixels high and {got[1]} wide, expected {sizes[0]} high and {sizes[1]} wide",
        code="wrong_picture_size",
        field=field,
    )
