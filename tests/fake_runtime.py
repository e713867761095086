"""A runtime in pure numpy that tests can slow down, break and watch."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence

import numpy as np

from equiserve.artifact import Batching, Manifest, TensorSpec


class DoublingRuntime:
    """y = 2 x for FP32 x [-1, n]; a row that holds `poison` makes the whole call fail.

    `gate` holds every call back until it is set; `batches` records how many rows each call had.
    """

    name = "onnx"
    version = "numpy"
    device = "cpu"
    threads = 1
    inputs = (TensorSpec(name="x", datatype="FP32", shape=(-1, -1)),)
    outputs = (TensorSpec(name="y", datatype="FP32", shape=(-1, -1)),)

    def __init__(self, poison: float = 666.0) -> None:
        self.poison = poison
        self.gate = threading.Event()
        self.gate.set()
        self.batches: list[int] = []

    def run(self, inputs: Mapping[str, np.ndarray]) -> Sequence[np.ndarray]:
        self.gate.wait(30)
        x = inputs["x"]
        self.batches.append(len(x))
        if (x == self.poison).any():
            raise RuntimeError("poisoned row")
        return [x * 2]


def doubling_manifest(max_batch: int = 4, **batching: object) -> Manifest:
    return Manifest(
        schema_version=1,
        name="doubling",
        inputs=list(DoublingRuntime.inputs),
        outputs=list(DoublingRuntime.outputs),
        batching=Batching(max_batch=max_batch, **batching),
    )
