"""Points on a posed body, their normals, and how both move with pose, shape and position.

The pose moves by one small rotation w_j a joint, applied on the left, in the input frame: it turns joint j and all that
hangs on it about p_j. A surface point v = sum_k w_k v_k, v_k = R_k (v_rest - J_k) + p_k, then moves by

    dv = sum_j w_j x a_j,   a_j = sum_{k in subtree(j)} w_k (v_k - p_j).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equiserve.numerics.body_model import JOINTS, PARENTS, BodyModel
from equiserve.numerics.skinning import pose_correctives, posed_joints
from equiserve.symmetry.quaternions import from_vector, to_matrix

Floats = NDArray[np.float64]

_POSE = slice(0, 3 * JOINTS)
_SHAPE = slice(3 * JOINTS, -3)
_PLACE = slice(-3, None)


@dataclass(frozen=True, eq=False)
class BodyParameters:
    """A body's pose, shape and place.

    Attributes:
        rotations: Global part rotations, body frame to input frame, [24, 3, 3].
        betas: Shape coefficients, [B].
        pelvis: Position of the pelvis in the input frame, [3], metres.
    """

    rotations: Floats
    betas: Floats
    pelvis: Floats

    def moved(self, step: Floats) -> BodyParameters:
        """Return the body after a step [3 * 24 + B + 3]: rotation vectors on the left, shape, place."""
        turns = to_matrix(from_vector(step[_POSE].reshape(JOINTS, 3)))
        for joint in range(1, JOINTS):
            turns[joint] = turns[PARENTS[joint]] @ turns[joint]
        return replace(
            self, rotations=turns @ self.rotations, betas=self.betas + step[_SHAPE], pelvis=self.pelvis + step[_PLACE]
        )


class PosedSurface:
    """The vertices of a body in one pose.

    Args:
        body: The body.
        normals: Unit normals of its rest vertices, [V, 3].
        parameters: Pose, shape and place.

    Attributes:
        points: Vertices in the input frame, [V, 3], metres.
        normals: Their unit normals, turned as the skin turns, [V, 3].
        joints: The joints, [24, 3].
    """

    def __init__(self, body: BodyModel, normals: Floats, parameters: BodyParameters) -> None:
        self._body, self._parameters = body, parameters
        rotations = parameters.rotations
        rest_joints = body.rest_joints(parameters.betas)
        self.joints = posed_joints(rest_joints, rotations, parameters.pelvis)
        self._offsets = self.joints - (rotations @ rest_joints[..., None])[..., 0]
        self._rest = body.rest_vertices(parameters.betas)
        if body.pose_directions is not None:
            self._rest = self._rest + pose_correctives(body, rotations)
        parts = np.concatenate([rotations, self._offsets[..., None]], axis=-1).reshape(JOINTS, 12)
        blended = (body.weights @ parts).reshape(-1, 3, 4)
        self._blended = blended[..., :3]
        moved = self._blended @ np.stack([self._rest, normals], axis=-1)
        self.points: Floats = moved[..., 0] + blended[..., 3]
        self.normals: Floats = moved[..., 1] / np.linalg.norm(moved[..., 1], axis=-1, keepdims=True)

    def motion(self, chosen: NDArray[Any]) -> SurfaceMotion:
        """Return how the vertices `chosen` [n] move; pose correctives count as constant."""
        weights = self._body.weights[chosen].T[..., None].copy()
        rotations, directions = self._parameters.rotations, self._body.joint_directions
        # Where each part alone would carry the points, weighted, [24, n, 3]; summed over subtrees, leaves first.
        arms = self._rest[chosen] @ np.swapaxes(rotations, 1, 2)
        arms += self._offsets[:, None]
        arms *= weights
        mass = weights.copy()
        for joint in range(JOINTS - 1, 0, -1):
            arms[PARENTS[joint]] += arms[joint]
            mass[PARENTS[joint]] += mass[joint]
        arms -= mass * self.joints[:, None]
        # Shape moves a point in its blended frame, and the joints that carry it.
        carried = np.zeros_like(directions)
        for joint in range(1, JOINTS):
            parent = PARENTS[joint]
            carried[joint] = carried[parent] + rotations[parent] @ (directions[joint] - directions[parent])
        carried -= rotations @ directions
        shape = self._blended[chosen] @ self._body.shape_directions[chosen]
        shape += (weights[..., 0].T @ carried.reshape(JOINTS, -1)).reshape(shape.shape)
        return SurfaceMotion(np.ascontiguousarray(np.moveaxis(arms, 0, 1)), shape)


@dataclass(frozen=True, eq=False)
class SurfaceMotion:
    """First-order motion of n surface points.

    Attributes:
        arms: a_j of every joint, [n, 24, 3], metres.
        shape: d point / d betas, [n, 3, B].
    """

    arms: Floats
    shape: Floats

    def along(self, directions: Floats) -> Floats:
        """Return d (point . direction) / d step, [n, 3 * 24 + B + 3], for directions [n, 3] or [3]."""
        directions = np.broadcast_to(directions, (len(self.arms), 3))
        betas = self.shape.shape[2]
        rows = np.empty((len(self.arms), 3 * JOINTS + betas + 3))
        # direction . (w x a) = w . (a x direction)
        (ax, ay, az), (x, y, z) = np.moveaxis(self.arms, 2, 0), directions.T[..., None]
        pose = rows[:, _POSE].reshape(-1, JOINTS, 3)
        pose[..., 0] = ay * z - az * y
        pose[..., 1] = az * x - ax * z
        pose[..., 2] = ax * y - ay * x
        rows[:, _SHAPE] = (directions[:, None] @ self.shape)[:, 0]
        rows[:, _PLACE] = directions
        return rows
