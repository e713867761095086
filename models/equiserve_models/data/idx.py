"""The IDX format of MNIST and Fashion-MNIST: big-endian header, then raw values, often gzipped."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

UNSIGNED_BYTE = 0x08


def read_idx(path: Path) -> NDArray[np.uint8]:
    """Read a file of unsigned bytes, gzipped or plain.

    Args:
        path: The file; ``.gz`` is decompressed.

    Returns:
        uint8 array of the shape that the header tells.

    Raises:
        ValueError: The magic number, the value type or the length is wrong.
    """
    raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    if len(raw) < 4 or raw[:2] != b"\0\0" or raw[2] != UNSIGNED_BYTE:
        raise ValueError(f"{path.name}: header {raw[:4].hex()}, expected 000008nn (IDX of unsigned bytes)")
    header = 4 + 4 * raw[3]
    shape = tuple(int(size) for size in np.frombuffer(raw[4:header], dtype=">u4"))
    values = np.frombuffer(raw, dtype=np.uint8, offset=header)
    if values.size != int(np.prod(shape)):
        raise ValueError(f"{path.name}: {values.size} values, expected {shape} = {int(np.prod(shape))}")
    return values.reshape(shape).copy()  # a buffer's view is read-only
