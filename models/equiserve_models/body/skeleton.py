"""The bundled body in torch: skinning of any points of its surface, in training and inside the exported graph."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from equiserve.numerics.body_model import JOINTS, PARENTS, BodyModel

# For the root, whose own rotation takes the place of its parent's.
PARENT_OR_SELF = (0, *PARENTS[1:])


class Skeleton(nn.Module):
    """Joints of a shaped and posed body; the pelvis is the origin.

    Args:
        body: Its `joint_template` has the pelvis at the origin for every shape.
    """

    chain: Tensor
    template: Tensor
    directions: Tensor
    parent: Tensor

    def __init__(self, body: BodyModel) -> None:
        super().__init__()
        # chain[j, k] = 1 where the bone that ends in k is on the way from the pelvis to j.
        chain = np.zeros((JOINTS, JOINTS))
        for joint in range(1, JOINTS):
            chain[joint] = chain[PARENTS[joint]]
            chain[joint, joint] = 1
        self.register_buffer("chain", _float(chain), persistent=False)
        self.register_buffer("template", _float(body.joint_template), persistent=False)
        self.register_buffer("directions", _float(body.joint_directions).reshape(JOINTS * 3, -1), persistent=False)
        self.register_buffer("parent", torch.tensor(PARENT_OR_SELF), persistent=False)

    def forward(self, rotations: Tensor, betas: Tensor) -> tuple[Tensor, Tensor]:
        """Pose the joints.

        Args:
            rotations: Global part rotations, [B, 24, 3, 3].
            betas: [B, 10].

        Returns:
            Joints [B, 24, 3] relative to the pelvis, metres; and the 3x4 matrix of each part, row-major [B, 24, 12]: a
            point p at rest is carried to R p + offset.
        """
        rest = self.template + (betas @ self.directions.T).unflatten(1, (JOINTS, 3))
        bones = rest - rest.index_select(1, self.parent)
        arms = (rotations.index_select(1, self.parent) @ bones[..., None])[..., 0]
        joints = self.chain @ arms
        offsets = joints - (rotations @ rest[..., None])[..., 0]
        return joints, torch.cat([rotations, offsets[..., None]], -1).flatten(2)


def skinned(template: Tensor, directions: Tensor, weights: Tensor, betas: Tensor, parts: Tensor) -> Tensor:
    """Skin points of the surface: linear blend skinning.

    Args:
        template: Points of the mean shape at rest, [n, 3] or [B, n, 3].
        directions: d points / d betas, [3 n, 10] or [B, 3 n, 10].
        weights: [n, 24] or [B, n, 24].
        betas: [B, 10].
        parts: Of `Skeleton`, [B, 24, 12].

    Returns:
        [B, n, 3], relative to the pelvis, metres.
    """
    rest = template + (directions @ betas[..., None])[..., 0].unflatten(1, (-1, 3))
    blended = (weights @ parts).unflatten(2, (3, 4))
    return (blended[..., :3] * rest[:, :, None]).sum(-1) + blended[..., 3]


class PartCentres(nn.Module):
    """Mean of each part's surface under skinning, in closed form: it is linear in rotations, offsets and shape."""

    points: Tensor
    directions: Tensor
    mixing: Tensor

    def __init__(self, body: BodyModel) -> None:
        super().__init__()
        share = part_shares(body)
        # Mean over part j of w_k (v, S) and of w_k: [24 (j), 24 (k), ...].
        self.register_buffer("points", _float(np.einsum("jv,vk,vc->jkc", share, body.weights, body.template)), False)
        moved = np.einsum("jv,vk,vcb->jkcb", share, body.weights, body.shape_directions)
        self.register_buffer("directions", _float(moved.reshape(JOINTS * JOINTS * 3, -1)), False)
        self.register_buffer("mixing", _float(share @ body.weights), False)

    def forward(self, rotations: Tensor, betas: Tensor, parts: Tensor) -> Tensor:
        """Return the centres [B, 24, 3] relative to the pelvis; arguments as for `skinned`."""
        rest = self.points + (betas @ self.directions.T).unflatten(1, (JOINTS, JOINTS, 3))
        turned = torch.einsum("bkxy,bjky->bjx", rotations, rest)
        return turned + self.mixing @ parts.unflatten(2, (3, 4))[..., 3]


def part_shares(body: BodyModel) -> NDArray[np.float64]:
    """Return each vertex's share of the area of its part, [24, V]; rows sum to 1. A part is where its weight leads."""
    corners = body.template[body.faces]
    areas = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1) / 2
    shares = np.zeros((JOINTS, len(body.template)))
    part = body.weights.argmax(axis=1)
    for corner in body.faces.T:
        np.add.at(shares, (part[corner], corner), areas)
    return shares / shares.sum(axis=1, keepdims=True)


def _float(values: NDArray[np.float64]) -> Tensor:
    return torch.tensor(np.asarray(values), dtype=torch.float32)
