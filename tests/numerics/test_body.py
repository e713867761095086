"""The body, its skinning, the order of points and the mean of rotations, each against an independent truth."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from equiserve.errors import InvalidRequest
from equiserve.numerics.body_model import JOINT_NAMES, PARENTS, bundled_body, read_body
from equiserve.numerics.point_ordering import farthest_point_order
from equiserve.numerics.rotation_averaging import chordal_mean, nearest_rotation, nearest_rotation_by_davenport
from equiserve.numerics.skinning import global_rotations, local_rotations, skin
from scans import npz, random_pose, smpl_arrays

seeds = st.integers(0, 2**32 - 1)


def skinned_by_homogeneous_matrices(body, rotations, betas, pelvis):
    """Loper et al., equations 2 to 4: the chain of 4 x 4 transforms, vertex by vertex sums, nothing shared."""
    rest, joints = body.rest_vertices(betas), body.rest_joints(betas)
    local = local_rotations(rotations)
    world = []
    for joint, parent in enumerate(PARENTS):
        step = np.eye(4)
        step[:3, :3] = local[joint]
        step[:3, 3] = pelvis if parent < 0 else joints[joint] - joints[parent]
        world.append(step if parent < 0 else world[parent] @ step)
    vertices = np.zeros_like(rest)
    for joint, transform in enumerate(world):
        vertices += body.weights[:, joint, None] * ((rest - joints[joint]) @ transform[:3, :3].T + transform[:3, 3])
    return vertices, np.stack([transform[:3, 3] for transform in world])


def test_the_bundled_body_is_closed_and_stands_on_its_pelvis():
    body = bundled_body()
    edges = np.sort(body.faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
    distinct, counts = np.unique(edges, axis=0, return_counts=True)
    assert (counts == 2).all()
    assert len(body.template) - len(distinct) + len(body.faces) == 2
    assert len(JOINT_NAMES) == 24
    shapes = np.random.default_rng(0).normal(size=(20, 10))
    np.testing.assert_allclose(body.rest_joints(shapes)[:, 0], 0, atol=1e-7)
    # Counter-clockwise triangles enclose a positive volume: 57.7 litres.
    a, b, c = np.moveaxis(body.template[body.faces], 1, 0)
    assert np.einsum("ij,ij->", a, np.cross(b, c)) / 6 == pytest.approx(57.7e-3, rel=0.01)


def test_joints_are_what_the_regressor_gives(tmp_path):
    body = bundled_body()
    arrays = smpl_arrays(body)
    read = read_body(npz(**arrays), "own")
    betas = np.random.default_rng(1).normal(size=10)
    regressed = arrays["J_regressor"] @ read.rest_vertices(betas)
    np.testing.assert_allclose(read.rest_joints(betas), regressed, atol=1e-9)


@given(seeds)
@settings(max_examples=20, deadline=None)
def test_skinning_is_that_of_the_homogeneous_matrices(seed):
    body, rng = bundled_body(), np.random.default_rng(seed)
    rotations, betas, pelvis = random_pose(seed), rng.normal(size=10), rng.normal(size=3)
    vertices, joints = skin(body, rotations, betas, pelvis)
    expected, expected_joints = skinned_by_homogeneous_matrices(body, rotations, betas, pelvis)
    np.testing.assert_allclose(vertices, expected, atol=1e-12)
    np.testing.assert_allclose(joints, expected_joints, atol=1e-12)


def test_a_batch_of_bodies_is_skinned_as_each_alone():
    body, rng = bundled_body(), np.random.default_rng(2)
    rotations = np.stack([random_pose(seed) for seed in range(3)])
    betas, pelvis = rng.normal(size=(3, 10)), rng.normal(size=(3, 3))
    vertices, joints = skin(body, rotations, betas, pelvis)
    for row in range(3):
        alone, alone_joints = skin(body, rotations[row], betas[row], pelvis[row])
        np.testing.assert_allclose(vertices[row], alone, atol=1e-12)
        np.testing.assert_allclose(joints[row], alone_joints, atol=1e-12)


def test_pose_correctives_move_vertices_linearly_in_the_local_rotations():
    body, rng = bundled_body(), np.random.default_rng(3)
    arrays = smpl_arrays(body)
    directions = rng.normal(0, 1e-3, (len(body.template), 3, 207))
    corrected = read_body(npz(**arrays, posedirs=directions), "own")
    rotations = random_pose(4)
    moved = directions @ (local_rotations(rotations)[1:] - np.eye(3)).reshape(-1)
    plain = read_body(npz(**{**arrays, "v_template": arrays["v_template"] + moved}), "own")
    got, _ = skin(corrected, rotations, np.zeros(10), np.zeros(3))
    joints = corrected.rest_joints(np.zeros(10))
    expected = sum(
        corrected.weights[:, j, None] * ((plain.template - joints[j]) @ rotations[j].T + p)
        for j, p in enumerate(skin(corrected, rotations, np.zeros(10), np.zeros(3))[1])
    )
    np.testing.assert_allclose(got, expected, atol=1e-12)


@given(seeds)
def test_local_and_global_rotations_are_each_others_inverse(seed):
    rotations = random_pose(seed)
    np.testing.assert_allclose(global_rotations(local_rotations(rotations)), rotations, atol=1e-12)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"weights": None}, "lacks weights"),
        ({"v_template": np.zeros((100, 3))}, "shapedirs is"),
        ({"J_regressor": np.array([{"sparse": 1}], dtype=object)}, "no readable .npz of plain arrays"),
        ({"kintree_table": np.zeros((2, 24), np.uint32)}, "expected SMPL's"),
        ({"f": np.array([[0, 1, 10**6]])}, "names vertex 1000000"),
        ({"weights": np.ones((6889, 24))}, "sum to 1"),
        ({"shapedirs": np.full((6889, 3, 10), np.nan)}, "NaN"),
    ],
)
def test_a_body_file_that_is_wrong_says_what_is_wrong(change, says):
    arrays = {**smpl_arrays(bundled_body()), **change}
    content = npz(**{key: array for key, array in arrays.items() if array is not None})
    with pytest.raises(InvalidRequest, match=says) as caught:
        read_body(content, "own")
    assert caught.value.code == "invalid_body"


def test_a_pickle_is_no_body():
    with pytest.raises(InvalidRequest, match="no readable"):
        read_body(b"\x80\x04\x95\x0c\x00\x00\x00", "own")


@given(seeds, st.integers(1, 40), st.integers(0, 50))
def test_each_point_of_the_prefix_is_the_farthest_from_those_before(seed, count, prefix):
    points = np.random.default_rng(seed).normal(size=(count, 3))
    order = farthest_point_order(points, prefix)
    assert sorted(order.tolist()) == list(range(count))
    for place in range(1, min(prefix, count)):
        distance = np.linalg.norm(points[:, None] - points[order[:place]], axis=-1).min(axis=1)
        assert distance[order[place]] == pytest.approx(distance.max(), rel=1e-5)


def test_the_prefix_turns_with_the_cloud_and_forgets_how_its_points_came():
    rng = np.random.default_rng(5)
    points = rng.normal(size=(2048, 3))
    prefix = points[farthest_point_order(points, 512)[:512]]
    turn = Rotation.random(random_state=rng).as_matrix()
    shuffled = points[rng.permutation(2048)] @ turn.T + 100.0
    moved = shuffled[farthest_point_order(shuffled, 512)[:512]]
    np.testing.assert_allclose(moved, prefix @ turn.T + 100.0, atol=1e-4)


def test_equal_points_are_ordered_once_each():
    assert sorted(farthest_point_order(np.ones((7, 3)), 7).tolist()) == list(range(7))


@given(seeds)
def test_the_chordal_mean_is_scipys_and_davenports(seed):
    rng = np.random.default_rng(seed)
    rotations, weights = Rotation.random(12, random_state=rng), rng.uniform(0.1, 1, 12)
    mean = chordal_mean(rotations.as_matrix(), weights)
    np.testing.assert_allclose(mean, rotations.mean(weights).as_matrix(), atol=1e-8)
    matrix = np.tensordot(weights, rotations.as_matrix(), axes=(0, 0))
    np.testing.assert_allclose(nearest_rotation_by_davenport(matrix), mean, atol=1e-8)


@given(seeds)
def test_the_nearest_rotation_of_any_matrix_is_a_rotation(seed):
    matrices = np.random.default_rng(seed).normal(size=(5, 3, 3))
    nearest = nearest_rotation(matrices)
    np.testing.assert_allclose(np.linalg.det(nearest), 1, atol=1e-12)
    np.testing.assert_allclose(nearest @ np.swapaxes(nearest, 1, 2), np.broadcast_to(np.eye(3), (5, 3, 3)), atol=1e-12)
