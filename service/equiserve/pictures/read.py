"""Reads the pictures of a request."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image, ImageOps
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

from equiserve.artifact import TensorSpec
from equiserve.errors import InvalidRequest, TooLarge
from equiserve.pictures.fit import InputFit, Picture, fit, fits, in_channels, wrong_size
from equiserve.pictures.header import PictureHeader, broken_picture, probe

# Pillow's own limit would warn (once for the whole process) or raise at sizes that an operator cannot set here.
Image.MAX_IMAGE_PIXELS = None

# What Pillow raises for files that are damaged in one way or another.
_DAMAGE = (OSError, ValueError, SyntaxError, EOFError, struct.error)
# Not `Image.open`, which loads every plugin for the first file. A JPEG with several frames is a photograph with its
# previews or its gain map: read as a plain JPEG it is the first of them, the picture.
_READERS: dict[str, Callable[[io.BytesIO], Image.Image]] = {
    "PNG": PngImageFile,
    "JPEG": JpegImageFile,
    "WEBP": WebPImageFile,
}


def decode_picture(
    file: bytes, spec: TensorSpec, *, input_fit: InputFit, max_pixels: int, field: str = "picture"
) -> Picture:
    """Decode a picture file for a model's input.

    Args:
        file: A PNG, JPEG or WebP file.
        spec: The input, [batch, channel, height, width]; -1 = any size, an open channel axis takes RGB.
        input_fit: What to do with another size.
        max_pixels: Largest width * height.
        field: The request's field, for errors.

    Raises:
        InvalidRequest: As `probe`; the file is truncated or damaged (`broken_picture`), an animation
            (`animated_picture`), or of the wrong size (`wrong_picture_size`).
        TooLarge: As `probe`.
    """
    header = probe(file, max_pixels=max_pixels, field=field)
    wanted = spec.shape[2:4]
    if input_fit == "reject" and not any(
        fits((height, width), wanted)
        for height, width in ((header.height, header.width), (header.width, header.height))
    ):
        raise wrong_size((header.height, header.width), wanted, field)
    image = _open(file, header, field)
    frames = getattr(image, "n_frames", 1)
    if frames != 1:
        raise InvalidRequest(
            f"{field}: the {header.format} is an animation of {frames} frames, expected a single picture",
            code="animated_picture",
            field=field,
        )
    try:
        image.load()
        # `info` holds all that can tell of an orientation; a small PNG has none, and the look for it is not free.
        if image.info:
            ImageOps.exif_transpose(image, in_place=True)
    except _DAMAGE as error:
        raise broken_picture(file, header.format, str(error), field) from None
    return fit(in_channels(image, spec), spec, input_fit, field)


def _open(file: bytes, header: PictureHeader, field: str) -> Image.Image:
    """Return a picture whose pixels are not decoded yet."""
    try:
        image = _READERS[header.format](io.BytesIO(file))
    except _DAMAGE as error:
        raise broken_picture(file, header.format, "its header cannot be read", field) from error
    # A second header would get past the limit of pixels.
    if image.size != (header.width, header.height):
        raise broken_picture(file, header.format, "its headers differ in size", field)
    return image


def picture_from_array(array: np.ndarray, spec: TensorSpec, *, input_fit: InputFit, field: str = "picture") -> Picture:
    """Bring pixels into a model's channels and size.

    Args:
        array: uint8 [C, H, W] with C = 1 (grey), 3 (RGB) or 4 (RGB and opacity), or [H, W] (grey).
        spec: As for `decode_picture`.
        input_fit: What to do with another size.
        field: The request's field, for errors.

    Raises:
        InvalidRequest: Another dtype or shape (`wrong_picture_array`), or the wrong size (`wrong_picture_size`).
    """
    planes = array[None] if array.ndim == 2 else array
    if array.dtype != np.uint8 or planes.ndim != 3 or planes.shape[0] not in (1, 3, 4) or 0 in planes.shape:
        raise InvalidRequest(
            f"{field}: got {array.dtype} {list(array.shape)}, expected uint8 [C, H, W] with 1, 3 or 4 channels, "
            "or [H, W]",
            code="wrong_picture_array",
            field=field,
        )
    pixels = np.ascontiguousarray(planes[0] if planes.shape[0] == 1 else np.moveaxis(planes, 0, -1))
    return fit(in_channels(Image.fromarray(pixels), spec), spec, input_fit, field)


def read_pictures(
    pictures: Sequence[bytes | np.ndarray], spec: TensorSpec, *, input_fit: InputFit, max_pixels: int, field: str
) -> list[Picture]:
    """Decode or convert the pictures of one request; arguments and errors as `decode_picture`.

    An input of open height and width keeps what came, so there `max_pixels` bounds all pictures together.
    """
    several = len(pictures) > 1
    left = max_pixels
    read: list[Picture] = []
    for index, picture in enumerate(pictures):
        name = f"{field}[{index}]" if several else field
        if isinstance(picture, np.ndarray):
            read.append(picture_from_array(picture, spec, input_fit=input_fit, field=name))
        else:
            read.append(decode_picture(picture, spec, input_fit=input_fit, max_pixels=max_pixels, field=name))
        if -1 in spec.shape[2:]:
            left -= read[-1].array[0].size
            if left < 0:
                raise TooLarge(
                    f"{field}: {index + 1} of {len(pictures)} pictures have {max_pixels - left} pixels together, "
                    f"at most {max_pixels} are taken",
                    code="picture_too_large",
                    field=field,
                )
    return read


def quick_to_read(pictures: Sequence[bytes | np.ndarray]) -> bool:
    """Return whether decoding takes less than handing it to a thread would: at most 16 kB of at most 4 pictures.

    A file this small can still be a bomb, so its pixels count as well (16 k of them).
    """
    if len(pictures) > 4 or sum(len(p) if isinstance(p, bytes) else p.nbytes for p in pictures) > 16_384:
        return False
    try:
        return all(isinstance(p, np.ndarray) or bool(probe(p, max_pixels=16_384)) for p in pictures)
    except TooLarge:
        return False
    except InvalidRequest:
        return True
