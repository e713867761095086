"""The loss of a body fitter: parts, rotations, shape, surface."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from equiserve.numerics.body_model import JOINT_NAMES, JOINTS, BodyModel
from equiserve.numerics.point_ordering import farthest_point_order
from equiserve_models.body.network import FitNetwork
from equiserve_models.body.scans import NO_PART, Scans
from equiserve_models.body.skeleton import Skeleton, skinned

SURFACE_VERTICES = 192
# Toes and hands hardly move by themselves, and their ends are small.
_HALF = ("left_foot", "right_foot", "left_hand", "right_hand")


class FitLoss:
    """Sum of: part cross-entropy; squared error of the rotations, before and after averaging; squared error of the
    shape; mean distance of spread vertices in metres, pelvis at the origin.

    The matrices before averaging are pulled to the true rotation, so that they become its mean under what the network
    cannot tell: short where it is unsure.
    """

    def __init__(self, body: BodyModel) -> None:
        self.skeleton = Skeleton(body)
        chosen = farthest_point_order(body.template, SURFACE_VERTICES)[:SURFACE_VERTICES]
        self.template = torch.tensor(body.template[chosen], dtype=torch.float32)
        directions = body.shape_directions[chosen].reshape(3 * SURFACE_VERTICES, -1)
        self.directions = torch.tensor(directions, dtype=torch.float32)
        self.weights = torch.tensor(body.weights[chosen], dtype=torch.float32)
        self.importance = torch.tensor([0.5 if name in _HALF else 1.0 for name in JOINT_NAMES])

    def surface(self, rotations: Tensor, betas: Tensor) -> Tensor:
        """Return the spread vertices, [B, vertices, 3]."""
        _, parts = self.skeleton(rotations, betas)
        return skinned(self.template, self.directions, self.weights, betas, parts)

    def __call__(self, network: nn.Module, scans: Scans) -> Tensor:
        """Return the loss of a batch."""
        prediction, _ = cast(FitNetwork, network).predict(scans.points)
        labels = scans.labels[:, : prediction.log_probabilities.shape[1]]
        parts = functional.nll_loss(prediction.log_probabilities.reshape(-1, JOINTS), labels.reshape(-1),
                                    ignore_index=NO_PART)  # fmt: skip
        raw = ((prediction.matrices - scans.rotations) ** 2).sum((2, 3))
        averaged = ((prediction.rotations - scans.rotations) ** 2).sum((2, 3))
        rotation = ((raw + averaged) * self.importance).mean()
        shape = ((prediction.betas - scans.betas) ** 2).mean()
        with torch.no_grad():
            wanted = self.surface(scans.rotations, scans.betas)
        got = self.surface(prediction.rotations, prediction.betas)
        surface = ((got - wanted) ** 2).sum(2).add(1e-6).sqrt().mean()
        return parts + rotation + 0.3 * shape + 5 * surface
