"""Denoisers in closed form, as ONNX files with manifests: what is drawn with them is known without any network."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import yaml
from onnx import TensorProto, helper, numpy_helper

from small_models import save

SIZE = 16
LABELS = ["dot", "ring", "bar"]
SIGMA_MIN, SIGMA_MAX = 0.01, 40.0
#: Standard deviation of the pictures about their class's mean.
DEVIATION = 0.3


def class_means(size: int = SIZE) -> np.ndarray:
    """The upright mean picture of each class, and their mean for no class, [4, size, size]; each is isotropic."""
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    radius = np.hypot(y, x)
    means = [np.exp(-((radius / 3) ** 2)), np.exp(-((radius - 4) ** 2)), np.exp(-((radius - 2) ** 2) / 4)]
    means.append(np.mean(means, axis=0))
    return np.stack(means).astype(np.float32) - 1


def steering(size: int = SIZE) -> np.ndarray:
    """What cosine, sine and flag add, [3, size, size]: f(r) cos(phi - angle), a blob where the angle points."""
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    falloff = np.exp(-((np.hypot(y, x) / 4) ** 2)) / 3
    return np.stack([falloff * x, -falloff * y, 0 * x]).astype(np.float32)


def mean_picture(label: int | None, angle_deg: float, size: int = SIZE) -> np.ndarray:
    """What a conditioned model draws in the mean, [1, size, size]."""
    direction = np.array([math.cos(math.radians(angle_deg)), math.sin(math.radians(angle_deg)), 1], np.float32)
    mean = class_means(size)[-1 if label is None else label] + np.tensordot(direction, steering(size), 1)
    return mean[None]


def denoise(x: np.ndarray, sigma: float, label: int | None, features: tuple[float, float, float]) -> np.ndarray:
    """The model in numpy, for one request's rows [n, 1, size, size]."""
    size = x.shape[-1]
    mean = class_means(size)[-1 if label is None else label] + np.tensordot(np.float32(features), steering(size), 1)
    kept = np.float32(DEVIATION**2 / (DEVIATION**2 + np.float32(sigma) ** 2))
    return kept * x + (1 - kept) * mean


def write_generator(
    folder: Path, *, angle: str = "conditioned", classes: int = 3, size: int = SIZE, **manifest
) -> None:
    """Write a repository entry: E[x0 | x] of pictures N(mean of the class at the angle, DEVIATION^2)."""
    constants = {
        "means": class_means(size).reshape(4, -1)[[*range(classes), 3]],
        "steering": steering(size).reshape(3, -1),
        "variance": np.array(DEVIATION**2, np.float32),
        "one": np.array(1, np.float32),
        "picture": np.array([-1, 1, size, size], np.int64),
        "column": np.array([-1, 1, 1, 1], np.int64),
    }
    nodes = [
        helper.make_node("Gather", ["means", "label"], ["of_class"]),
        helper.make_node("MatMul", ["angle", "steering"], ["steered"]),
        helper.make_node("Add", ["of_class", "steered"], ["flat"]),
        helper.make_node("Reshape", ["flat", "picture"], ["mean"]),
        helper.make_node("Mul", ["sigma", "sigma"], ["noise"]),
        helper.make_node("Add", ["noise", "variance"], ["whole"]),
        helper.make_node("Div", ["variance", "whole"], ["share"]),
        helper.make_node("Reshape", ["share", "column"], ["kept"]),
        helper.make_node("Sub", ["one", "kept"], ["lost"]),
        helper.make_node("Mul", ["kept", "x"], ["seen"]),
        helper.make_node("Mul", ["lost", "mean"], ["believed"]),
        helper.make_node("Add", ["seen", "believed"], ["denoised"]),
    ]
    graph = helper.make_graph(
        nodes,
        "denoiser",
        [
            helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 1, size, size]),
            helper.make_tensor_value_info("sigma", TensorProto.FLOAT, ["batch"]),
            helper.make_tensor_value_info("label", TensorProto.INT64, ["batch"]),
            helper.make_tensor_value_info("angle", TensorProto.FLOAT, ["batch", 3]),
        ],
        [helper.make_tensor_value_info("denoised", TensorProto.FLOAT, ["batch", 1, size, size])],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    save(graph, folder / "1" / "model.onnx")
    picture = {"datatype": "FP32", "shape": [-1, 1, size, size], "axes": ["batch", "channel", "height", "width"]}
    content = {
        "schema": 1,
        "name": folder.name,
        "task": "generate",
        "inputs": [
            {"name": "x", "kind": "picture", **picture},
            {"name": "sigma", "datatype": "FP32", "shape": [-1], "kind": "noise_level", "value_range": [0.01, 40]},
            {"name": "label", "datatype": "INT64", "shape": [-1], "kind": "label", "value_range": [0, classes]},
            {"name": "angle", "datatype": "FP32", "shape": [-1, 3], "kind": "angle"},
        ],
        "outputs": [{"name": "denoised", "kind": "picture", **picture}],
        "labels": LABELS[:classes],
        "batching": {"max_batch": 8},
        "task_options": {
            "sigma_min": SIGMA_MIN,
            "sigma_max": SIGMA_MAX,
            "classes": classes,
            "null_label": classes,
            "angle": angle,
        },
        **manifest,
    }
    (folder / "model.yaml").write_text(yaml.safe_dump(content))
