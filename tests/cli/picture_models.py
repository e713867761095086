"""Strangers' ONNX files: classifiers of 16 x 16 pictures whose symmetry is known in closed form."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from small_models import save

SIDE, CLASSES = 16, 6


def c4_averaged_weight() -> np.ndarray:
    """Return float32 [256, 6]: random weights, averaged over the four quarter turns of the picture plane."""
    weight = np.random.default_rng(7).normal(size=(SIDE, SIDE, CLASSES))
    turned = sum(np.rot90(weight, k, axes=(0, 1)) for k in range(4)) / 4
    return (turned.reshape(-1, CLASSES) / 40).astype(np.float32)


def linear_classifier(path: Path, weight: np.ndarray, *, noise: float = 0.0) -> Path:
    """Write logits = pixels @ weight for UINT8 [batch, 1, 16, 16], with fresh normal noise on them if `noise`."""
    nodes = [
        helper.make_node("Cast", ["image"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Flatten", ["floats"], ["pixels"]),
        helper.make_node("MatMul", ["pixels", "weight"], ["clean"]),
        helper.make_node("RandomNormalLike", ["clean"], ["dice"], scale=max(noise, 1e-6)),
        helper.make_node("Add" if noise else "Identity", ["clean", "dice"] if noise else ["clean"], ["logits"]),
    ]
    graph = helper.make_graph(
        nodes if noise else [*nodes[:3], nodes[4]],
        "linear",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["batch", 1, SIDE, SIDE])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", CLASSES])],
        [numpy_helper.from_array(weight.astype(np.float32), "weight")],
    )
    save(graph, path)
    return path


def unit_range_classifier(path: Path) -> Path:
    """Write a classifier of FP32 [batch, 1, 16, 16]: class 1 where the mean pixel is above 1, else class 0."""
    graph = helper.make_graph(
        [
            helper.make_node("ReduceMean", ["image", "axes"], ["mean"], keepdims=0),
            helper.make_node("Sub", ["mean", "one"], ["above"]),
            helper.make_node("Mul", ["above", "directions"], ["logits"]),
        ],
        "brightness",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 1, SIDE, SIDE])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 2])],
        [
            numpy_helper.from_array(np.array([2, 3], np.int64), "axes"),
            numpy_helper.from_array(np.array(1, np.float32), "one"),
            numpy_helper.from_array(np.array([[-1, 1]], np.float32), "directions"),
        ],
    )
    save(graph, path)
    return path
