"""Refinement: its Jacobian against differences, what it recovers, and that a turned cloud gives the turned body."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from equiserve.numerics.body_model import bundled_body
from equiserve.numerics.body_refinement import rest_surface
from equiserve.numerics.point_ordering import farthest_point_order
from equiserve.numerics.posed_surface import BodyParameters, PosedSurface
from equiserve.numerics.restarting_refinement import CONFUSIONS, misfit, refine
from equiserve.numerics.skinning import skin
from equiserve.numerics.surface_distance import VertexFaces, distances_to_surface, mesh_of
from scans import random_person, scan, shaken, vertex_errors

seeds = st.integers(0, 2**31)


def finished(steps):
    """Run a generator to its end: what it returns, and how often it paused."""
    pauses = 0
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value, pauses
        pauses += 1


def ordered_scan(person, seed, *, points=2048, noise=1e-3):
    cloud, labels = scan(person, points, seed, noise=noise)
    order = farthest_point_order(cloud, 1024)
    return cloud[order], labels[order]


@given(seeds)
@settings(max_examples=10, deadline=None)
def test_the_jacobian_is_that_of_central_differences(seed):
    person, body, rng = random_person(seed), bundled_body(), np.random.default_rng(seed)
    normals = rest_surface(body).normals
    chosen = rng.integers(0, len(body.template), 20)
    motion = PosedSurface(body, normals, person).motion(chosen)
    step, h = rng.normal(size=3 * 24 + 10 + 3), 1e-5
    ahead = PosedSurface(body, normals, person.moved(h * step)).points[chosen]
    behind = PosedSurface(body, normals, person.moved(-h * step)).points[chosen]
    for axis, direction in enumerate(np.eye(3)):
        directions = np.repeat(direction[:, None], len(chosen), axis=1)
        np.testing.assert_allclose(step @ motion.along(directions), (ahead - behind)[:, axis] / (2 * h), atol=1e-7)


def test_the_posed_surface_is_what_skinning_gives():
    person, body = random_person(7), bundled_body()
    posed = PosedSurface(body, rest_surface(body).normals, person)
    vertices, joints = skin(body, person.rotations, person.betas, person.pelvis)
    np.testing.assert_allclose(posed.points, vertices, atol=1e-12)
    np.testing.assert_allclose(posed.joints, joints, atol=1e-12)


@pytest.mark.parametrize("seed", [1, 2])
def test_a_body_that_is_off_by_a_decimetre_comes_within_millimetres(seed):
    person = random_person(seed)
    start = shaken(person, seed, degrees=10)
    cloud, labels = ordered_scan(person, seed)
    refined, pauses = finished(refine(bundled_body(), cloud, start, labels))
    assert vertex_errors(start, person).mean() > 0.05
    assert vertex_errors(refined.parameters, person).mean() < 0.008
    assert refined.beginning == "start"
    assert refined.misfit.to_surface < 0.002
    assert 10 < pauses < 60


@pytest.mark.parametrize("confusion", CONFUSIONS[:2], ids=lambda confusion: confusion.name)
def test_confused_sides_are_set_right(confusion):
    person = random_person(11)
    start = confusion.of(shaken(person, 11, degrees=5))
    cloud, labels = ordered_scan(person, 11)
    refined, _ = finished(refine(bundled_body(), cloud, start, labels[:, confusion.order]))
    assert refined.beginning == confusion.name
    assert vertex_errors(refined.parameters, person).mean() < 0.008


def test_a_turned_cloud_gives_the_turned_body():
    person, body = random_person(5), bundled_body()
    start = shaken(person, 5, degrees=10)
    cloud, labels = ordered_scan(person, 5)
    turn = Rotation.from_rotvec([0.3, -1.0, 2.0]).as_matrix()
    moved = BodyParameters(turn @ start.rotations, start.betas, turn @ start.pelvis + 3.0)
    here, _ = finished(refine(body, cloud, start, labels))
    there, _ = finished(refine(body, cloud @ turn.T + 3.0, moved, labels))
    expected = BodyParameters(
        turn @ here.parameters.rotations, here.parameters.betas, turn @ here.parameters.pelvis + 3.0
    )
    assert vertex_errors(there.parameters, expected).max() < 1e-4


def test_outliers_are_told_and_do_not_pull():
    person = random_person(6)
    cloud, labels = ordered_scan(person, 6)
    rng = np.random.default_rng(6)
    far = person.pelvis + rng.normal(0, 1.0, (100, 3))
    refined, _ = finished(
        refine(
            bundled_body(),
            np.concatenate([cloud, far]),
            shaken(person, 6, degrees=5),
            np.concatenate([labels, rng.dirichlet(np.ones(24), 100)]),
        )
    )
    assert vertex_errors(refined.parameters, person).mean() < 0.010
    assert refined.misfit.outliers == pytest.approx(100 / 2148, rel=0.2)


def test_half_a_scan_is_half_unseen():
    person = random_person(8)
    cloud, _ = ordered_scan(person, 8)
    direction = cloud[:, 0] - np.median(cloud[:, 0])
    found = misfit(bundled_body(), person, cloud[direction > 0])
    assert 0.2 < found.unseen < 0.6
    assert found.to_surface < 0.002


def test_the_distance_to_a_box_is_the_closed_form():
    corners = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], float)
    faces = np.array(
        [
            *([0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1]),
            *([2, 3, 7], [2, 7, 6], [0, 2, 6], [0, 6, 4], [1, 5, 7], [1, 7, 3]),
        ]
    )
    points = np.random.default_rng(9).uniform(-1, 2, (500, 3))
    outside = np.linalg.norm(np.maximum(np.abs(points - 0.5) - 0.5, 0), axis=1)
    inside = np.where(outside > 0, 0, (0.5 - np.abs(points - 0.5)).min(axis=1))
    # A corner of a box sees every face that the nearest point can lie on; the nearest corner does not always.
    got = distances_to_surface(points, corners, VertexFaces.of(faces, len(corners)))
    assert (got >= outside + inside - 1e-12).all()
    exact = (points > 1).all(axis=1) | (points < 0).all(axis=1)
    np.testing.assert_allclose(got[exact], outside[exact], atol=1e-12)


def test_the_distance_to_the_body_is_the_smallest_over_all_triangles():
    body = bundled_body()
    points = body.template[::400] + np.random.default_rng(10).normal(0, 0.02, body.template[::400].shape)
    got = distances_to_surface(points, body.template, mesh_of(body))
    corners = body.template[body.faces]
    for point, distance in zip(points, got, strict=True):
        assert distance == pytest.approx(sampled_distance(point, corners), abs=2e-3)


def sampled_distance(point, corners):
    """The distance to a fine grid of points on every triangle."""
    grid = np.array([(i, j, 6 - i - j) for i in range(7) for j in range(7 - i)]) / 6
    return np.linalg.norm(np.einsum("gk,nkc->ngc", grid, corners) - point, axis=-1).min()
