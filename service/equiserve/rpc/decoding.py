"""From a ModelInferRequest to named arrays. Raw contents become views of the message's bytes."""

from __future__ import annotations

import math
import struct
from typing import Any

import numpy as np

from equiserve.artifact.datatypes import NUMPY_OF
from equiserve.dataplane import InferRequest
from equiserve.errors import InvalidRequest, Unsupported
from equiserve.rpc.wire import CONTENTS_OF, PACKED_LIKE_MEMORY, varint

_MAX_RANK = 32


def decode_request(message: Any) -> InferRequest:
    """Turn a parsed ModelInferRequest into named arrays.

    Returns:
        The request; arrays from raw contents are read-only views, BYTES are object arrays of bytes.

    Raises:
        InvalidRequest: Contents that are mixed, missing, of wrong size or unknown datatype; a name that comes twice.
    """
    raw = message.raw_input_contents
    tensors = message.inputs
    if raw and len(raw) != len(tensors):
        raise InvalidRequest(
            f"raw_input_contents has {len(raw)} entries for {len(tensors)} inputs, expected one each",
            code="wrong_contents",
            field="raw_input_contents",
        )
    inputs: dict[str, np.ndarray] = {}
    for position, tensor in enumerate(tensors):
        name, datatype, shape = tensor.name, tensor.datatype, tuple(tensor.shape)
        if name in inputs:
            raise _invalid("duplicate_input", f"inputs[{position}].name", f"{name!r} came before", "each input once")
        if datatype not in NUMPY_OF:
            expected = f"one of {', '.join(NUMPY_OF)}"
            raise _invalid("unknown_datatype", f"inputs[{position}].datatype", repr(datatype), expected)
        if len(shape) > _MAX_RANK or (shape and min(shape) < 0):
            expected = f"at most {_MAX_RANK} sizes >= 0"
            raise _invalid("wrong_shape", f"inputs[{position}].shape", str(list(shape[:40])), expected)
        if not raw:
            array = _from_typed(tensor.contents, datatype, math.prod(shape), position)
        elif tensor.HasField("contents"):
            raise _invalid(
                "mixed_contents", f"inputs[{position}].contents", "typed and raw contents", "one of them for all inputs"
            )
        else:
            array = _from_raw(raw[position], datatype, math.prod(shape), position)
        try:
            inputs[name] = array.reshape(shape)
        except ValueError:  # nothing in it, and other sizes beyond what an array may have
            raise _invalid("wrong_shape", f"inputs[{position}].shape", str(list(shape)), "smaller sizes") from None
    return InferRequest(
        model=message.model_name,
        version=message.model_version,
        id=message.id,
        inputs=inputs,
        outputs=tuple([output.name for output in message.outputs]) or None,
        parameters={key: parameter_value(key, value) for key, value in message.parameters.items()},
    )


def classes_wanted(message: Any) -> dict[str, int]:
    """Return the outputs to be given as their best classes (classification extension), and how many of each.

    Raises:
        InvalidRequest: The number is none.
        Unsupported: An output is wanted in shared memory.
    """
    wanted: dict[str, int] = {}
    for position, output in enumerate(message.outputs):
        for key, parameter in output.parameters.items():
            field = f"outputs[{position}].parameters.{key}"
            if key.startswith("shared_memory"):
                raise Unsupported(f"{field}: shared memory is not served", code="shared_memory", field=field)
            if key == "classification":
                classes = parameter_value(key, parameter)
                if type(classes) is not int or classes < 0:
                    raise _invalid("invalid_parameter", field, repr(classes), "a whole number >= 0")
                wanted[output.name] = classes
    return {name: classes for name, classes in wanted.items() if classes}


def parameter_value(name: str, parameter: Any) -> Any:
    """Return what a parameter's oneof holds; raises InvalidRequest where it holds nothing."""
    choice = parameter.WhichOneof("parameter_choice")
    if choice is None:
        raise _invalid("invalid_parameter", f"parameters.{name}", "no value", "a value")
    return getattr(parameter, choice)


def _from_raw(data: bytes, datatype: str, count: int, position: int) -> np.ndarray:
    if datatype == "BYTES":
        return _elements(data, count, position)
    dtype = NUMPY_OF[datatype]
    if len(data) != count * dtype.itemsize:
        expected = f"{count * dtype.itemsize} for {count} elements of {datatype}"
        raise _invalid("wrong_size", f"raw_input_contents[{position}]", f"{len(data)} bytes", expected)
    array = np.frombuffer(data, dtype)
    if datatype == "BOOL" and count and array.view(np.uint8).max() > 1:
        raise _invalid("wrong_value", f"raw_input_contents[{position}]", "bytes beyond 1", "0 or 1 an element of BOOL")
    return array


def _elements(data: bytes, count: int, position: int) -> np.ndarray:
    """Split `<length><bytes><length><bytes>...`; takes memory for what `data` holds, not for what `count` promises."""
    values: list[bytes] = []
    start, end = 0, len(data)
    while start + 4 <= end:
        stop = start + 4 + struct.unpack_from("<I", data, start)[0]
        if stop > end:
            break
        values.append(data[start + 4 : stop])
        start = stop
    if start != end:
        got = f"{end - start} bytes too many after {len(values)} whole elements"
        raise _invalid("wrong_size", f"raw_input_contents[{position}]", got, "4 bytes of length before each element")
    return _object_array(values, count, f"raw_input_contents[{position}]")


def _object_array(values: list[bytes], count: int, field: str) -> np.ndarray:
    if len(values) != count:
        raise _invalid("wrong_size", field, f"{len(values)} elements", str(count))
    array = np.empty(count, object)
    array[:] = values
    return array


def _from_typed(contents: Any, datatype: str, count: int, position: int) -> np.ndarray:
    name = CONTENTS_OF.get(datatype)
    field = f"inputs[{position}].contents"
    if name is None:
        raise _invalid("wrong_contents", field, f"typed contents of {datatype}", "raw_input_contents")
    filled = [descriptor.name for descriptor, _ in contents.ListFields() if descriptor.name != name]
    if filled:
        raise _invalid("wrong_contents", field, f"{filled[0]} for datatype {datatype}", name)
    values = getattr(contents, name)
    if datatype == "BYTES":
        return _object_array(list(values), count, f"{field}.{name}")
    if len(values) != count:
        raise _invalid("wrong_size", f"{field}.{name}", f"{len(values)} elements", str(count))
    dtype = NUMPY_OF[datatype]
    if count == 0:
        return np.empty(0, dtype)
    if datatype in PACKED_LIKE_MEMORY:
        # Read from the wire form: a Python float each would take thousands of times as long.
        header = 1 + len(varint(count * dtype.itemsize))
        return np.frombuffer(contents.SerializeToString(), dtype, count, header)
    wide = np.array(values, np.uint64 if datatype.startswith("U") else np.int64)
    limits = np.iinfo(dtype)
    if wide.min() < limits.min or wide.max() > limits.max:
        got = f"values from {wide.min()} to {wide.max()}"
        raise _invalid("wrong_value", f"{field}.{name}", got, f"{limits.min} to {limits.max} for {datatype}")
    return wide.astype(dtype)


def _invalid(code: str, field: str, got: str, expected: str) -> InvalidRequest:
    return InvalidRequest(f"{field}: got {got}, expected {expected}", code=code, field=field)
