"""Runtimes: named arrays in, named arrays out. The only place of the server that may import torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from equiserve.artifact import Manifest, TensorSpec


class Runtime(Protocol):
    """A loaded model file: named arrays to arrays. `run` is called from worker threads and releases the GIL."""

    #: `onnx` or `torchscript`.
    name: str
    #: Name and version of the library that runs it, e.g. `onnxruntime 1.32.0`.
    version: str
    #: `cpu` or `cuda`: where it really runs, not where it was asked to.
    device: str
    #: Threads that one call uses.
    threads: int
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]

    def run(self, inputs: Mapping[str, np.ndarray]) -> Sequence[np.ndarray]:
        """Return every output, in the order of `outputs`."""
        ...


def open_runtime(name: str, path: Path, manifest: Manifest | None, *, device: str, threads: int) -> Runtime:
    """Load a model file.

    Args:
        name: `onnx` or `torchscript`.
        path: The model file; its digest has been verified by the caller.
        manifest: Names and shapes for formats that carry none (TorchScript).
        device: `auto`, `cpu` or `cuda`; `cuda` fails where `auto` would fall back.
        threads: Threads that one call may use.

    Raises:
        InvalidRequest: The file is no model of this format.
        Unsupported: The runtime's library is not installed here.
        Unavailable: The asked device is not there.
    """
    if name == "onnx":
        from equiserve.runtimes.onnx import OnnxRuntime

        return OnnxRuntime(path, device=device, threads=threads)
    from equiserve.runtimes.torchscript import TorchScriptRuntime

    return TorchScriptRuntime(path, manifest, device=device, threads=threads)
