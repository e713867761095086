"""Served detectors: boxes are matched before they are compared, and what has no partner counts as an error."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import numpy as np
import pytest
import pytest_asyncio

from detector_models import DETECTORS, scene
from equiserve.checks import TensorCheckRequest
from equiserve.checks.candidates import CandidatesRequest
from equiserve.dataplane import DataPlane, InferRequest
from equiserve.engine import RequestContext
from planes import served_plane
from tensor_models import write_repository

CONTEXT = RequestContext("check-1")
SCENE = scene()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def plane(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[DataPlane]:
    root = tmp_path_factory.mktemp("detectors")
    write_repository(root, DETECTORS)
    async with served_plane(root, tmp_path_factory.mktemp("cache"), max_orbit=500) as plane:
        yield plane


async def check(plane: DataPlane, model: str, x: np.ndarray = SCENE, **asked: Any) -> dict[str, Any]:
    return (await plane.check(TensorCheckRequest(model, {"x": x}, **asked), CONTEXT)).to_json()


async def test_a_detector_that_lists_the_same_boxes_in_another_order_passes(plane):
    turned = np.ascontiguousarray(np.rot90(SCENE, 2, axes=(2, 3)))
    listed = [await plane.infer(InferRequest("sorted", inputs={"x": x}), CONTEXT) for x in (SCENE, turned)]
    assert [answer.outputs["labels"].tolist() for answer in listed] == [[[1, 0, 2]], [[0, 1, 2]]]
    report = await check(plane, "sorted", outputs=True)
    assert report["verdict"]["status"] == "pass"
    assert report["elements"]["relative_error"] == pytest.approx([0] * 4, abs=1e-6)
    boxes = report["outputs"]["boxes"]
    assert boxes["kind"] == "boxes"
    assert boxes["summary"]["all"] == {"box_iou": 1.0, "box_matched_share": 1.0}
    listed = np.reshape(boxes["values"][1], boxes["shape"])
    # Where the identity has them: the object of channel 1, that of channel 0, and a row that holds no box.
    assert listed[:, :4].tolist() == [[5, 4, 6, 6], [1, 1, 4, 2], [0, 0, 0, 0]]
    assert listed[:, 5].tolist() == [1, 0, -1]
    # The scores go with their boxes, and the labels are a column of theirs.
    assert list(report["outputs"]) == ["boxes", "scores"]
    assert report["outputs"]["scores"]["verdict"]["status"] == "pass"


async def test_boxes_that_are_moved_wrongly_fail(plane):
    report = await check(plane, "one_step_right")
    assert report["verdict"]["status"] == "fail"
    assert report["outputs"]["boxes"]["verdict"]["status"] == "fail"
    # Under a half turn, pulled back, both lie two pixels from where they were: 1 of 5, and 0 of 1, overlap.
    assert report["elements"]["relative_error"][2] == pytest.approx(1 - (1 / 5 + 0) / 2)


async def test_boxes_without_a_partner_count_as_errors(plane):
    report = await check(plane, "half_blind", reference="identity")
    # Only the right one is seen at first; after a half turn only the other one.
    assert report["verdict"]["status"] == "fail"
    assert report["elements"]["relative_error"][0] == 0
    assert report["outputs"]["boxes"]["relative_error"][2] == 1
    assert report["outputs"]["boxes"]["summary"]["all"]["box_iou"] < 1


async def test_a_box_of_another_label_is_no_partner(plane):
    report = await check(plane, "named_by_place", elements=[{"angle_deg": 180}])
    assert report["verdict"]["status"] == "fail"
    assert report["outputs"]["boxes"]["relative_error"][1] == 1


async def test_a_detector_may_give_another_number_of_boxes_each_time(plane):
    report = await check(plane, "as_listed", outputs=True)
    boxes = report["outputs"]["boxes"]
    assert boxes["kind"] == "boxes"
    assert boxes["relative_error"][0] == 0
    assert boxes["relative_error"][2] == 1
    assert report["verdict"]["status"] == "fail"


async def test_what_a_circular_shift_splits_is_not_held_against_a_detector(plane):
    report = await check(plane, "sorted", group="shifts")
    assert report["elements"]["relative_error"] == pytest.approx([0] * 64, abs=1e-6)
    assert report["verdict"]["status"] == "pass"


async def test_an_object_that_leaves_the_picture_is_not_missed(plane):
    report = await check(plane, "sorted", group="CropShift:5", elements=[{"dy": 0, "dx": -5}, {"dy": 0, "dx": 1}])
    assert report["elements"]["relative_error"] == pytest.approx([0, 0, 0], abs=1e-6)


async def test_the_consensus_of_boxes_is_what_most_members_see(plane):
    report = await check(plane, "sorted", reference="consensus")
    assert report["outputs"]["boxes"]["strength"] == 1
    assert report["outputs"]["boxes"]["relative_error"] == pytest.approx([0] * 4, abs=1e-6)


async def test_candidates_match_boxes_too(plane):
    async def measured(model: str) -> dict[str, Any]:
        asked = CandidatesRequest(model, {"x": SCENE}, groups=["turns"], elements=8)
        (turns,) = (await plane.check_candidates(asked, CONTEXT))["candidates"]
        return turns

    assert (await measured("sorted"))["status"] == "holds"
    assert (await measured("one_step_right"))["status"] == "violated"
