"""Points as NumPy files: `.npy`, or one array of an `.npz`. Nothing is ever unpickled."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equiserve.clouds.refusals import unreadable

#: Names under which an array of an `.npz` is taken for the points, in this order.
NAMES = ("points", "pc", "cloud", "vertices", "xyz", "arr_0")
_MAX_BYTES = 1 << 30


def read_npy(content: bytes) -> NDArray[np.float64]:
    """Return the points [n, 3] of a `.npy` file, [n, 3 or more]; raises InvalidRequest."""
    try:
        array = np.load(io.BytesIO(content), allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise unreadable("npy", str(error)[:200]) from None
    return points_of(array, "npy")


def read_npz(content: bytes) -> NDArray[np.float64]:
    """Return the points [n, 3] of an `.npz` file, of its array `points` or its only one; raises InvalidRequest."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
        if size > _MAX_BYTES:
            raise unreadable("npz", f"it unpacks to {size} bytes, at most {_MAX_BYTES} are read")
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            names = [name for name in NAMES if name in file.files] or (file.files if len(file.files) == 1 else [])
            if not names:
                raise unreadable("npz", f"it has {file.files[:8]}, expected one of {list(NAMES)}, or one array only")
            array = file[names[0]]
    except (ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile, NotImplementedError) as error:
        raise unreadable("npz", str(error)[:200]) from None
    return points_of(array, "npz")


def points_of(array: NDArray[Any], kind: str) -> NDArray[np.float64]:
    """Return the points [n, 3] of an array of numbers [n, 3 or more]; raises InvalidRequest."""
    if array.dtype.kind not in "fiu" or array.ndim != 2 or array.shape[1] < 3:
        raise unreadable(kind, f"its array is {array.dtype} {list(array.shape)}, expected numbers [points, 3]")
    return array[:, :3].astype(np.float64)
