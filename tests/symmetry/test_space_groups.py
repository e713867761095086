"""Rotations of space against scipy and against what is known of uniform sets."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation as ScipyRotation
from scipy.stats import kstest

from equiserve.symmetry import O3, SO3, AboutAxis, Dihedral, Icosahedral, Rotation, Rotation3D, YDown, quaternions
from equiserve.symmetry.groups.matrices import exponential

RNG = np.random.default_rng(0)
VECTORS = np.concatenate(
    [RNG.normal(size=(50, 3)) * 2, np.eye(3) * np.pi, np.eye(3) * 1e-9, np.zeros((1, 3)), -np.eye(3) * (np.pi - 1e-7)]
)


def scipy_order(q):
    return np.roll(q, -1, axis=-1)


def test_quaternions_agree_with_scipy():
    ours, theirs = quaternions.from_vector(VECTORS), ScipyRotation.from_rotvec(VECTORS)
    np.testing.assert_allclose(quaternions.to_matrix(ours), theirs.as_matrix(), atol=1e-14)
    np.testing.assert_allclose(quaternions.angle(ours), theirs.magnitude(), atol=1e-12)
    recovered = quaternions.to_matrix(quaternions.from_vector(quaternions.to_vector(ours)))
    np.testing.assert_allclose(recovered, theirs.as_matrix(), atol=1e-12)
    again = quaternions.to_matrix(quaternions.from_matrix(theirs.as_matrix()))
    np.testing.assert_allclose(again, theirs.as_matrix(), atol=1e-12)
    product = quaternions.multiply(ours[:25], ours[25:50])
    np.testing.assert_allclose(quaternions.to_matrix(product), (theirs[:25] * theirs[25:50]).as_matrix(), atol=1e-12)


def test_group_operations_agree_with_scipy():
    group = SO3()
    elements = group.sample(np.random.default_rng(1), 40)
    theirs = ScipyRotation.from_quat([scipy_order(np.array(g.quaternion)) for g in elements])
    for k in range(0, 40, 2):
        g, h = elements[k], elements[k + 1]
        np.testing.assert_allclose(
            group.matrix(group.compose(g, h)), (theirs[k] * theirs[k + 1]).as_matrix(), atol=1e-10
        )
        np.testing.assert_allclose(group.matrix(group.inverse(g)), theirs[k].inv().as_matrix(), atol=1e-10)
        apart = np.rad2deg((theirs[k].inv() * theirs[k + 1]).magnitude())
        assert group.distance(g, h) == pytest.approx(apart, abs=1e-6)


def test_opposite_quaternions_are_one_element():
    assert Rotation3D((0.5, -0.5, 0.5, 0.5)) == Rotation3D((-1, 1, -1, -1))
    assert Rotation3D((0, -1, 0, 0)) == Rotation3D.about((1, 0, 0), 180)
    assert Rotation3D.about((0, 0, 2), 360) == SO3().identity


def test_the_icosahedral_rotations_map_the_icosahedron_onto_itself():
    golden = (1 + 5**0.5) / 2
    corners = [np.roll((0, a, b * golden), k) for a in (-1, 1) for b in (-1, 1) for k in range(3)]
    vertices = np.unique(np.round(corners, 9), axis=0)
    elements = Icosahedral().elements()
    assert len(vertices) == 12
    for g in elements:
        distances = np.linalg.norm((vertices @ g.matrix().T)[:, None] - vertices[None], axis=-1)
        assert (distances.min(axis=1) < 1e-9).all()
    angles = [round(SO3().distance(g, elements[0])) for g in elements]
    assert {a: angles.count(a) for a in set(angles)} == {0: 1, 72: 12, 120: 20, 144: 12, 180: 15}
    assert len(set(Icosahedral(inversion=True).elements())) == 120


def cover_deg(elements, probes):
    grid = np.array([g.quaternion for g in elements])
    return np.rad2deg(2 * np.arccos(np.clip(np.abs(probes @ grid.T).max(axis=1), 0, 1))).max()


@pytest.mark.parametrize(("n", "cover"), [(60, 44.5), (72, 58), (240, 38), (576, 28)])
def test_the_grids_of_so3_leave_no_rotation_far_away(n, cover):
    # The figures of the digest, from 200,000 probes; fewer probes can only find smaller ones.
    probes = quaternions.normalised(np.random.default_rng(0).normal(size=(20_000, 4)))
    assert cover_deg(SO3().grid(n), probes) < cover


def test_random_rotations_are_uniform():
    elements = O3().sample(np.random.default_rng(0), 4000)
    images = np.array([g.matrix() @ (0, 0, 1) for g in elements])
    # On a sphere every coordinate of a uniform point is uniform (Archimedes).
    assert all(kstest(images[:, k], "uniform", (-1, 2)).pvalue > 0.01 for k in range(3))
    angles = np.deg2rad([SO3().distance(SO3().identity, Rotation3D(g.quaternion)) for g in elements])
    assert kstest(angles, lambda a: (a - np.sin(a)) / np.pi).pvalue > 0.01
    assert 0.45 < np.mean([g.inverted for g in elements]) < 0.55


@pytest.mark.parametrize("axis", [(1, 0, 0), (0, 1, 0), (0, 0, 1), (1, -2, 0.5), (0, 0, -1)])
def test_rotations_about_an_axis_are_right_handed_and_mirrors_keep_the_axis(axis):
    group = AboutAxis(Dihedral(10), tuple(float(v) for v in axis))
    unit = np.array(axis) / np.linalg.norm(axis)
    for g in group.elements():
        matrix = group.matrix(g)
        np.testing.assert_allclose(matrix @ unit, unit, atol=1e-12)
        assert np.linalg.det(matrix) == pytest.approx(-1 if g.reflected else 1)
        if not g.reflected:
            expected = ScipyRotation.from_rotvec(unit * np.deg2rad(g.angle_deg)).as_matrix()
            np.testing.assert_allclose(matrix, expected, atol=1e-12)


def test_y_down_turns_the_other_way_round_by_the_numbers():
    # Counter-clockwise on the screen brings what is on the right to the top, and the top has the smaller y.
    np.testing.assert_array_equal(YDown(Dihedral(4)).matrix(Rotation(90)) @ (1, 0), (0, -1))
    np.testing.assert_array_equal(Dihedral(4).matrix(Rotation(90)) @ (1, 0), (0, 1))
    np.testing.assert_array_equal(YDown(Dihedral(4)).matrix(Rotation(180, True)) @ (1, 2), (1, -2))


def test_the_exponential_of_a_matrix_agrees_with_scipy():
    from scipy.linalg import expm

    for size, scale in [(2, 0.1), (3, 5.0), (6, 2.0)]:
        matrix = np.random.default_rng(size).normal(size=(size, size)) * scale
        np.testing.assert_allclose(
            exponential(matrix), expm(matrix), rtol=1e-8, atol=1e-10 * np.abs(expm(matrix)).max()
        )
    np.testing.assert_array_equal(exponential(np.zeros((2, 2))), np.eye(2))
