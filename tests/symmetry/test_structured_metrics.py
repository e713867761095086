"""Structured outputs: metrics against closed forms, scipy and loops, and how the catalogue offers them."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation as Turn

from equiserve.errors import InvalidRequest
from equiserve.symmetry.boxes import box_agreement, consensus_boxes, overlaps
from equiserve.symmetry.measurement import METRICS, OrbitOutputs, measure
from equiserve.symmetry.member_errors import member_errors
from equiserve.symmetry.metrics import cosine_similarities, max_errors, one_sided_relative_errors, rms_errors
from equiserve.symmetry.structured_metrics import (
    angular_errors,
    displacement_errors,
    endpoint_errors,
    equivariance_psnr,
    geodesic_angles,
    segmentation_agreement,
)

RNG = np.random.default_rng(0)


def box(x0, y0, x1, y1, label=0, score=0.9):
    return [x0, y0, x1, y1, score, label]


NO_BOX = [0, 0, 0, 0, 0, -1]


def test_overlap_of_boxes_is_area_over_area_and_only_within_a_class():
    a = np.array([box(0, 0, 2, 2), box(0, 0, 2, 2, 1), box(5, 5, 5, 9)])
    b = np.array([box(1, 1, 3, 3)])
    np.testing.assert_allclose(overlaps(a, b)[:, 0], [1 / 7, 0, 0])
    assert overlaps(a, a)[0, 0] == 1


def test_boxes_are_matched_to_the_best_total_not_to_the_nearest_first():
    # The nearest pair first (a0, b0) would leave a1 without a partner.
    a = np.array([box(0, 0, 10, 10), box(3, 0, 13, 10)])
    b = np.array([box(1, 0, 11, 10), box(-5, 0, 5, 10)])
    iou, matched = box_agreement(a, b)
    assert iou == pytest.approx((8 / 12 + 5 / 15) / 2)
    assert matched == 0.5


def test_missing_and_invented_boxes_count_against_the_agreement():
    full = np.array([box(0, 0, 4, 4), box(8, 8, 9, 9, 2)])
    assert box_agreement(full, full[::-1]) == (1, 1)
    assert box_agreement(full, np.array([box(0, 0, 4, 4), NO_BOX])) == (0.5, 0.5)
    assert box_agreement(np.array([NO_BOX]), np.array([NO_BOX])) == (1, 1)
    assert box_agreement(full, np.array([NO_BOX])) == (0, 0)


def test_consensus_boxes_are_those_that_half_the_members_see():
    members = np.array([[box(k, 0, 10 + k, 10), box(50, 50, 60, 60, 3) if k < 2 else NO_BOX] for k in range(4)])
    members[3, 0, 5] = 1  # another class: classes are matched, never averaged
    result = consensus_boxes(members)
    np.testing.assert_allclose(result.boxes, [box(1, 0, 11, 10), box(50, 50, 60, 60, 3)])
    np.testing.assert_allclose(result.seen, [0.75, 0.5])
    assert result.strength == 0.625
    assert result.overlap[1] == 1
    assert result.overlap[0] == pytest.approx((1 + 2 * 90 / 110) / 3)
    assert consensus_boxes(np.array([[NO_BOX], [NO_BOX]])).strength == 1
    members[0] = np.nan
    assert consensus_boxes(members).seen[0] == 0.5


def test_a_flow_that_moves_but_does_not_turn_its_vectors_has_the_angle_as_its_error():
    flow = RNG.normal(size=(2, 6, 6)) + 3
    turned = np.stack([flow, np.stack([-flow[1], flow[0]])])
    np.testing.assert_allclose(angular_errors(turned, flow), [0, 90], atol=1e-6)
    np.testing.assert_allclose(endpoint_errors(turned, flow)[1], np.sqrt(2) * np.hypot(*flow).mean())


def test_only_visible_and_moving_vectors_are_compared():
    flow = np.zeros((2, 4, 4))
    flow[0, :2] = 1
    wrong = flow.copy()
    wrong[:, 2:] = 5  # there the reference stands still
    assert angular_errors(wrong[None], flow)[0] == 0
    mask = np.zeros((1, 4, 4), bool)
    mask[:, :2] = True
    assert endpoint_errors(wrong[None], flow, mask)[0] == 0
    assert endpoint_errors(wrong[None], flow, ~mask)[0] == pytest.approx(np.hypot(5, 5))
    wrong[0, 0, 0] = np.nan
    assert endpoint_errors(wrong[None], flow)[0] == np.inf
    assert angular_errors(wrong[None], flow)[0] == 180


@pytest.mark.parametrize("degrees", [0, 1e-6, 0.01, 37, 90, 179.9, 180])
def test_the_geodesic_angle_is_exact_near_zero_too(degrees):
    start = Turn.random(5, rng=1)
    axis = np.array([1, 2, 2]) / 3
    turned = (start * Turn.from_rotvec(np.deg2rad(degrees) * axis)).as_matrix()
    np.testing.assert_allclose(geodesic_angles(turned, start.as_matrix()), degrees, rtol=1e-6, atol=2e-6)


def test_displacements_are_averaged_over_time_and_taken_at_its_end():
    reference = np.zeros((3, 4, 2))
    moved = reference + np.arange(4)[:, None] * np.array([0.6, 0.8])
    average, final = displacement_errors(np.stack([reference, moved]), reference)
    np.testing.assert_allclose(average, [0, 1.5])
    np.testing.assert_allclose(final, [0, 3])
    moved[0, 0, 0] = np.nan
    assert displacement_errors(moved[None], reference)[0][0] == np.inf


def test_segmentation_keeps_its_ids_where_it_is_visible():
    reference = RNG.integers(0, 4, (8, 8))
    member = reference.copy()
    member[:, 6:] = 9
    mask = np.ones((1, 8, 8), bool)
    assert segmentation_agreement(member[None], reference)[0] == 0.75
    mask[:, :, 6:] = False
    assert segmentation_agreement(member[None], reference, mask)[0] == 1
    assert segmentation_agreement(member[None], reference, ~mask & False)[0] == 0


def test_psnr_is_that_of_the_squared_error_over_valid_pixels():
    reference = RNG.integers(0, 256, (3, 8, 8)).astype(np.uint8)
    members = np.stack([reference, reference]).astype(float)
    members[1] += 5.0
    assert equivariance_psnr(members, reference, 255) == pytest.approx(10 * np.log10(255**2 / 12.5))
    mask = np.ones((2, 8, 8), bool)
    mask[1, 2:] = False
    assert equivariance_psnr(members, reference, 255, mask) == pytest.approx(10 * np.log10(255**2 / (25 * 16 / 80)))
    assert equivariance_psnr(members[:1], reference, 255) == np.inf
    members[1, 0, 0, 0] = np.nan
    assert equivariance_psnr(members, reference, 255) == -np.inf


def test_errors_of_numbers_equal_their_definitions():
    f, r = RNG.normal(size=(5, 7)), RNG.normal(size=7)
    np.testing.assert_allclose(rms_errors(f, r), [np.linalg.norm(row - r) / np.sqrt(7) for row in f])
    np.testing.assert_allclose(max_errors(f, r), [max(abs(row - r)) for row in f])
    np.testing.assert_allclose(
        one_sided_relative_errors(f, r), [np.linalg.norm(row - r) / np.linalg.norm(r) for row in f]
    )
    np.testing.assert_allclose(
        cosine_similarities(f, r), [row @ r / np.linalg.norm(row) / np.linalg.norm(r) for row in f]
    )
    assert cosine_similarities(np.zeros((1, 3)), np.zeros(3))[0] == 1
    assert one_sided_relative_errors(np.zeros((1, 3)), np.zeros(3))[0] == 0
    assert one_sided_relative_errors(np.ones((1, 3)), np.zeros(3))[0] == np.inf
    f[0, 0] = np.nan
    assert (rms_errors(f, r)[0], max_errors(f, r)[0], cosine_similarities(f, r)[0]) == (np.inf, np.inf, -1)


@pytest.mark.parametrize(
    ("kind", "shape", "own"),
    [
        ("flow", (2, 5, 5), {"endpoint_error", "angular_error"}),
        ("rotations", (4, 3, 3), {"geodesic_angle"}),
        ("trajectories", (2, 6, 3), {"average_displacement", "final_displacement"}),
        ("pictures", (1, 5, 5), {"equivariance_psnr"}),
        ("boxes", (2, 6), {"box_iou", "box_matched_share"}),
        ("segmentation", (5, 5), {"pixel_agreement"}),
    ],
)
def test_each_kind_of_output_has_its_metrics_and_a_perfect_orbit_the_best_values(kind, shape, own):
    special = {"rotations": np.stack([np.eye(3)] * 4), "boxes": np.array([box(0, 0, 4, 4), box(2, 2, 9, 9, 1)])}
    one = special.get(kind, RNG.integers(1, 5, shape).astype(float))
    orbit = OrbitOutputs(np.stack([one] * 6), kind=kind)
    values = measure(orbit)
    numbers = set() if kind in ("boxes", "segmentation") else {"relative_error", "orbit_variance_ratio"}
    assert set(values) == own | numbers
    for name in own:
        low, high = (float(end) for end in METRICS[name].range)
        assert values[name] == pytest.approx(high if METRICS[name].better == "higher" else low)
    assert measure(orbit.subset(np.arange(6) < 2)) == values
    np.testing.assert_array_equal(member_errors(orbit, orbit.target), 0)


def test_a_metric_of_another_kind_of_output_is_refused():
    flow = OrbitOutputs(np.ones((3, 2, 4, 4)), kind="flow")
    with pytest.raises(InvalidRequest, match="box_iou needs boxes; the output is of kind flow"):
        measure(flow, ["box_iou"])
    with pytest.raises(InvalidRequest, match="rms_error needs numbers"):
        measure(OrbitOutputs(np.ones((3, 2, 6)), kind="boxes"), ["rms_error"])
    assert measure(OrbitOutputs(np.ones((2, 3))), ["rms_error", "cosine_similarity"]) == {
        "rms_error": 0,
        "cosine_similarity": pytest.approx(1),
    }


def test_member_errors_are_on_one_scale():
    maps = np.stack([np.zeros((4, 4), int), np.repeat([[0], [0], [0], [1]], 4, axis=1)])
    assert member_errors(OrbitOutputs(maps, kind="segmentation"), maps[0]).tolist() == [0, 0.25]
    turns = Turn.from_rotvec([[0, 0, 0], [0, 0, np.pi / 2]]).as_matrix()
    np.testing.assert_allclose(member_errors(OrbitOutputs(turns, kind="rotations"), turns[0]), [0, 0.5])
    flow = np.ones((2, 2, 4, 4))
    flow[1, :, 0] = -1
    mask = np.ones((2, 4, 4), bool)
    mask[1, 0] = False
    np.testing.assert_allclose(member_errors(OrbitOutputs(flow, kind="flow"), flow[0]), [0, 0.25])
    np.testing.assert_allclose(member_errors(OrbitOutputs(flow, kind="flow", mask=mask), flow[0]), [0, 0])
