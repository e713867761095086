"""Generated scans, poses and the measurement of a fitter, against the body itself."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import cKDTree

pytest.importorskip("torch", reason="the train extra is not installed")

import torch

from equiserve.errors import NotFound
from equiserve.numerics.body_model import JOINT_NAMES, bundled_body
from equiserve.numerics.skinning import global_rotations, skin
from equiserve_models.body import evaluation
from equiserve_models.body.poses import (
    MIRRORED_JOINTS,
    UPPER_BODY,
    joint_limit_poses,
    mirrored,
    motion_poses,
    product_poses,
    recombined,
)
from equiserve_models.body.scans import NO_PART, Corruption, Patterns, ScanMaker, make_patterns

RANDOM_POSES = joint_limit_poses(16, np.random.default_rng(0))


@pytest.fixture(scope="module")
def patterns() -> Patterns:
    return make_patterns(bundled_body(), 3, 600, 128, seed=0)


def maker(patterns: Patterns, corruption: Corruption, *, turned: bool = True) -> ScanMaker:
    return ScanMaker(bundled_body(), RANDOM_POSES, patterns, corruption, turned)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_joint_limit_poses_are_rotations_and_bend_knees_one_way() -> None:
    identity = np.broadcast_to(np.eye(3), RANDOM_POSES.shape)
    np.testing.assert_allclose(RANDOM_POSES @ np.swapaxes(RANDOM_POSES, -1, -2), identity, atol=1e-5)
    knees = [JOINT_NAMES.index(f"{side}_knee") for side in ("left", "right")]
    # A shin turns about x, backwards: it takes what points down to what points back, -z.
    assert (RANDOM_POSES[:, knees] @ np.array([0.0, -1.0, 0.0]))[..., 2].max() <= 1e-6


def test_mirrored_poses_give_the_mirror_image() -> None:
    body = bundled_body()
    poses = mirrored(RANDOM_POSES[:2].astype(np.float64))
    mirror = np.array([-1.0, 1.0, 1.0])
    _, joints = skin(body, global_rotations(RANDOM_POSES[:2]), np.zeros((2, 10)), np.zeros((2, 3)))
    _, found = skin(body, global_rotations(poses), np.zeros((2, 10)), np.zeros((2, 3)))
    np.testing.assert_allclose(found, (joints * mirror)[:, MIRRORED_JOINTS], atol=1e-3)
    np.testing.assert_allclose(mirrored(poses), RANDOM_POSES[:2], atol=1e-6)


def test_recombined_poses_take_arms_from_one_and_legs_from_the_other() -> None:
    poses = recombined(RANDOM_POSES[:3], RANDOM_POSES[3:6])
    assert np.array_equal(poses[:, UPPER_BODY], RANDOM_POSES[:3, UPPER_BODY])
    knee = JOINT_NAMES.index("left_knee")
    assert knee not in UPPER_BODY
    assert np.array_equal(poses[:, knee], RANDOM_POSES[3:6, knee])


def test_product_poses_need_no_motion_file() -> None:
    poses = product_poses(None, 8, np.random.default_rng(1))
    assert poses.shape == (8, 24, 3, 3)
    np.testing.assert_allclose(np.linalg.det(poses), 1, atol=1e-4)


def test_a_missing_motion_file_says_where_it_was_looked_for(tmp_path) -> None:
    with pytest.raises(NotFound, match=r"openmotion\.npz"):
        motion_poses(tmp_path / "openmotion.npz", "id_train")


def test_motion_poses_are_those_of_their_split(tmp_path) -> None:
    vectors = np.zeros((5, 24, 3), np.float16)
    vectors[3:, 4, 0] = np.pi / 2
    np.savez(tmp_path / "m.npz", poses=vectors, clip_start=[0, 3, 5], clip_split=np.array(["id_train", "ood_test"]))
    assert motion_poses(tmp_path / "m.npz", "id_train").shape == (3, 24, 3, 3)
    knee = motion_poses(tmp_path / "m.npz", "ood_test")[0, 4]
    np.testing.assert_allclose(knee, [[1, 0, 0], [0, 0, -1], [0, 1, 0]], atol=1e-3)
    with pytest.raises(NotFound, match="id_test"):
        motion_poses(tmp_path / "m.npz", "id_test")


def test_points_lie_on_the_skinned_surface_with_the_label_of_their_part(patterns: Patterns) -> None:
    body = bundled_body()
    scans = maker(patterns, Corruption(noise=(0.0, 0.0)))(3, seeded(0))
    for row in range(3):
        arguments = (scans.rotations[row], scans.betas[row], scans.pelvis[row])
        vertices, _ = skin(body, *(value.numpy() for value in arguments))
        apart, nearest = cKDTree(vertices).query(scans.points[row].numpy())
        assert apart.max() < 0.05  # the longest edges have 7 cm
        same = body.weights[nearest].argmax(axis=1) == scans.labels[row].numpy()
        assert same.mean() > 0.9  # but for points between two parts


def test_scans_are_a_function_of_the_generator(patterns: Patterns) -> None:
    make = maker(patterns, Corruption(noise=(0.001, 0.003), fewer=0.4, cropped=0.3, one_sided=0.3, outliers=0.5))
    for seed in range(6):
        first, second = make(2, seeded(seed)), make(2, seeded(seed))
        assert torch.equal(first.points, second.points)
        assert torch.equal(first.labels, second.labels)
        assert 300 <= first.points.shape[1] <= 600


def test_a_one_sided_scan_is_the_half_that_faces_the_viewer(patterns: Patterns) -> None:
    whole = maker(patterns, Corruption(noise=(0.0, 0.0)), turned=False)(4, seeded(1))
    half = maker(patterns, Corruption(noise=(0.0, 0.0), one_sided=1.0), turned=False)(4, seeded(1))
    assert half.points.shape == (4, 300, 3)
    for row in range(4):
        kept = half.points[row] - half.pelvis[row]
        apart, places = cKDTree((whole.points[row] - whole.pelvis[row]).numpy()).query(kept.numpy())
        assert apart.max() < 1e-6
        assert (np.diff(places) > 0).all()  # farthest-point order is kept


def test_outliers_have_no_part(patterns: Patterns) -> None:
    scans = maker(patterns, Corruption(outliers=1.0))(8, seeded(2))
    share = (scans.labels == NO_PART).float().mean(1)
    assert 0 < float(share.mean()) < 0.05
    assert torch.isfinite(scans.points).all()


def test_a_perfect_fitter_has_no_error_and_a_mirrored_labeller_is_swapped() -> None:
    body, rng = bundled_body(), np.random.default_rng(0)
    cloud = evaluation.resampled(evaluation.make_cloud(body, RANDOM_POSES[0], rng), 1000, 256, rng)
    betas = np.linalg.lstsq(*_shape_system(body, cloud), rcond=None)[0]
    exact = (cloud.rotations, betas, cloud.joints[0], np.eye(24)[cloud.labels[:256]], np.full(24, 1 / 24))
    fit = evaluation.fit_errors(lambda _: tuple(part[None] for part in exact), cloud, body)
    assert fit.v2v_mm < 1e-3
    assert fit.mpjpe_mm < 1e-3
    assert fit.rotation_deg < 0.05  # the arc cosine of poses in float32
    assert fit.part_accuracy == 1.0
    assert not fit.swapped
    assert fit.believed
    mirror = (*exact[:3], np.eye(24)[np.array(MIRRORED_JOINTS)[cloud.labels[:256]]], exact[4])
    assert evaluation.fit_errors(lambda _: tuple(part[None] for part in mirror), cloud, body).swapped


def test_a_depth_camera_sees_one_side_only() -> None:
    body, rng = bundled_body(), np.random.default_rng(1)
    cloud = evaluation.make_cloud(body, RANDOM_POSES[0], rng, one_sided=True, outliers=0.05)
    assert 1000 < len(cloud.points) <= evaluation.POINTS
    assert 0.02 < (cloud.labels == -1).mean() < 0.09
    # Of a closed surface a viewer sees less than half of the vertices from near.
    on_body = cloud.points[cloud.labels >= 0]
    seen = cKDTree(on_body).query(cloud.vertices)[0] < 0.01
    assert 0.2 < seen.mean() < 0.7


def _shape_system(body, cloud) -> tuple[np.ndarray, np.ndarray]:
    """The vertices are linear in the shape: its matrix and right side, from ten and one skinned bodies."""
    zero, _ = skin(body, cloud.rotations, np.zeros(10), cloud.joints[0])
    columns = [skin(body, cloud.rotations, axis, cloud.joints[0])[0] - zero for axis in np.eye(10)]
    return np.stack([column.ravel() for column in columns], axis=1), (cloud.vertices - zero).ravel()
