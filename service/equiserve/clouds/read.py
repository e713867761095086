"""A file of points of whatever format, told by its content."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equiserve.clouds.arrays import points_of, read_npy, read_npz
from equiserve.clouds.ply import read_ply
from equiserve.clouds.refusals import unreadable
from equiserve.clouds.tables import read_obj, read_table
from equiserve.errors import InvalidRequest

_READERS: dict[str, Callable[[bytes], NDArray[np.float64]]] = {
    "ply": read_ply,
    "obj": read_obj,
    "npy": read_npy,
    "npz": read_npz,
    "xyz": read_table,
    "csv": read_table,
}
#: Formats that a request may name; left out, the content tells.
FORMATS = tuple(_READERS)


def read_cloud(content: bytes | NDArray[Any], file_format: str | None = None) -> NDArray[np.float64]:
    """Return the points of a file, or of an array, [n, 3] float64, in the order and the unit that they came in.

    Large files take a while and read in pieces: for a thread.

    Args:
        content: PLY, OBJ, npy, npz, XYZ or CSV; or numbers [n, 3 or more].
        file_format: One of `FORMATS`; None = by its content.

    Raises:
        InvalidRequest: `invalid_cloud`: empty, broken, cut off; `unknown_format`: no such format.
    """
    if isinstance(content, np.ndarray):
        return points_of(content, "array")
    if file_format is not None and file_format not in _READERS:
        raise InvalidRequest(
            f"format: got {file_format[:40]!r}, expected one of {list(FORMATS)}", code="unknown_format", field="format"
        )
    if not content[:4096].strip():
        raise unreadable("file", "it is empty")
    return _READERS[file_format or _format_of(content)](content)


def _format_of(content: bytes) -> str:
    if content[:4] in (b"ply\n", b"ply\r"):
        return "ply"
    if content[:6] == b"\x93NUMPY":
        return "npy"
    if content[:2] == b"PK":
        return "npz"
    head = content[:4096]
    if b"\0" in head:
        raise unreadable("file", f"it begins with {head[:8]!r} and is none of {', '.join(FORMATS)}")
    if any(line.startswith((b"v ", b"v\t", b"mtllib ", b"vn ")) for line in head.splitlines()):
        return "obj"
    return "xyz"
