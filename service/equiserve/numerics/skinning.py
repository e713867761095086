"""Linear blend skinning: from global part rotations, shape and position to joints and vertices.

Rotations are *global*: R_j maps body frame to input frame, so that a cloud that is turned by g has R_j -> g R_j for all
parts alike. SMPL's own parameters are local, L_j = R_parent(j)^T R_j.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from equiserve.numerics.body_model import JOINTS, PARENTS, BodyModel

_PARENTS = np.array(PARENTS[1:])
_IDENTITY = np.eye(3)


def local_rotations(rotations: NDArray[Any]) -> NDArray[np.float64]:
    """Return each part's rotation relative to its parent [..., 24, 3, 3]; the pelvis keeps its global one."""
    given = np.asarray(rotations, np.float64)
    local = given.copy()
    local[..., 1:, :, :] = np.swapaxes(given[..., _PARENTS, :, :], -1, -2) @ given[..., 1:, :, :]
    return local


def global_rotations(local: NDArray[Any]) -> NDArray[np.float64]:
    """Return the global part rotations [..., 24, 3, 3] of local ones; the inverse of `local_rotations`."""
    composed = np.array(local, np.float64)
    for joint in range(1, JOINTS):
        composed[..., joint, :, :] = composed[..., PARENTS[joint], :, :] @ composed[..., joint, :, :]
    return composed


def posed_joints(rest_joints: NDArray[Any], rotations: NDArray[Any], pelvis: NDArray[Any]) -> NDArray[np.float64]:
    """Return where the joints are, [..., 24, 3].

    Args:
        rest_joints: Joints of the shaped body at rest, [..., 24, 3].
        rotations: Global part rotations, [..., 24, 3, 3].
        pelvis: Position of the pelvis in the input frame, [..., 3].
    """
    rest, turns = np.asarray(rest_joints, np.float64), np.asarray(rotations, np.float64)
    bones = rest[..., 1:, :] - rest[..., _PARENTS, :]
    arms = (turns[..., _PARENTS, :, :] @ bones[..., None])[..., 0]
    placed = np.empty(np.broadcast_shapes(rest.shape, turns.shape[:-1]))
    placed[..., 0, :] = pelvis
    for joint in range(1, JOINTS):
        placed[..., joint, :] = placed[..., PARENTS[joint], :] + arms[..., joint - 1, :]
    return placed


def skin(
    body: BodyModel, rotations: NDArray[Any], betas: NDArray[Any], pelvis: NDArray[Any]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Pose a body: vertices sum_j w_vj (R_j (v - J_j) + p_j), with the joints p_j that the bones lead to.

    Args:
        body: The body.
        rotations: Global part rotations, [..., 24, 3, 3].
        betas: Shape coefficients, [..., B].
        pelvis: Position of the pelvis in the input frame, [..., 3], metres.

    Returns:
        Vertices [..., V, 3] and joints [..., 24, 3] in the input frame, metres, float64.
    """
    turns = np.asarray(rotations, np.float64)
    rest_joints = body.rest_joints(betas)
    joints = posed_joints(rest_joints, turns, pelvis)
    rest = body.rest_vertices(betas)
    if body.pose_directions is not None:
        rest = rest + pose_correctives(body, turns)
    # R_j v + (p_j - R_j J_j), blended as 3 x 4 matrices: one product of [V, 24] with [24, 12].
    offsets = joints - (turns @ rest_joints[..., None])[..., 0]
    parts = np.concatenate([turns, offsets[..., None]], axis=-1).reshape(*turns.shape[:-2], 12)
    blended = (body.weights @ parts).reshape(*parts.shape[:-2], -1, 3, 4)
    # Of many tiny matrices `einsum` makes half the work of `@`.
    vertices = np.einsum("...ij,...j->...i", blended[..., :3], rest) + blended[..., 3]
    return vertices, joints


def pose_correctives(body: BodyModel, rotations: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what a body with pose correctives adds to its rest vertices, [..., V, 3], in global rotations."""
    assert body.pose_directions is not None  # the caller looked
    bent = (local_rotations(rotations)[..., 1:, :, :] - _IDENTITY).reshape(*rotations.shape[:-3], -1)
    moved = bent @ body.pose_directions.reshape(-1, body.pose_directions.shape[2]).T
    return np.asarray(moved.reshape(*moved.shape[:-1], -1, 3))
