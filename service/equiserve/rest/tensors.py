"""One tensor of the v2 protocol: JSON data or raw bytes to an array and back. Pure functions.

Raw tensors are little-endian and row-major without padding; BOOL is one byte of 0 or 1; an element of BYTES is a
4-byte length and that many bytes. JSON data is nested as the shape says, or one flat row-major list.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from itertools import chain
from math import prod
from typing import Any

import numpy as np

from equiserve.artifact.datatypes import NUMPY_OF
from equiserve.errors import InvalidRequest

#: What a request's body may be held in.
Buffer = bytes | bytearray

_MAX_RANK = 32
_MAX_ELEMENTS = 1 << 40
_LENGTH = struct.Struct("<I")
# struct checks type and range of every number and is three times as fast as numpy from a list.
_FORMAT = {
    "UINT8": "B",
    "UINT16": "H",
    "UINT32": "I",
    "UINT64": "Q",
    "INT8": "b",
    "INT16": "h",
    "INT32": "i",
    "INT64": "q",
    "FP16": "e",
    "FP32": "f",
    "FP64": "d",
}


def describe(value: object) -> str:
    """Return a value as a message shows it: short, whatever came."""
    if type(value) is dict:
        return f"an object of {len(value)}"
    if type(value) is list and (len(value) > _MAX_RANK or any(type(entry) in (list, dict, str) for entry in value)):
        return f"a list of {len(value)}"
    return f"{value!r:.80}"


def count_elements(shape: object, field: str) -> int:
    """Return the number of elements of a shape as it came; raises InvalidRequest where it is none."""
    if type(shape) is not list or len(shape) > _MAX_RANK:
        raise InvalidRequest(
            f"{field}: got {describe(shape)}, expected a list of at most {_MAX_RANK} sizes",
            code="invalid_shape",
            field=field,
        )
    count, extent = 1, 1
    for size in shape:
        if type(size) is not int or size < 0:
            raise InvalidRequest(
                f"{field}: got {describe(shape)}, expected whole numbers >= 0", code="invalid_shape", field=field
            )
        count *= size
        extent *= size or 1
    if extent > _MAX_ELEMENTS:
        raise InvalidRequest(
            f"{field}: {describe(shape)} has more than {_MAX_ELEMENTS} elements", code="invalid_shape", field=field
        )
    return count


def from_json(
    data: object, datatype: str, shape: Sequence[int], field: str, *, may_hold_bools: bool = True
) -> np.ndarray:
    """Return the array that JSON data describes.

    Args:
        data: Lists nested as `shape` says, one flat list, or an array of the datatype and of as many elements.
        datatype: A v2 datatype; numbers outside its range are refused, never wrapped or made infinite.
        shape: Sizes that `count_elements` accepted.
        field: Path of the data in the request, for messages.
        may_hold_bools: False where the caller knows that no true or false is in the text: saves looking.

    Returns:
        Array of `shape`, read-only for numbers; object array of bytes for BYTES (UTF-8 of the strings).

    Raises:
        InvalidRequest: Ragged or deeper than the shape, wrong number of elements, or an element of another kind.
    """
    if type(data) is np.ndarray:  # read with the text, see `json_numbers`
        return data.reshape(shape)
    if type(data) is not list:
        raise InvalidRequest(f"{field}: got {describe(data)}, expected a list", code="invalid_data", field=field)
    flat = _flatten(data, shape, field)
    count = prod(shape)
    if len(flat) != count:
        raise InvalidRequest(
            f"{field}: got {len(flat)} elements, expected {count} for shape {list(shape)}",
            code="shape_mismatch",
            field=field,
        )
    if datatype == "BYTES":
        _require_kind(flat, str, datatype, field)
        return _objects([text.encode() for text in flat], shape)
    if datatype == "BOOL":
        _require_kind(flat, bool, datatype, field)
        return np.array(flat, dtype=np.bool_).reshape(shape)
    if may_hold_bools and bool in set(map(type, flat)):
        raise _bad_element(flat, datatype, field)
    try:
        packed = struct.pack(f"<{count}{_FORMAT[datatype]}", *flat)
    except (struct.error, OverflowError):
        raise _bad_element(flat, datatype, field) from None
    return np.frombuffer(packed, NUMPY_OF[datatype]).reshape(shape)


def from_raw(body: Buffer, offset: int, size: int, datatype: str, shape: Sequence[int], field: str) -> np.ndarray:
    """Return a raw tensor as a view of the body (a copy only where the offset is not aligned).

    Args:
        body: The whole body; the caller checked that `offset + size` lies in it.
        offset: Byte at which the tensor begins.
        size: Its length in bytes.
        datatype: A v2 datatype.
        shape: Sizes that `count_elements` accepted.
        field: Path of the tensor in the request, for messages.

    Raises:
        InvalidRequest: The size does not fit the shape, or BOOL or BYTES are malformed.
    """
    count = prod(shape)
    if datatype == "BYTES":
        return _objects(_split_bytes(body, offset, size, count, field), shape)
    dtype = NUMPY_OF[datatype]
    if size != count * dtype.itemsize:
        raise InvalidRequest(
            f"{field}: got {size} bytes, expected {count * dtype.itemsize} for {datatype} of shape {list(shape)}",
            code="shape_mismatch",
            field=field,
        )
    array = np.frombuffer(body, dtype, count, offset) if count else np.empty(0, dtype)
    if offset % dtype.itemsize:
        array = array.copy()
    if datatype == "BOOL" and count and array.view(np.uint8).max() > 1:
        raise InvalidRequest(f"{field}: BOOL bytes must be 0 or 1", code="invalid_data", field=field)
    return array.reshape(shape)


def to_json(array: np.ndarray, datatype: str, field: str) -> Any:
    """Return what orjson writes as the tensor's flat `data`; NaN and infinity become null, as JSON has neither.

    Raises:
        InvalidRequest: BYTES that are no UTF-8: they can only travel raw.
    """
    if datatype != "BYTES":
        return array.ravel()
    try:
        return [element if isinstance(element, str) else bytes(element).decode() for element in array.flat]
    except UnicodeDecodeError:
        raise InvalidRequest(
            f"{field}: the bytes are no UTF-8 text, ask for binary_data", code="not_text", field=field
        ) from None


def to_raw(array: np.ndarray, datatype: str) -> bytes:
    """Return the tensor's raw bytes."""
    if datatype != "BYTES":
        return array.tobytes()
    parts: list[bytes] = []
    for element in array.flat:
        text = element.encode() if isinstance(element, str) else bytes(element)
        parts += (_LENGTH.pack(len(text)), text)
    return b"".join(parts)


