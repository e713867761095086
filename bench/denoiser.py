"""A denoiser for the benchmark where the repository holds none: random weights of a fixed seed, the cost of a real one.

Its pictures show nothing; a row costs about what one of a million parameters at 28 x 28 pixels does.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import yaml
from bench.models import OPSET, Graph
from onnx import TensorProto, helper

SIZE, CLASSES, CHANNELS, BLOCKS = 28, 10, 32, 9
NAME = "stand-in"


def denoiser(seed: int = 0) -> onnx.ModelProto:
    """Return x [-1, 1, 28, 28], sigma [-1], label [-1], angle [-1, 3] -> denoised: x seen through nine convolutions."""
    graph = Graph(seed)
    one = graph.constant(np.array(1, np.float32))
    level = graph.reshape("sigma", -1, 1, 1, 1)
    share = graph.add("Div", one, graph.add("Add", one, graph.add("Mul", level, level)))
    scaled = graph.add("Mul", "x", graph.add("Sqrt", share))
    told = graph.add("Gather", graph.normal(CLASSES + 1, CHANNELS, fan_in=1), "label")
    told = graph.add("Add", told, graph.linear("angle", 3, CHANNELS))
    told = graph.reshape(told, -1, CHANNELS, 1, 1)
    hidden = graph.conv(scaled, 1, CHANNELS, kernel=3, stride=1, padding=1)
    for _ in range(BLOCKS):
        moved = graph.add("Relu", graph.add("Add", hidden, told))
        moved = graph.conv(moved, CHANNELS, CHANNELS, kernel=3, stride=1, padding=1)
        hidden = graph.add("Add", hidden, moved)
    shown = graph.add("Tanh", graph.conv(hidden, CHANNELS, 1, kernel=3, stride=1, padding=1))
    lost = graph.add("Sub", one, share)
    mixed = graph.add("Add", graph.add("Mul", share, "x"), graph.add("Mul", lost, shown))
    graph.nodes.append(helper.make_node("Identity", [mixed], ["denoised"]))
    picture = ["batch", 1, SIZE, SIZE]
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "denoiser",
            [
                helper.make_tensor_value_info("x", TensorProto.FLOAT, picture),
                helper.make_tensor_value_info("sigma", TensorProto.FLOAT, ["batch"]),
                helper.make_tensor_value_info("label", TensorProto.INT64, ["batch"]),
                helper.make_tensor_value_info("angle", TensorProto.FLOAT, ["batch", 3]),
            ],
            [helper.make_tensor_value_info("denoised", TensorProto.FLOAT, picture)],
            graph.weights,
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=10,
    )
    onnx.checker.check_model(model, full_check=True)
    return model


def write_denoiser(repository: Path) -> None:
    """Write the denoiser and its manifest into a repository."""
    folder = repository / NAME
    (folder / "1").mkdir(parents=True)
    onnx.save(denoiser(), folder / "1" / "model.onnx")
    picture = {"datatype": "FP32", "shape": [-1, 1, SIZE, SIZE]}
    content = {
        "schema": 1,
        "name": NAME,
        "task": "generate",
        "inputs": [
            {"name": "x", "kind": "picture", **picture},
            {"name": "sigma", "datatype": "FP32", "shape": [-1], "kind": "noise_level"},
            {"name": "label", "datatype": "INT64", "shape": [-1], "kind": "label", "value_range": [0, CLASSES]},
            {"name": "angle", "datatype": "FP32", "shape": [-1, 3], "kind": "angle"},
        ],
        "outputs": [{"name": "denoised", "kind": "picture", **picture}],
        "batching": {"max_batch": 32},
        "task_options": {"sigma_min": 0.002, "sigma_max": 80.0, "classes": CLASSES, "angle": "conditioned"},
    }
    (folder / "model.yaml").write_text(yaml.safe_dump(content), "utf-8")
