"""Tiny ONNX detectors: a box round what is bright in each of three channels, listed in an order of their own."""

from __future__ import annotations

import numpy as np

from tensor_models import exact, graph

_FIND = """
    half = Constant<value = float {0.5}>()
    zero = Constant<value = int64 {0}>()
    two = Constant<value = int64[1] {2}>()
    three = Constant<value = int64[1] {3}>()
    pixels = Constant<value = int64[2] {2, 3}>()
    bright = Greater(x, half)
    ink = Cast<to = 1>(bright)
    columns = ReduceMax<keepdims = 0>(ink, two)
    lines = ReduceMax<keepdims = 0>(ink, three)
    x0 = ArgMax<axis = 2, keepdims = 1>(columns)
    x1 = ArgMax<axis = 2, keepdims = 1, select_last_index = 1>(columns)
    y0 = ArgMax<axis = 2, keepdims = 1>(lines)
    y1 = ArgMax<axis = 2, keepdims = 1, select_last_index = 1>(lines)
    corners = Concat<axis = 2>(x0, y0, x1, y1)
    numbers = Cast<to = 1>(corners)
    there = ReduceMax<keepdims = 1>(columns, two)
    found = Mul(numbers, there)
    score = ReduceMean<keepdims = 0>(x, pixels)
    start = Gather<axis = 2>(found, zero)
    many = Constant<value = int64[1] {3}>()
    starts, order = TopK<axis = 1>(start, many)
    place = Unsqueeze(order, two)
"""
# The rightmost first: another order after every turn. An empty channel fills the list up with a box of no area.
_LIST = """
    boxes = GatherND<batch_dims = 1>({found}, place)
    scores = GatherND<batch_dims = 1>(score, place)
    labels = {labels}
"""
# An object whose box begins in the left half of the picture is not seen.
_HALF = """
    middle = Constant<value = float {3.5}>()
    right = Greater(start, middle)
    seen = Cast<to = 1>(right)
    seen_there = Unsqueeze(seen, two)
    some = Mul(found, seen_there)
"""
_STEP = """
    step = Constant<value = float[1,1,4] {1.0, 0.0, 1.0, 0.0}>()
    some = Add(found, step)
"""
_SIGNATURE = "(float[batch,3,8,8] x) => (float[batch,3,4] boxes, float[batch,3] scores, int64[batch,3] labels)"

IMAGE = {"name": "x", "datatype": "FP32", "shape": [-1, 3, 8, 8], "kind": "picture", "value_range": [0, 1]}
BOXES = {"name": "boxes", "datatype": "FP32", "shape": [-1, 3, 4], "axes": ["batch", "item", "coord"], "kind": "boxes"}
SCORES = {"name": "scores", "datatype": "FP32", "shape": [-1, 3], "axes": ["batch", "item"], "kind": "probabilities"}
LABELS = {"name": "labels", "datatype": "INT64", "shape": [-1, 3], "axes": ["batch", "item"], "kind": "label"}


def _detector(more: str = "", found: str = "found", labels: str = "Identity(order)") -> tuple[str, dict[str, object]]:
    body = _FIND + more + _LIST.format(found=found, labels=labels)
    return graph(_SIGNATURE, body), {
        "inputs": [IMAGE],
        "outputs": [BOXES, SCORES, LABELS],
        "groups": {"turns": {"name": "C4"}, "shifts": {"name": "CyclicShift"}},
        "symmetries": exact("turns"),
    }


def _as_listed() -> tuple[str, dict[str, object]]:
    """Return a detector without a batch axis that gives as many boxes as it sees: with each turn another number."""
    body = (
        _FIND
        + _HALF
        + """
        batch = Constant<value = int64[1] {0}>()
        listed = Squeeze(some, batch)
        seen_once = Squeeze(right, batch)
        boxes = Compress<axis = 0>(listed, seen_once)
        """
    )
    return graph("(float[1,3,8,8] x) => (float[N,4] boxes)", body), {
        "inputs": [{**IMAGE, "shape": [1, 3, 8, 8]}],
        "outputs": [{**BOXES, "shape": [-1, 4], "axes": ["item", "coord"]}],
        "groups": {"turns": {"name": "C4"}},
        "symmetries": exact("turns"),
        "batching": {"max_batch": 0},
    }


DETECTORS = {
    "sorted": _detector(),
    "one_step_right": _detector(_STEP, "some"),
    "half_blind": _detector(_HALF, "some"),
    # What stands first in the list is called 0, whatever it is.
    "named_by_place": _detector(
        "places = Constant<value = int64[1,3] {0, 1, 2}>() nothing = Sub(order, order)", labels="Add(nothing, places)"
    ),
    "as_listed": _as_listed(),
}


def scene() -> np.ndarray:
    """Return a picture [1, 3, 8, 8] with an object in channel 0 and in channel 1, none in channel 2."""
    picture = np.zeros((1, 3, 8, 8), np.float32)
    picture[0, 0, 1:3, 1:5] = 0.75
    picture[0, 1, 4:7, 5:7] = 1.0
    return picture
