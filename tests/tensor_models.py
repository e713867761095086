"""Tiny ONNX models of any kind whose symmetries are known in closed form, in a repository with their manifests."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import onnx
import onnx.parser
import yaml

_HEAD = '<ir_version: 10, opset_import: ["" : 20]>\n'

CLOUD = {"name": "x", "datatype": "FP32", "shape": [-1, 5, 3], "axes": ["batch", "item", "coord"], "kind": "vector"}
MOVED_CLOUD = {**CLOUD, "name": "y"}
IMAGE = {"name": "x", "datatype": "FP32", "shape": [-1, 1, 8, 8], "kind": "picture"}
TRACK = {"name": "x", "datatype": "FP32", "shape": [-1, 4, 2], "axes": ["batch", "time", "coord"], "kind": "point"}

_LENGTH = """
    last = Constant<value = int64[1] {-1}>()
    squared = Mul(x, x)
    summed = ReduceSum<keepdims = 1>(squared, last)
    length = Sqrt(summed)
"""


def graph(signature: str, body: str) -> str:
    """Return the text of an ONNX model with inputs `x` and outputs as `signature` says."""
    return f"{_HEAD}g {signature} {{{body}}}"


def cloud(body: str, outputs: str = "float[batch,5,3] y") -> str:
    return graph(f"(float[batch,5,3] x) => ({outputs})", body)


def exact(group: str) -> list[dict[str, object]]:
    return [{"group": group, "level": "exact"}]


def of_cloud(group: dict[str, object], output: dict[str, object] = MOVED_CLOUD, **more: object) -> dict[str, object]:
    """Return a manifest over one input cloud whose one group `g` is declared exact."""
    return {"inputs": [CLOUD], "outputs": [output], "groups": {"g": group}, "symmetries": exact("g"), **more}


def of_picture(output: dict[str, object]) -> dict[str, object]:
    return {"inputs": [IMAGE], "outputs": [output], "groups": {"g": {"name": "C4"}}, "symmetries": exact("g")}


_FLOW = {"name": "y", "datatype": "FP32", "shape": [-1, 2, 8, 8], "kind": "vector_field"}
_MEAN = {"name": "y", "datatype": "FP32", "shape": [-1, 3], "axes": ["batch", "coord"], "kind": "vector"}
_INERTIA = {"name": "y", "datatype": "FP32", "shape": [-1, 3, 3], "axes": ["batch", "coord", "coord"], "rep": "V**2"}
_FUTURE = {**TRACK, "name": "y", "shape": [-1, 3, 2]}
_TURN = {"groups": {"g": {"name": "SO(2)"}}, "symmetries": exact("g")}

# y = the middle of the track + (1, 0) k for k = 1, 2, 3: a forecast that always goes east.
_EAST = graph(
    "(float[batch,4,2] x) => (float[batch,3,2] y)",
    """
    middle = Constant<value = int64[1] {1}>()
    mean = ReduceMean<keepdims = 1>(x, middle)
    east = Constant<value = float[1,3,2] {1.0, 0.0, 2.0, 0.0, 3.0, 0.0}>()
    y = Add(mean, east)
    """,
)

MODELS: dict[str, tuple[str, dict[str, object]]] = {
    "radial": (cloud(_LENGTH + "y = Mul(x, length)"), of_cloud({"name": "SO(3)"})),
    "squares": (cloud("y = Mul(x, x)"), of_cloud({"name": "SO(3)"})),
    "broken": (
        cloud("zero = Constant<value = float {0.0}>() root = Sqrt(x) nothing = Mul(root, zero) y = Add(x, nothing)"),
        of_cloud({"name": "SO(3)"}),
    ),
    "nothing": (cloud("zero = Constant<value = float {0.0}>() y = Mul(x, zero)"), of_cloud({"name": "SO(3)"})),
    "dice": (cloud("noise = RandomNormalLike(x) y = Add(x, noise)"), of_cloud({"name": "SO(3)"})),
    "neighbours": (
        cloud("size = Abs(x) most = ReduceMax<keepdims = 0>(size) y = Div(x, most)"),
        of_cloud({"name": "SO(3)"}),
    ),
    # y = x + 0.1 |x| e_x: equivariant up to a known error.
    "tilted": (
        cloud(
            _LENGTH
            + "tilt = Constant<value = float[1,1,3] {0.1, 0.0, 0.0}>() wrong = Mul(length, tilt) y = Add(x, wrong)"
        ),
        of_cloud({"name": "Icosahedral"}),
    ),
    "middle": (
        cloud("items = Constant<value = int64[1] {1}>() y = ReduceMean<keepdims = 0>(x, items)", "float[batch,3] y"),
        of_cloud({"name": "S5"}, _MEAN),
    ),
    "first": (
        cloud("zero = Constant<value = int64 {0}>() y = Gather<axis = 1>(x, zero)", "float[batch,3] y"),
        of_cloud({"name": "S5"}, _MEAN),
    ),
    "inertia": (
        cloud("turned = Transpose<perm = [0, 2, 1]>(x) y = MatMul(turned, x)", "float[batch,3,3] y"),
        of_cloud({"name": "O(3)"}, _INERTIA),
    ),
    "two": (
        cloud("z = Mul(x, x) y = Neg(x)", "float[batch,5,3] y, float[batch,5,3] z"),
        {**of_cloud({"name": "SO(3)"}), "outputs": [MOVED_CLOUD, {**CLOUD, "name": "z"}]},
    ),
    "shouting": (
        graph("(float[5,3] x) => (float[5,3] y)", "y = Neg(x)"),
        {
            **of_cloud({"name": "SO(3)"}),
            "inputs": [{**CLOUD, "shape": [5, 3], "axes": ["item", "coord"]}],
            "outputs": [{**CLOUD, "name": "y", "shape": [5, 3], "axes": ["item", "coord"]}],
            "batching": {"max_batch": 0},
        },
    ),
    "gradient": (
        graph(
            "(float[batch,1,8,8] x) => (float[batch,2,8,8] y)",
            """
            right_and_down = Constant<value = float[2,1,3,3] {
                0.0, 0.0, 0.0, -1.0, 0.0, 1.0, 0.0, 0.0, 0.0,
                0.0, -1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0}>()
            y = Conv<pads = [1, 1, 1, 1]>(x, right_and_down)
            """,
        ),
        of_picture(_FLOW),
    ),
    "unturned": (
        graph("(float[batch,1,8,8] x) => (float[batch,2,8,8] y)", "y = Concat<axis = 1>(x, x)"),
        of_picture(_FLOW),
    ),
    # Equivariant under quarter turns; between them the pixels show.
    "sharpened": (
        graph(
            "(float[batch,1,8,8] x) => (float[batch,1,8,8] y)",
            """
            cross = Constant<value = float[1,1,3,3] {0.0, -1.0, 0.0, -1.0, 5.0, -1.0, 0.0, -1.0, 0.0}>()
            y = Conv<pads = [1, 1, 1, 1]>(x, cross)
            """,
        ),
        {**of_picture({**IMAGE, "name": "y"}), "groups": {"g": {"name": "SO(2)"}}},
    ),
    "bright": (
        graph(
            "(float[batch,1,h,w] x) => (int64[batch,h,w] y)",
            """
            half = Constant<value = float {0.5}>()
            above = Greater(x, half)
            ids = Cast<to = 7>(above)
            channel = Constant<value = int64[1] {1}>()
            y = Squeeze(ids, channel)
            """,
        ),
        {
            **of_picture({"name": "y", "datatype": "INT64", "shape": [-1, -1, -1], "kind": "segmentation"}),
            "inputs": [{**IMAGE, "shape": [-1, 1, -1, -1]}],
        },
    ),
    "velocity": (
        graph(
            "(float[batch,4,2] x) => (float[batch,3,2] y)",
            """
            axis = Constant<value = int64[1] {1}>()
            zero = Constant<value = int64[1] {0}>()
            one = Constant<value = int64[1] {1}>()
            three = Constant<value = int64[1] {3}>()
            four = Constant<value = int64[1] {4}>()
            early = Slice(x, zero, three, axis)
            late = Slice(x, one, four, axis)
            y = Sub(late, early)
            """,
        ),
        {
            "inputs": [TRACK],
            "outputs": [{**_FUTURE, "kind": "vector"}],
            "groups": {"g": {"name": "TimeReversal"}},
            "symmetries": exact("g"),
        },
    ),
    "east": (_EAST, {"inputs": [TRACK], "outputs": [{**_FUTURE, "relative_to": "x"}], **_TURN}),
    "east_unsaid": (_EAST, {"inputs": [TRACK], "outputs": [_FUTURE], **_TURN}),
}


def write_repository(root: Path, models: Mapping[str, tuple[str, Mapping[str, object]]] = MODELS) -> None:
    """Write models in the layout that the server loads."""
    for name, (text, manifest) in models.items():
        model = onnx.parser.parse_model(text)
        onnx.checker.check_model(model)
        folder = root / name
        (folder / "1").mkdir(parents=True)
        onnx.save(model, folder / "1" / "model.onnx")
        (folder / "model.yaml").write_text(yaml.safe_dump({"schema": 1, "name": name, **manifest}))
