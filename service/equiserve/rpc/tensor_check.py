"""The request of a check of named tensors, from `equiserve.v1.CheckRequest`."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from equiserve.artifact.datatypes import NUMPY_OF
from equiserve.checks import TensorCheckRequest
from equiserve.checks.named_tensors.request import TensorReference
from equiserve.errors import InvalidRequest
from equiserve.rpc.check_fields import elements_of, gate_of, group_of
from equiserve.rpc.generated import equivariance_pb2

_MAX_RANK = 32
_REFERENCES: dict[int, TensorReference] = {
    equivariance_pb2.REFERENCE_UNSPECIFIED: "identity",
    equivariance_pb2.REFERENCE_CONSENSUS: "consensus",
    equivariance_pb2.REFERENCE_IDENTITY: "identity",
}


def tensor_check_request(message: equivariance_pb2.CheckRequest) -> TensorCheckRequest:
    """Turn a message with `inputs` into the check's request; raises InvalidRequest for a field that cannot be read."""
    for field in ("picture", "label_index", "label_name"):
        if message.HasField(field):
            raise InvalidRequest(f"{field}: it belongs to a picture, got inputs as well", field=field)
    if message.search:
        raise InvalidRequest("search: only checks of a picture have it", field="search")
    if message.reference not in _REFERENCES:
        raise InvalidRequest("reference: inputs are compared with the consensus or the identity", field="reference")
    inputs = named_arrays(message.inputs, "inputs")
    return TensorCheckRequest(
        model=message.model,
        inputs=inputs,
        version=message.version,
        runtime=message.runtime or None,
        group=group_of(message),
        elements=elements_of(message),
        reference=_REFERENCES[message.reference],
        metrics=list(message.metrics) or None,
        outputs=message.include_outputs,
        compare_with=message.compare_with or None,
        gate=gate_of(message),
    )


def named_arrays(tensors: Iterable[Any], field: str) -> dict[str, np.ndarray]:
    """Return `equiserve.v1.Tensor` messages as arrays by name; raises InvalidRequest naming the one that is wrong."""
    arrays: dict[str, np.ndarray] = {}
    for index, tensor in enumerate(tensors):
        if tensor.name in arrays:
            place = f"{field}[{index}].name"
            raise InvalidRequest(f"{place}: {tensor.name!r} came twice", field=place)
        arrays[tensor.name] = _array(tensor, f"{field}[{index}]")
    return arrays


def _array(tensor: Any, field: str) -> np.ndarray:
    if tensor.datatype not in NUMPY_OF or tensor.datatype == "BYTES":
        known = [name for name in NUMPY_OF if name != "BYTES"]
        raise InvalidRequest(
            f"{field}.datatype: got {tensor.datatype!r}, expected one of {', '.join(known)}",
            code="unknown_datatype",
            field=f"{field}.datatype",
        )
    dtype, shape = np.dtype(NUMPY_OF[tensor.datatype]), tuple(tensor.shape)
    expected = math.prod(shape) * dtype.itemsize
    if len(shape) > _MAX_RANK or min(shape, default=0) < 0 or len(tensor.data) != expected:
        raise InvalidRequest(
            f"{field}.data: got {len(tensor.data)} bytes, expected {expected} for {tensor.datatype} of shape "
            f"{list(shape[:_MAX_RANK])}",
            code="wrong_size",
            field=f"{field}.data",
        )
    return np.frombuffer(tensor.data, dtype).reshape(shape)
