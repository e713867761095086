"""From named arrays to a ModelInferResponse.

An answer with raw contents leaves as bytes: all but the numbers and the caller's id depends on the model and the
shapes only, and is serialised once.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np

from equiserve.artifact.datatypes import datatype_of
from equiserve.dataplane import InferResponse
from equiserve.rpc import protocol
from equiserve.rpc.wire import CONTENTS_OF, PACKED_LIKE_MEMORY, varint
from equiserve.tasks.ranking import rank_classes


def with_classes(response: InferResponse, classes: Mapping[str, int]) -> InferResponse:
    """Return the response with some outputs as their best classes; raises InvalidRequest where one has no classes.

    Args:
        response: The model's answer.
        classes: How many, by output.
    """
    labels = response.model.manifest.labels
    outputs = {
        name: rank_classes(array, classes[name], labels, name) if name in classes else array
        for name, array in response.outputs.items()
    }
    return replace(response, outputs=outputs)


def encode_response(response: InferResponse) -> bytes:
    """Return a serialised ModelInferResponse with raw contents."""
    model, outputs = response.model, response.outputs
    signature = tuple([(name, array.dtype, array.shape) for name, array in outputs.items()])
    head, raw_heads = _response_head(model.name, model.version, model.runtime.name, response.symmetrize, signature)
    parts: list[bytes | memoryview] = [head]
    if response.id:
        encoded = response.id.encode()
        parts += (_ID, varint(len(encoded)), encoded)
    for raw_head, array in zip(raw_heads, outputs.values(), strict=True):
        if raw_head is None:
            data = _joined(array)
            parts += (_RAW, varint(len(data)), data)
        else:
            parts += (raw_head, np.ascontiguousarray(array).data)
    return b"".join(parts)


def encode_typed_response(response: InferResponse) -> bytes:
    """Return a serialised ModelInferResponse with typed contents; with raw ones where an output is FP16."""
    if any(array.dtype == np.float16 for array in response.outputs.values()):
        return encode_response(response)
    model = response.model
    message = _response_message(model.name, model.version, model.runtime.name, response.symmetrize)
    message.id = response.id
    for name, array in response.outputs.items():
        datatype = datatype_of(array)
        output = message.outputs.add(name=name, datatype=datatype, shape=array.shape)
        contents = CONTENTS_OF[datatype]
        if datatype == "BYTES":
            output.contents.bytes_contents.extend(array.ravel().tolist())
        elif datatype in PACKED_LIKE_MEMORY:
            number = output.contents.DESCRIPTOR.fields_by_name[contents].number
            packed = bytes([number << 3 | 2]) + varint(array.nbytes) + array.tobytes()
            output.contents.MergeFromString(packed)
        else:
            getattr(output.contents, contents).extend(array.ravel().tolist())
    serialised: bytes = message.SerializeToString()
    return serialised


# Tags (field number << 3 | wire type 2) of ModelInferResponse.
_ID = bytes([3 << 3 | 2])
_RAW = bytes([6 << 3 | 2])

_Signature = tuple[tuple[str, np.dtype[Any], tuple[int, ...]], ...]


@lru_cache(maxsize=1024)
def _response_head(
    name: str, version: str, runtime: str, symmetrize: str | None, signature: _Signature
) -> tuple[bytes, tuple[bytes | None, ...]]:
    """Return the serialised fields before the id, and what precedes each output's bytes (None: depends on them)."""
    message = _response_message(name, version, runtime, symmetrize)
    raw_heads: list[bytes | None] = []
    for output, dtype, shape in signature:
        message.outputs.add(name=output, datatype=datatype_of(np.empty(0, dtype)), shape=shape)
        raw_heads.append(None if dtype.hasobject else _RAW + varint(math.prod(shape) * dtype.itemsize))
    return message.SerializeToString(), tuple(raw_heads)


def _response_message(name: str, version: str, runtime: str, symmetrize: str | None) -> Any:
    message = protocol.ModelInferResponse(model_name=name, model_version=version)
    message.parameters["runtime"].string_param = runtime
    if symmetrize is not None:
        message.parameters["symmetrize"].string_param = symmetrize
    return message


def _joined(array: np.ndarray) -> bytes:
    parts: list[bytes] = []
    for value in array.ravel():
        parts += (struct.pack("<I", len(value)), value)
    return b"".join(parts)
