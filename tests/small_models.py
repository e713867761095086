"""Small ONNX models that tests build: their right answers are known in closed form."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def linear_model(path: Path, weight: np.ndarray) -> None:
    """Write y = x @ weight with a free batch axis: FP32 x [-1, n] -> y [-1, m]."""
    rows, columns = weight.shape
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "linear",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", rows])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", columns])],
        [numpy_helper.from_array(weight.astype(np.float32), "w")],
    )
    save(graph, path)


def brightness_model(path: Path) -> None:
    """Write a classifier of UINT8 pictures [batch, 1, 4, 4] whose two scores are (sum - 100) / 100 and its negative."""
    graph = helper.make_graph(
        [
            helper.make_node("Cast", ["x"], ["pixels"], to=TensorProto.FLOAT),
            helper.make_node("ReduceSum", ["pixels", "axes"], ["sum"], keepdims=0),
            helper.make_node("Reshape", ["sum", "column"], ["sums"]),
            helper.make_node("Sub", ["sums", "hundred"], ["above"]),
            helper.make_node("Mul", ["above", "directions"], ["logits"]),
        ],
        "brightness",
        [helper.make_tensor_value_info("x", TensorProto.UINT8, ["batch", 1, 4, 4])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 2])],
        [
            numpy_helper.from_array(np.array([1, 2, 3], np.int64), "axes"),
            numpy_helper.from_array(np.array([-1, 1], np.int64), "column"),
            numpy_helper.from_array(np.array(100, np.float32), "hundred"),
            numpy_helper.from_array(np.array([[0.01, -0.01]], np.float32), "directions"),
        ],
    )
    save(graph, path)


def save(graph: onnx.GraphProto, path: Path) -> None:
    """Write a checked ONNX file of opset 20."""
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    onnx.checker.check_model(model)
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, path)
