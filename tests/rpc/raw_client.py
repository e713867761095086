"""Calls of the v2 service with messages made by hand: well-formed or not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import grpc
import numpy as np

from equiserve.rpc import protocol
from equiserve.rpc.wire import CONTENTS_OF


@dataclass(frozen=True)
class Refusal:
    """How a call failed."""

    status: grpc.StatusCode
    message: str
    trailers: dict[str, str]

    @property
    def code(self) -> str | None:
        return self.trailers.get("equiserve-code")

    @property
    def field(self) -> str | None:
        return self.trailers.get("equiserve-field")


async def infer(channel: grpc.aio.Channel, message: Any, **call: Any) -> Any:
    """Send a ModelInferRequest, or bytes in its place, and return the ModelInferResponse."""
    method = channel.unary_unary(f"/{protocol.SERVICE}/ModelInfer")
    raw = message if isinstance(message, bytes) else message.SerializeToString()
    return protocol.ModelInferResponse.FromString(await method(raw, timeout=call.pop("timeout", 30), **call))


async def refusal_of(call: Any) -> Refusal:
    """Await a call that must fail."""
    try:
        answer = await call
    except grpc.aio.AioRpcError as error:
        return Refusal(error.code(), error.details() or "", dict(error.trailing_metadata() or ()))
    raise AssertionError(f"the call was answered: {answer!r}")


def tiny_request(array: np.ndarray | None = None, **fields: Any) -> Any:
    """Return a request with raw contents for the model `tiny`."""
    array = np.array([[1, 2, 3, 4]], np.float32) if array is None else array
    message = protocol.ModelInferRequest(model_name="tiny", model_version="1", **fields)
    message.inputs.add(name="x", datatype="FP32", shape=array.shape)
    message.raw_input_contents.append(array.tobytes())
    return message


def typed_request(model: str, arrays: dict[str, tuple[str, np.ndarray]]) -> Any:
    """Return a request with typed contents."""
    message = protocol.ModelInferRequest(model_name=model)
    for name, (datatype, array) in arrays.items():
        tensor = message.inputs.add(name=name, datatype=datatype, shape=array.shape)
        getattr(tensor.contents, CONTENTS_OF[datatype]).extend(array.ravel().tolist())
    return message
