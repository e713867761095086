"""The two models that the benchmark serves: plain ONNX files with random weights of a fixed seed, made without torch.

`tiny` costs about as much as a front end, so that the server's own work shows; `vit` is a real load.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 20
#: The shape of one row of each model's input `x` (FP32); the output is `logits` (FP32).
ROW_SHAPES = {"tiny": (1, 28, 28), "vit": (3, 64, 64)}


class Graph:
    """Collects nodes and weights; every method returns the name of the tensor that it made."""

    def __init__(self, seed: int) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        self._random = np.random.default_rng(seed)

    def add(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """Append a node with one output."""
        name = f"{operator.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [name], **attributes))
        return name

    def constant(self, array: np.ndarray) -> str:
        """Add a weight."""
        name = f"weight_{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(array, name))
        return name

    def normal(self, *shape: int, fan_in: int) -> str:
        """Add a weight of normal numbers with variance 1 / fan_in."""
        return self.constant((self._random.standard_normal(shape) / fan_in**0.5).astype(np.float32))

    def conv(self, x: str, in_channels: int, out_channels: int, kernel: int, stride: int, padding: int) -> str:
        """Append a square convolution with bias."""
        weight = self.normal(out_channels, in_channels, kernel, kernel, fan_in=in_channels * kernel * kernel)
        bias = self.constant(np.zeros(out_channels, np.float32))
        return self.add("Conv", x, weight, bias, strides=[stride, stride], pads=[padding] * 4)

    def linear(self, x: str, in_features: int, out_features: int) -> str:
        """Append an affine map of the last axis."""
        weight = self.normal(in_features, out_features, fan_in=in_features)
        return self.add("Add", self.add("MatMul", x, weight), self.constant(np.zeros(out_features, np.float32)))

    def layer_norm(self, x: str, features: int) -> str:
        """Append a layer normalization of the last axis."""
        scale = self.constant(np.ones(features, np.float32))
        return self.add("LayerNormalization", x, scale, self.constant(np.zeros(features, np.float32)), axis=-1)

    def reshape(self, x: str, *shape: int) -> str:
        """Append a reshape; 0 keeps an axis."""
        return self.add("Reshape", x, self.constant(np.array(shape, np.int64)))

    def model(self, logits: str, row: tuple[int, ...], classes: int) -> onnx.ModelProto:
        """Return the checked model from `x` [batch, *row] to `logits` [batch, classes]."""
        self.nodes.append(helper.make_node("Identity", [logits], ["logits"]))
        graph = helper.make_graph(
            self.nodes,
            "bench",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", *row])],
            [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", classes])],
            self.weights,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10)
        onnx.checker.check_model(model, full_check=True)
        return model


def tiny(seed: int = 0) -> onnx.ModelProto:
    """Return a convolutional classifier of 28x28 grey pictures, 10 classes: about 0.25 ms of one core a row."""
    graph = Graph(seed)
    x = graph.add("Relu", graph.conv("x", 1, 32, kernel=3, stride=1, padding=1))
    x = graph.add("Relu", graph.conv(x, 32, 64, kernel=3, stride=2, padding=1))
    x = graph.add("Relu", graph.conv(x, 64, 64, kernel=3, stride=1, padding=1))
    x = graph.add("Relu", graph.conv(x, 64, 64, kernel=3, stride=2, padding=1))
    x = graph.add("Flatten", graph.add("GlobalAveragePool", x))
    return graph.model(graph.linear(x, 64, 10), ROW_SHAPES["tiny"], 10)


def vit(seed: int = 0, *, dim: int = 288, blocks: int = 6, heads: int = 6, patch: int = 8) -> onnx.ModelProto:
    """Return a pre-norm vision transformer of 3x64x64 pictures, 100 classes: about 10 ms of one core a row."""
    graph = Graph(seed)
    side = ROW_SHAPES["vit"][1] // patch
    tokens = graph.conv("x", 3, dim, kernel=patch, stride=patch, padding=0)
    tokens = graph.add("Transpose", graph.reshape(tokens, 0, dim, side * side), perm=[0, 2, 1])
    tokens = graph.add("Add", tokens, graph.normal(1, side * side, dim, fan_in=dim))
    for _ in range(blocks):
        tokens = graph.add("Add", tokens, _attention(graph, graph.layer_norm(tokens, dim), dim, heads))
        hidden = graph.add("Gelu", graph.linear(graph.layer_norm(tokens, dim), dim, 4 * dim), approximate="none")
        tokens = graph.add("Add", tokens, graph.linear(hidden, 4 * dim, dim))
    pooled = graph.add("ReduceMean", graph.layer_norm(tokens, dim), graph.constant(np.array([1], np.int64)), keepdims=0)
    return graph.model(graph.linear(pooled, dim, 100), ROW_SHAPES["vit"], 100)


def _attention(graph: Graph, x: str, dim: int, heads: int) -> str:
    query, key, value = (graph.reshape(graph.linear(x, dim, dim), 0, 0, heads, dim // heads) for _ in range(3))
    query = graph.add("Transpose", query, perm=[0, 2, 1, 3])
    key = graph.add("Transpose", key, perm=[0, 2, 3, 1])
    value = graph.add("Transpose", value, perm=[0, 2, 1, 3])
    scale = graph.constant(np.array((dim // heads) ** -0.5, np.float32))
    weights = graph.add("Softmax", graph.add("Mul", graph.add("MatMul", query, key), scale), axis=-1)
    mixed = graph.add("Transpose", graph.add("MatMul", weights, value), perm=[0, 2, 1, 3])
    return graph.linear(graph.reshape(mixed, 0, 0, dim), dim, dim)


def add_model(repository: Path, name: str, model: onnx.ModelProto, version: int = 1) -> Path:
    """Write a model into a repository of plain ONNX files and return the file's path."""
    path = repository / name / str(version) / "model.onnx"
    path.parent.mkdir(parents=True)
    # A server that scans the folder meanwhile must never see half a file.
    partial = path.with_suffix(".partial")
    onnx.save(model, partial)
    return partial.rename(path)


def write_repository(repository: Path, *, zoo: Path | None = None) -> None:
    """Write `tiny` and `vit`, and the ONNX side of the zoo's models where there are any, into an empty folder."""
    add_model(repository, "tiny", tiny())
    add_model(repository, "vit", vit())
    for folder in zoo_models(zoo) if zoo else ():
        shutil.copytree(folder, repository / folder.name)


def zoo_models(zoo: Path) -> list[Path]:
    """Return the folders of a repository that hold a manifest and an ONNX file."""
    return sorted(path.parent for path in zoo.glob("*/model.yaml") if any(path.parent.glob("*/model.onnx")))


def row(model: str, seed: int = 0) -> np.ndarray:
    """Return one input row `[1, *shape]` of float32, the same for the same seed."""
    return np.random.default_rng(seed).standard_normal((1, *ROW_SHAPES[model])).astype(np.float32)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Write the benchmark's model repository.")
    parser.add_argument("folder", type=Path)
    write_repository(parser.parse_args().folder)
