"""What an ONNX file costs: parameters, and multiply-adds of one picture counted on the shapes that really occur."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx

from equiserve_models.export import onnx_session

PRODUCTS = ("Conv", "MatMul", "Gemm")


@dataclass(frozen=True)
class Cost:
    """Size of a file.

    Args:
        parameters: Floating-point values that the file stores.
        multiply_adds: Of its convolutions and matrix products, for one sample.
    """

    parameters: int
    multiply_adds: int


def cost_of(path: Path) -> Cost:
    """Count one ONNX file of one input with a leading batch axis.

    The file runs once on a batch of one with every operand as an output: shapes are seen, not inferred.

    Args:
        path: The file; its weights are inside.
    """
    model = onnx.load(path)
    stored = {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}
    floating = {onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16, onnx.TensorProto.DOUBLE, onnx.TensorProto.BFLOAT16}
    parameters = sum(int(np.prod(t.dims)) for t in model.graph.initializer if t.data_type in floating)
    products = [node for node in model.graph.node if node.op_type in PRODUCTS]
    operands = {name for node in products for name in (*node.input[:2], node.output[0])}
    wanted = sorted(operands - stored.keys() - {value.name for value in model.graph.input})

    outputs = {value.name for value in model.graph.output}
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in wanted if name not in outputs)
    session = onnx_session(model.SerializeToString())
    (fed,) = session.get_inputs()
    dtype = onnx.helper.tensor_dtype_to_np_dtype(model.graph.input[0].type.tensor_type.elem_type)
    sample = np.zeros((1, *fed.shape[1:]), dtype)
    seen = session.run(wanted, {fed.name: sample}) if wanted else []
    shapes = stored | {fed.name: sample.shape} | {name: a.shape for name, a in zip(wanted, seen, strict=True)}

    total = 0
    for node in products:
        left, right = (shapes[name] for name in node.input[:2])
        if node.op_type == "Conv":
            terms = int(np.prod(right[1:]))
        elif node.op_type == "Gemm":
            transposed = any(attribute.name == "transA" and attribute.i for attribute in node.attribute)
            terms = left[0] if transposed else left[1]
        else:
            terms = left[-1]
        total += terms * int(np.prod(shapes[node.output[0]]))
    return Cost(parameters, total)
