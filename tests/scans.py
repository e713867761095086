"""Bodies in random poses and scans of them, and body files, for tests."""

import io

import numpy as np
from scipy.spatial.transform import Rotation

from equiserve.numerics.body_model import PARENTS, bundled_body
from equiserve.numerics.posed_surface import BodyParameters
from equiserve.numerics.skinning import global_rotations, skin


def random_pose(seed, *, degrees=60.0):
    """Global part rotations: local ones of any direction, of `degrees` standard deviation; any root."""
    rng = np.random.default_rng(seed)
    local = Rotation.from_rotvec(rng.normal(0, np.radians(degrees) / 3**0.5, (24, 3))).as_matrix()
    local[0] = Rotation.random(random_state=rng).as_matrix()
    return global_rotations(local)


def random_person(seed, *, degrees=25.0):
    """A body that is posed, shaped and placed at random."""
    rng = np.random.default_rng(seed + 1)
    return BodyParameters(random_pose(seed, degrees=degrees), rng.normal(size=10), rng.normal(size=3))


def scan(person, points, seed, *, noise=1e-3):
    """Points spread evenly over the surface, [points, 3], and the part probabilities of each, [points, 24]."""
    body, rng = bundled_body(), np.random.default_rng(seed + 2)
    vertices, _ = skin(body, person.rotations, person.betas, person.pelvis)
    corners = vertices[body.faces]
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    face = rng.choice(len(area), points, p=area / area.sum())
    weights = rng.dirichlet(np.ones(3), points)
    cloud = np.einsum("nk,nkc->nc", weights, corners[face]) + rng.normal(0, noise, (points, 3))
    return cloud, np.einsum("nk,nkj->nj", weights, body.weights[body.faces[face]])


def shaken(person, seed, *, degrees, metres=0.02):
    """The same person with every local rotation off by about `degrees`, of mean shape, misplaced."""
    rng = np.random.default_rng(seed + 3)
    turn = Rotation.from_rotvec(rng.normal(0, np.radians(degrees) / 3**0.5, (24, 3))).as_matrix()
    step = np.concatenate([Rotation.from_matrix(turn).as_rotvec().ravel(), -person.betas, rng.normal(0, metres, 3)])
    return person.moved(step)


def vertex_errors(found, person):
    """Distance of every vertex of `found` to the same of `person`, metres."""
    body = bundled_body()
    got, _ = skin(body, found.rotations, found.betas, found.pelvis)
    expected, _ = skin(body, person.rotations, person.betas, person.pelvis)
    return np.linalg.norm(got - expected, axis=1)


def smpl_arrays(body):
    """The arrays of an SMPL file with this body's geometry, and a pelvis that is not at the origin."""
    shift = np.array([0.0, -0.24, 0.03])
    nearest = np.linalg.norm(body.template[:, None] - body.joint_template, axis=-1)
    regressor = np.exp(-((nearest / 0.05) ** 2)).T + 1e-12
    table = np.array([PARENTS, range(24)], np.int64)
    table[0, 0] = 4294967295
    return {
        "v_template": body.template + shift,
        "shapedirs": body.shape_directions,
        "J_regressor": regressor / regressor.sum(axis=1, keepdims=True),
        "weights": body.weights,
        "kintree_table": table.astype(np.uint32),
        "f": body.faces,
    }


def npz(**arrays):
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()
