"""A picture as it travels: the file that the caller has, or a PNG made here from an array."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from equiserve.client.clouds import CloudFile
from equiserve.errors import InvalidRequest

#: A PNG, JPEG or WebP file as bytes or by its path, or uint8 pixels [H, W] or [C, H, W] with C = 1, 3 or 4 (RGBA).
Picture = bytes | Path | np.ndarray
#: What a check takes: a picture, the inputs of any model, arrays by name, or what a body fitter takes.
Checked = Picture | Mapping[str, np.ndarray] | CloudFile

_COLOUR_TYPE = {1: 0, 3: 2, 4: 6}
_FASTEST = 1


def to_base64(picture: Picture) -> str:
    """Return a picture's file in base64; raises InvalidRequest for an array that is none, OSError for a path."""
    if isinstance(picture, np.ndarray):
        return base64.b64encode(encode_png(picture)).decode()
    if isinstance(picture, Path):
        return base64.b64encode(picture.read_bytes()).decode()
    if isinstance(picture, (bytes, bytearray, memoryview)):
        return base64.b64encode(picture).decode()
    raise InvalidRequest(
        f"picture: got {type(picture).__name__}, expected bytes, a Path or a numpy array",
        code="invalid_picture",
        field="picture",
    )


def as_list(pictures: Picture | Sequence[Picture]) -> list[Picture]:
    """Return one picture or several as a list; an array is one picture, never a batch."""
    return list(pictures) if isinstance(pictures, (list, tuple)) else [pictures]  # type: ignore[list-item]


def encode_png(pixels: np.ndarray) -> bytes:
    """Return uint8 pixels [H, W] or [C, H, W] as a PNG file, without loss; raises InvalidRequest."""
    planes = pixels[np.newaxis] if pixels.ndim == 2 else pixels
    if planes.ndim != 3 or planes.dtype != np.uint8 or planes.shape[0] not in _COLOUR_TYPE or 0 in planes.shape:
        raise InvalidRequest(
            f"picture: got {pixels.dtype} {list(pixels.shape)}, expected uint8 [H, W] or [C, H, W] with C = 1, 3 or 4",
            code="invalid_picture",
            field="picture",
        )
    channels, height, width = planes.shape
    # Each row begins with the number of its filter: 0 = none.
    rows = np.zeros((height, 1 + width * channels), np.uint8)
    rows[:, 1:] = planes.transpose(1, 2, 0).reshape(height, -1)
    header = struct.pack(">IIBBBBB", width, height, 8, _COLOUR_TYPE[channels], 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        _chunk(kind, data)
        for kind, data in ((b"IHDR", header), (b"IDAT", zlib.compress(rows.tobytes(), _FASTEST)), (b"IEND", b""))
    )


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
