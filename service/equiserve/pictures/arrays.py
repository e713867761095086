"""Pictures in NumPy's own files: .npy with uint8 [N, C, H, W], .npz with `pictures` and, where there are, `labels`."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Sequence
from typing import IO

import numpy as np

from equiserve.errors import InvalidRequest, TooLarge

_NPY, _NPZ = b"\x93NUMPY", b"PK\x03\x04"


def unpack_arrays(
    submitted: Sequence[bytes | np.ndarray], max_bytes: int
) -> tuple[list[bytes | np.ndarray], list[int] | None]:
    """Return the pictures with every NumPy file replaced by those in it, and the labels, where a .npz has them.

    Args:
        submitted: Picture files, NumPy files, and pixels.
        max_bytes: Bound of the arrays of one file, decompressed.

    Returns:
        Picture files as they came, and pixels uint8 [C, H, W]; one label a picture, or None.

    Raises:
        InvalidRequest: An array of another type or shape, a pickle, a broken file (`invalid_array`), or labels of
            some pictures but not of all.
        TooLarge: The array is (`array_too_large`).
    """
    pictures: list[bytes | np.ndarray] = []
    labels: list[int] = []
    for index, item in enumerate(submitted):
        if not isinstance(item, bytes) or not item.startswith((_NPY, _NPZ)):
            pictures.append(item)
            continue
        array, own = _read(item, max_bytes, f"file[{index}]")
        pictures += list(array)
        labels += own
    if labels and len(labels) != len(pictures):
        raise InvalidRequest(
            f"labels: got {len(labels)} for {len(pictures)} pictures, expected one each", field="labels"
        )
    return pictures, labels or None


def _read(file: bytes, max_bytes: int, field: str) -> tuple[np.ndarray, list[int]]:
    try:
        if file.startswith(_NPY):
            return _pictures(_load(io.BytesIO(file), max_bytes, field), field), []
        with zipfile.ZipFile(io.BytesIO(file)) as archive:
            names = [name.removesuffix(".npy") for name in archive.namelist()]
            unknown = sorted(set(names) - {"pictures", "labels"})
            if "pictures" not in names or unknown:
                raise _invalid(field, f"got arrays {names}, expected `pictures` and perhaps `labels`")
            with archive.open("pictures.npy") as stream:
                pictures = _pictures(_load(stream, max_bytes, field), field)
            if "labels" not in names:
                return pictures, []
            with archive.open("labels.npy") as stream:
                labels = _load(stream, max_bytes, field)
    except (ValueError, EOFError, OSError, KeyError, zipfile.BadZipFile, zlib.error, RuntimeError) as error:
        raise _invalid(field, f"cannot be read: {error}") from None
    if labels.dtype.kind not in "iu" or labels.shape != pictures.shape[:1]:
        raise _invalid(
            field, f"labels are {labels.dtype} {list(labels.shape)}, expected whole numbers [{len(pictures)}]"
        )
    return pictures, labels.tolist()


def _load(stream: IO[bytes], max_bytes: int, field: str) -> np.ndarray:
    """Read one array; the header says how large it is before anything is decompressed."""
    version = np.lib.format.read_magic(stream)
    read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran, dtype = read_header(stream)
    if dtype.hasobject:
        raise _invalid(field, "it holds Python objects, expected numbers")
    count = int(np.prod(shape, dtype=object)) if shape else 1
    size = count * dtype.itemsize
    if size > max_bytes:
        raise TooLarge(
            f"{field}: the array has {size} bytes, at most {max_bytes} are taken", code="array_too_large", field=field
        )
    raw = stream.read(size)
    if len(raw) != size:
        raise _invalid(field, f"it ends after {len(raw)} of {size} bytes")
    return np.frombuffer(raw, dtype).reshape(shape, order="F" if fortran else "C")


def _pictures(array: np.ndarray, field: str) -> np.ndarray:
    if array.ndim == 3:
        array = array[:, None]
    if array.dtype != np.uint8 or array.ndim != 4 or 0 in array.shape or array.shape[1] not in (1, 3):
        raise _invalid(
            field,
            f"got {array.dtype} {list(array.shape)}, expected uint8 [N, C, H, W] with 1 or 3 channels, or [N, H, W]",
        )
    return np.ascontiguousarray(array)


def _invalid(field: str, why: str) -> InvalidRequest:
    return InvalidRequest(f"{field}: {why}", code="invalid_array", field=field)
