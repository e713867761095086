"""Tensors in the binary form of the Open Inference Protocol v2: a JSON header, then the raw arrays in its order.

Raw arrays are little-endian and row-major; an element of BYTES is a 4-byte length and that many bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import orjson

from equiserve.client.exchange import Answer
from equiserve.errors import InternalError, InvalidRequest

#: Names the length of the JSON header, both ways.
HEADER_LENGTH = "inference-header-content-length"

_LENGTH = struct.Struct("<I")
_FAMILY = {"u": "UINT", "i": "INT", "f": "FP"}
_NUMPY_OF = {
    f"{family}{8 * size}": np.dtype(f"<{kind}{size}")
    for kind, family in _FAMILY.items()
    for size in (1, 2, 4, 8)
    if (kind, size) != ("f", 1)
} | {"BOOL": np.dtype(np.bool_)}


def encode_inputs(
    inputs: Mapping[str, np.ndarray], outputs: Sequence[str] | None, parameters: Mapping[str, Any]
) -> tuple[bytes, int]:
    """Return the body of an inference request, and the length of its JSON header in bytes.

    Args:
        inputs: As `encode_tensors`.
        outputs: Names of the outputs wanted; None = all.
        parameters: The request's parameters.

    Raises:
        InvalidRequest: An array of a dtype that the protocol lacks.
    """
    message: dict[str, Any] = {"parameters": {"binary_data_output": True, **parameters}}
    if outputs is not None:
        message["outputs"] = [{"name": name, "parameters": {"binary_data": True}} for name in outputs]
    return encode_tensors(inputs, message)


def encode_named(
    inputs: Mapping[str, np.ndarray], truth: Mapping[str, np.ndarray] | None, options: Mapping[str, Any]
) -> tuple[bytes, int]:
    """Return the body of a task request over arrays, and the length of its JSON header; raises as `encode_inputs`.

    Args:
        inputs: Arrays by name, which travel raw.
        truth: Arrays by the names of outputs, which travel as JSON; None for none.
        options: Further keys of the header.
    """
    message = dict(options)
    if truth:
        arrays = {name: np.ascontiguousarray(given) for name, given in truth.items()}
        message["truth"] = [
            {"name": name, "datatype": _datatype(array, name), "shape": array.shape, "data": array.ravel()}
            for name, array in arrays.items()
        ]
    return encode_tensors(inputs, message)


def encode_tensors(inputs: Mapping[str, np.ndarray], message: Mapping[str, Any]) -> tuple[bytes, int]:
    """Return the body of a request that sends tensors, and the length of its JSON header in bytes.

    Args:
        inputs: Arrays by name: bool, integers, float16 to float64; `S`, `U` or object arrays of bytes or str as BYTES.
        message: The rest of the JSON header.

    Raises:
        InvalidRequest: An array of a dtype that the protocol lacks.
    """
    entries, parts = [], []
    for name, given in inputs.items():
        array = np.asarray(given)
        datatype = _datatype(array, name)
        raw = _bytes_elements(array, name) if datatype == "BYTES" else _little_endian(array).tobytes()
        entry = {"name": name, "datatype": datatype, "shape": array.shape, "parameters": {"binary_data_size": len(raw)}}
        entries.append(entry)
        parts.append(raw)
    head = orjson.dumps({"inputs": entries, **message}, option=orjson.OPT_SERIALIZE_NUMPY)
    # The server takes an array that lies aligned in the body as it is, and copies any other.
    head += b" " * (-len(head) % 8)
    return b"".join((head, *parts)), len(head)


def decode_outputs(answer: Answer) -> dict[str, np.ndarray]:
    """Return the outputs of an inference answer by name: arrays of their own, BYTES as objects of bytes.

    Raises:
        InternalError: The answer breaks the protocol (`malformed_answer`).
    """
    try:
        length = int(answer.headers.get(HEADER_LENGTH, len(answer.body)))
        outputs: dict[str, np.ndarray] = {}
        offset = length
        for entry in orjson.loads(memoryview(answer.body)[:length])["outputs"]:
            datatype, shape = entry["datatype"], entry["shape"]
            size = entry.get("parameters", {}).get("binary_data_size")
            if size is None:
                outputs[entry["name"]] = _from_json(entry["data"], datatype, shape)
                continue
            outputs[entry["name"]] = _from_raw(answer.body, offset, size, datatype, shape)
            offset += size
    except (KeyError, TypeError, ValueError, struct.error) as error:
        raise InternalError(f"the answer is no v2 inference response: {error!r}", code="malformed_answer") from error
    return outputs


def _datatype(array: np.ndarray, name: str) -> str:
    kind = array.dtype.kind
    if kind in "SUO":
        return "BYTES"
    datatype = "BOOL" if kind == "b" else f"{_FAMILY.get(kind, '?')}{8 * array.dtype.itemsize}"
    if datatype not in _NUMPY_OF:
        raise InvalidRequest(
            f"input {name!r}: dtype is {array.dtype}, expected bool, an integer, float16 to float64, bytes or str",
            code="unknown_datatype",
            field=f"inputs.{name}.datatype",
        )
    return datatype


def _little_endian(array: np.ndarray) -> np.ndarray:
    return array.astype(array.dtype.newbyteorder("<"), copy=False)


def _bytes_elements(array: np.ndarray, name: str) -> bytes:
    parts: list[bytes] = []
    for element in array.flat:
        if not isinstance(element, (str, bytes)):
            raise InvalidRequest(
                f"input {name!r}: an element is {type(element).__name__}, expected bytes or str",
                code="unknown_datatype",
                field=f"inputs.{name}.datatype",
            )
        text = element.encode() if isinstance(element, str) else element
        parts += (_LENGTH.pack(len(text)), text)
    return b"".join(parts)


def _from_raw(body: bytes, offset: int, size: int, datatype: str, shape: Sequence[int]) -> np.ndarray:
    raw = memoryview(body)[offset : offset + size]
    if len(raw) != size:
        raise ValueError(f"{size} bytes announced, {len(raw)} came")
    if datatype == "BYTES":
        return _objects(_split(raw), shape)
    # A bytearray: the caller may write to the array, and it does not keep the whole body alive.
    return np.frombuffer(bytearray(raw), _NUMPY_OF[datatype]).reshape(shape)


def _from_json(data: Any, datatype: str, shape: Sequence[int]) -> np.ndarray:
    if datatype == "BYTES":
        return _objects([text.encode() for text in np.ravel(np.array(data, object))], shape)
    # JSON has no NaN: a server writes null, which numpy reads as NaN.
    return np.array(data, _NUMPY_OF[datatype]).reshape(shape)


def _split(raw: memoryview) -> list[bytes]:
    elements, offset = [], 0
    while offset < len(raw):
        (length,) = _LENGTH.unpack_from(raw, offset)
        offset += _LENGTH.size + length
        elements.append(bytes(raw[offset - length : offset]))
    return elements


def _objects(elements: list[bytes], shape: Sequence[int]) -> np.ndarray:
    array = np.empty(len(elements), dtype=object)
    array[:] = elements
    return array.reshape(shape)
