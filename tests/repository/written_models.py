"""Models of two columns, FP32 x [-1, 2] -> y [-1, 2], as tests write them into a repository."""

from __future__ import annotations

import numpy as np

from equiserve.artifact import Manifest, TensorSpec
from equiserve.engine import ServedModel


def weight(value: float) -> np.ndarray:
    return np.full((2, 2), value, np.float32)


def manifest(name: str, **changes: object) -> Manifest:
    tensors = {
        "inputs": [TensorSpec(name="x", datatype="FP32", shape=(-1, 2))],
        "outputs": [TensorSpec(name="y", datatype="FP32", shape=(-1, 2))],
    }
    return Manifest(schema_version=1, name=name, **(tensors | changes))


async def ask(model: ServedModel, x: list[list[float]]) -> np.ndarray:
    (y,) = await model.infer([np.array(x, np.float32)])
    return y