def _flatten(data: list[Any], shape: Sequence[int], field: str) -> list[Any]:
    flat = data
    for depth in range(1, len(shape)):
        if not flat or type(flat[0]) is not list:
            break
        if set(map(type, flat)) != {list} or set(map(len, flat)) != {shape[depth]}:
            raise InvalidRequest(
                f"{field}: ragged or not as the shape says: expected only lists of {shape[depth]} at depth {depth} "
                f"for shape {list(shape)}, or one flat list",
                code="ragged_data",
                field=field,
            )
        flat = list(chain.from_iterable(flat))
    return flat


def _require_kind(flat: list[Any], kind: type, datatype: str, field: str) -> None:
    if flat and set(map(type, flat)) != {kind}:
        raise _bad_element(flat, datatype, field)


def _bad_element(flat: list[Any], datatype: str, field: str) -> InvalidRequest:
    index = next((index for index, value in enumerate(flat) if not _fits(value, datatype)), 0)
    return InvalidRequest(
        f"{field}: element {index} is {describe(flat[index])}, expected {_expectation(datatype)}",
        code="invalid_data",
        field=field,
    )


def _fits(value: object, datatype: str) -> bool:
    if datatype in ("BYTES", "BOOL"):
        return type(value) is (str if datatype == "BYTES" else bool)
    try:
        struct.pack(_FORMAT[datatype], value)
    except (struct.error, OverflowError):
        return False
    return type(value) is not bool


def _expectation(datatype: str) -> str:
    if datatype in ("BYTES", "BOOL"):
        return "text" if datatype == "BYTES" else "true or false"
    dtype = NUMPY_OF[datatype]
    if dtype.kind == "f":
        return f"a number that {datatype} can hold (up to {float(np.finfo(dtype).max):.5g})"
    limits = np.iinfo(dtype)
    return f"a whole number from {limits.min} to {limits.max} ({datatype})"


def _split_bytes(body: Buffer, offset: int, size: int, count: int, field: str) -> list[bytes]:
    elements: list[bytes] = []
    end = offset + size
    if count * _LENGTH.size <= size:
        while offset + _LENGTH.size <= end and len(elements) < count:
            (length,) = _LENGTH.unpack_from(body, offset)
            offset += _LENGTH.size
            if length > end - offset:
                break
            elements.append(bytes(body[offset : offset + length]))
            offset += length
    if len(elements) != count or offset != end:
        raise InvalidRequest(
            f"{field}: {size} bytes do not hold exactly {count} BYTES elements (each 4 bytes of length, then the text)",
            code="invalid_data",
            field=field,
        )
    return elements


def _objects(elements: list[bytes], shape: Sequence[int]) -> np.ndarray:
    array = np.empty(len(elements), dtype=object)
    array[:] = elements
    return array.reshape(shape)
