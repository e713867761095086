"""Lists of boxes in one order: which outputs belong together, and where each box has its place."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from equiserve.artifact import Manifest
from equiserve.symmetry import Cyclic, Rotation, Signature
from equiserve.symmetry.boxes import match_boxes
from equiserve.symmetry.detections import Detections, declared_detections, in_one_order

BOXES = {"name": "boxes", "datatype": "FP32", "shape": [-1, 5, 4], "kind": "boxes"}
NAMED = {**BOXES, "axes": ["batch", "item", "coord"]}
LABELS = {"name": "labels", "datatype": "INT64", "shape": [-1, 5], "kind": "label"}
SCORES = {"name": "scores", "datatype": "FP32", "shape": [-1, 5], "kind": "probabilities"}
CLASSES = {"name": "classes", "datatype": "FP32", "shape": [-1, 5, 3], "kind": "logits"}


def signature(*outputs: dict[str, Any]) -> Signature:
    picture = {"name": "x", "datatype": "FP32", "shape": [-1, 1, 8, 8], "kind": "picture"}
    manifest = Manifest.model_validate({"schema": 1, "name": "m", "inputs": [picture], "outputs": list(outputs)})
    return Signature.of(manifest, Cyclic(4))


@pytest.mark.parametrize(
    ("outputs", "label", "beside"),
    [
        ((NAMED, {**SCORES, "axes": ["batch", "item"]}, {**LABELS, "axes": ["batch", "item"]}), "labels", ["scores"]),
        ((BOXES, LABELS, CLASSES), "labels", ["classes"]),
        # As many classes of the whole picture as boxes: the axes must be named to say otherwise.
        ((BOXES, SCORES), None, []),
        ((NAMED, LABELS), None, []),
        ((BOXES, {**LABELS, "shape": [-1, 4]}), None, []),
    ],
)
def test_beside_boxes_is_what_shares_their_axis(outputs, label, beside):
    assert declared_detections(signature(*outputs)) == (Detections("boxes", label, tuple(beside)),)


def test_one_box_is_no_list():
    assert declared_detections(signature({**BOXES, "shape": [-1, 4]})) == ()


def test_boxes_take_the_places_of_those_they_belong_to_and_others_stand_behind():
    first = np.array([[0, 0, 2, 2], [4, 4, 7, 7], [0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]], np.float32)
    other = first[[2, 1, 3, 4, 4]].copy()
    other[4] = [1, 5, 2, 7]
    scores = np.array([[0.9, 0.8, 0, 0, 0], [0, 0.7, 0, 0, 0.6]], np.float32)
    given = {"boxes": np.stack([first, other]), "scores": scores}
    named = signature(NAMED, {**SCORES, "axes": ["batch", "item"]})
    ordered, masks = in_one_order(named, [Rotation(0), Rotation(90)], given, {})
    assert masks == {}
    assert ordered["boxes"].dtype == np.float32
    assert ordered["boxes"].shape == (2, 6, 6)
    assert ordered["boxes"][1, :, 5].tolist() == [-1, 0, -1, -1, -1, 0]
    assert ordered["boxes"][1, 5, :4].tolist() == [1, 5, 2, 7]
    np.testing.assert_array_equal(
        ordered["scores"][..., 0], np.float32([[0.9, 0.8, 0, 0, 0, 0], [0, 0.7, 0, 0, 0, 0.6]])
    )


def test_lists_may_be_empty_and_failures_stay_failures():
    named = signature({**NAMED, "shape": [-1, -1, 4]})
    elements = [Rotation(0), Rotation(90)]
    empty, _ = in_one_order(named, elements, {"boxes": np.zeros((2, 0, 4), np.float32)}, {})
    assert empty["boxes"].tolist() == [[[0, 0, 0, 0, 0, -1]]] * 2
    failed = np.array([[[0, 0, 2, 2]], [[0, np.nan, 2, 2]]], np.float32)
    assert np.isnan(in_one_order(named, elements, {"boxes": failed}, {})[0]["boxes"][1]).any()


def test_boxes_that_overlap_alike_are_told_apart_by_their_scores():
    twins = np.array([[0, 0, 2, 2, 0.9, 0], [0, 0, 2, 2, 0.3, 0]])
    mine, theirs, iou = match_boxes(twins, twins[::-1])
    assert (mine.tolist(), theirs.tolist(), iou.tolist()) == ([0, 1], [1, 0], [1, 1])
