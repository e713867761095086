"""ONNX files through ONNX Runtime."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort

from equiserve.artifact import TensorSpec
from equiserve.errors import InvalidRequest, Unavailable

_DATATYPES = {
    "tensor(bool)": "BOOL",
    "tensor(uint8)": "UINT8",
    "tensor(uint16)": "UINT16",
    "tensor(uint32)": "UINT32",
    "tensor(uint64)": "UINT64",
    "tensor(int8)": "INT8",
    "tensor(int16)": "INT16",
    "tensor(int32)": "INT32",
    "tensor(int64)": "INT64",
    "tensor(float16)": "FP16",
    "tensor(float)": "FP32",
    "tensor(double)": "FP64",
    "tensor(string)": "BYTES",
}


class OnnxRuntime:
    """An ONNX Runtime session with an explicit device and thread count (see `Runtime`)."""

    name = "onnx"

    def __init__(self, path: Path, *, device: str, threads: int) -> None:
        options = ort.SessionOptions()
        # Left to itself a session takes a thread per core of the host, whatever the container's quota allows.
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        # Spinning threads burn the cores that the event loop and other models need.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        try:
            self._session = ort.InferenceSession(str(path), options, providers=_providers(device))
        except Exception as error:  # noqa: BLE001 - onnxruntime raises its own unrelated types for a bad file
            raise InvalidRequest(
                f"{path}: onnxruntime cannot load this file: {error}", code="invalid_model", field=str(path)
            ) from None
        active = self._session.get_providers()[0]
        self.device = "cuda" if active == "CUDAExecutionProvider" else "cpu"
        if device == "cuda" and self.device != "cuda":
            raise Unavailable(
                f"device cuda was asked for, but onnxruntime runs on {active}",
                code="device_unavailable",
                field="device",
            )
        self.version = f"onnxruntime {ort.__version__}"
        self.threads = threads
        self.inputs = tuple(_spec(node, path) for node in self._session.get_inputs())
        self.outputs = tuple(_spec(node, path) for node in self._session.get_outputs())
        self._reads_text = any(spec.datatype == "BYTES" for spec in self.inputs)
        self._writes_text = any(spec.datatype == "BYTES" for spec in self.outputs)

    def run(self, inputs: Mapping[str, np.ndarray]) -> Sequence[np.ndarray]:
        """Return every output, in the order of `outputs`; raises UnicodeDecodeError for BYTES that are no UTF-8."""
        if self._reads_text:
            inputs = {name: _text_of(array) for name, array in inputs.items()}
        outputs: Sequence[np.ndarray] = self._session.run(None, inputs)
        return [_bytes_of(array) for array in outputs] if self._writes_text else outputs


def _text_of(array: np.ndarray) -> np.ndarray:
    # onnxruntime takes str(element) of whatever an object array holds: b"a" would arrive as "b'a'".
    return _mapped(array, bytes.decode) if array.dtype == object else array


def _bytes_of(array: np.ndarray) -> np.ndarray:
    return _mapped(array, str.encode) if array.dtype == object else array


def _mapped(array: np.ndarray, convert: Callable[[Any], Any]) -> np.ndarray:
    mapped = np.empty(array.shape, object)
    mapped.ravel()[:] = [convert(element) for element in array.ravel()]
    return mapped


def _providers(device: str) -> list[str]:
    # Never get_available_providers(): CPU builds list providers that do not belong to this machine.
    if device == "cpu" or "CUDAExecutionProvider" not in ort.get_available_providers():
        return ["CPUExecutionProvider"]
    ort.preload_dlls()
    return ["CUDAExecutionProvider", "CPUExecutionProvider"]


def _spec(node: ort.NodeArg, path: Path) -> TensorSpec:
    datatype = _DATATYPES.get(node.type)
    if datatype is None:
        raise InvalidRequest(
            f"{path}: {node.name} has type {node.type}; only tensors are served",
            code="invalid_model",
            field=node.name,
        )
    # A symbolic dimension comes as its name, an unknown one as None.
    shape = tuple(size if isinstance(size, int) and size > 0 else -1 for size in node.shape)
    return TensorSpec(name=node.name, datatype=datatype, shape=shape)
