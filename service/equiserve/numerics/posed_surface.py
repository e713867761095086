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
    """The vertices of a body in one pose, or some of them.

    Args:
        body: The body.
        normals: Unit normals of its rest vertices, [V, 3].
        parameters: Pose, shape and place.
        vertices: Which vertices [v] to pose; all by default.

    Attributes:
        points: Vertices in the input frame, [v, 3], metres.
        normals: Their unit normals, turned as the skin turns, [v, 3].
        joints: The joints, [24, 3].
    """

    def __init__(
        self,
        body: BodyModel,
        normals: Floats,
        parameters: BodyParameters,
        vertices: NDArray[Any] | slice = slice(None),
    ) -> None:
        self._body, self._parameters = body, parameters
        self._weights, self._shape = body.weights[vertices], body.shape_directions[vertices]
        rotations = parameters.rotations
        rest_joints = body.rest_joints(parameters.betas)
        self.joints = posed_joints(rest_joints, rotations, parameters.pelvis)
        self._offsets = self.joints - (rotations @ rest_joints[..., None])[..., 0]
        self._rest = body.template[vertices] + (self._shape.reshape(-1, body.betas) @ parameters.betas).reshape(-1, 3)
        if body.pose_directions is not None:
            self._rest = self._rest + pose_correctives(body, rotations)[vertices]
        parts = np.concatenate([rotations, self._offsets[..., None]], axis=-1).reshape(JOINTS, 12)
        blended = (self._weights @ parts).reshape(-1, 3, 4)
        self._blended = blended[..., :3]
        self.points: Floats = np.einsum("vij,vj->vi", self._blended, self._rest) + blended[..., 3]
        turned = np.einsum("vij,vj->vi", self._blended, normals[vertices])
        self.normals: Floats = turned / np.linalg.norm(turned, axis=-1, keepdims=True)

    def motion(self, chosen: NDArray[Any]) -> SurfaceMotion:
        """Return how `points[chosen]`, chosen [n], move; pose correctives count as constant."""
        weights = self._weights[chosen].T[:, None].copy()
        rotations, directions = self._parameters.rotations, self._body.joint_directions
        # Where each part alone would carry the points, weighted, [24, 3, n]; summed over subtrees, leaves first.
        arms: Floats = (rotations.reshape(-1, 3) @ self._rest[chosen].T).reshape(JOINTS, 3, -1)
        arms += self._offsets[..., None]
        arms *= weights
        mass = weights.copy()
        for joint in range(JOINTS - 1, 0, -1):
            arms[PARENTS[joint]] += arms[joint]
            mass[PARENTS[joint]] += mass[joint]
        arms -= mass * self.joints[..., None]
        # Shape moves a point in its blended frame, and the joints that carry it.
        carried = np.zeros_like(directions)
        for joint in range(1, JOINTS):
            parent = PARENTS[joint]
            carried[joint] = carried[parent] + rotations[parent] @ (directions[joint] - directions[parent])
        carried -= rotations @ directions
        shape: Floats = (carried.reshape(JOINTS, -1).T @ weights[:, 0]).reshape(*carried.shape[1:], -1)
        blended, rest_shape = (np.moveaxis(one[chosen], 0, -1).copy() for one in (self._blended, self._shape))
        for axis in range(3):
            for rest_axis in range(3):
                shape[axis] += blended[axis, rest_axis] * rest_shape[rest_axis]
        return SurfaceMotion(arms, shape)


@dataclass(frozen=True, eq=False)
class SurfaceMotion:
    """First-order motion of n surface points; the points come last, which is how the arithmetic runs fastest.

    Attributes:
        arms: a_j of every joint, [24, 3, n], metres.
        shape: d point / d betas, [3, B, n].
    """

    arms: Floats
    shape: Floats

    def along(self, directions: Floats) -> Floats:
        """Return d (point . direction) / d step, [3 * 24 + B + 3, n], for directions [3, n]: linear in them."""
        x, y, z = directions
        ax, ay, az = self.arms[:, 0], self.arms[:, 1], self.arms[:, 2]
        rows = np.empty((3 * JOINTS + self.shape.shape[1] + 3, len(x)))
        # direction . (w x a) = w . (a x direction)
        pose = rows[_POSE].reshape(JOINTS, 3, -1)
        pose[:, 0] = ay * z - az * y
        pose[:, 1] = az * x - ax * z
        pose[:, 2] = ax * y - ay * x
        rows[_SHAPE] = x * self.shape[0] + y * self.shape[1] + z * self.shape[2]
        rows[_PLACE] = directions
        return rows
