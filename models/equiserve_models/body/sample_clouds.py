"""Clouds that need no data: random people in poses within joint limits, for export checks, tests and examples."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from equiserve.numerics.body_model import MAX_BETAS, bundled_body
from equiserve.numerics.point_ordering import farthest_point_order
from equiserve.numerics.skinning import global_rotations, skin
from equiserve_models.body.poses import joint_limit_poses
from equiserve_models.body.scans import surface_points


def sample_clouds(count: int, points: int, seed: int, prefix: int = 512) -> NDArray[np.float32]:
    """Draw clouds, upright, the pelvis at the origin.

    Args:
        count: Number of clouds.
        points: Points of each.
        seed: Of the random choices.
        prefix: Points in farthest-point order.

    Returns:
        [count, points, 3], metres.
    """
    rng = np.random.default_rng(seed)
    body = bundled_body()
    poses = global_rotations(joint_limit_poses(count, rng))
    vertices, _ = skin(body, poses, rng.normal(size=(count, MAX_BETAS)), np.zeros((count, 3)))
    clouds = np.empty((count, points, 3), np.float32)
    for row, mesh in enumerate(vertices):
        triangles, barycentric = surface_points(mesh, body.faces, points, rng)
        cloud = np.einsum("nk,nkc->nc", barycentric, mesh[body.faces[triangles]])
        clouds[row] = cloud[farthest_point_order(cloud, prefix)]
    return clouds
