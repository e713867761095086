"""The datatypes of the Open Inference Protocol v2 and their numpy equivalents."""

from __future__ import annotations

from typing import Any

import numpy as np

#: v2 datatype -> numpy dtype (little-endian). BF16 travels raw and has no numpy dtype; it is not served.
NUMPY_OF: dict[str, np.dtype[Any]] = {
    "BOOL": np.dtype(np.bool_),
    "UINT8": np.dtype("<u1"),
    "UINT16": np.dtype("<u2"),
    "UINT32": np.dtype("<u4"),
    "UINT64": np.dtype("<u8"),
    "INT8": np.dtype("<i1"),
    "INT16": np.dtype("<i2"),
    "INT32": np.dtype("<i4"),
    "INT64": np.dtype("<i8"),
    "FP16": np.dtype("<f2"),
    "FP32": np.dtype("<f4"),
    "FP64": np.dtype("<f8"),
    "BYTES": np.dtype(object),
}

_NAME_OF = {dtype: name for name, dtype in NUMPY_OF.items()}


def datatype_of(array: np.ndarray) -> str:
    """Return the v2 datatype of a numpy array; raises KeyError for a dtype that the protocol lacks."""
    return _NAME_OF[array.dtype.newbyteorder("=")] if array.dtype != object else "BYTES"
