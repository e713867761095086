"""`equiserve.v1.Picture` to what the tasks take: the bytes of a file, or an array of pixels."""

from __future__ import annotations

from typing import Any

import numpy as np

from equiserve.errors import InvalidRequest


def picture_of(message: Any, field: str) -> bytes | np.ndarray:
    """Return a picture's file, or its pixels uint8 [C, H, W] as a read-only view.

    Args:
        message: The `Picture`.
        field: Where it stands in the request, for the error.

    Raises:
        InvalidRequest: It holds neither, or fewer or more bytes than its size says.
    """
    source = message.WhichOneof("source")
    if source is None:
        raise InvalidRequest(
            f"{field}: got neither file nor pixels, expected one of them", code="missing_picture", field=field
        )
    if source == "file":
        file: bytes = message.file
        return file
    pixels = message.pixels
    shape = (pixels.channels, pixels.height, pixels.width)
    expected = pixels.channels * pixels.height * pixels.width
    if len(pixels.data) != expected or expected == 0:
        raise InvalidRequest(
            f"{field}.pixels.data: got {len(pixels.data)} bytes, expected channels * height * width = "
            f"{' * '.join(map(str, shape))} = {expected}, at least 1",
            code="wrong_size",
            field=f"{field}.pixels.data",
        )
    return np.frombuffer(pixels.data, np.uint8).reshape(shape)
