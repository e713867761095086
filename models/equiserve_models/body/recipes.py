"""How each body fitter is trained: one table.

Protocol A tests generalisation as the paper does: everyday poses only, one surface noise, nothing else. Protocol B is
the product: poses mirrored, recombined and drawn within joint limits, and what scanners do to clouds.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Generator, Tensor, nn

from equiserve.numerics.body_model import bundled_body
from equiserve_models.body.loss import FitLoss
from equiserve_models.body.network import CONFIGS, BodyNetwork, FitNetwork
from equiserve_models.body.plain import PlainNetwork
from equiserve_models.body.poses import motion_poses, product_poses
from equiserve_models.body.scans import Corruption, ScanMaker, make_patterns
from equiserve_models.training.loop import Loss, Plan

# A pass of the training loop: scans are made on the fly, so that it only says how often the order is drawn.
SCANS_PER_EPOCH = 1_000
PATTERNS = 256
POSES = 40_000


@dataclass(frozen=True)
class Recipe:
    """A body fitter and its training.

    Args:
        title: What the model is, in one sentence.
        network: Key of `equiserve_models.body.network.CONFIGS`.
        equivariant: Whether it is the equivariant network, or the plain one on the same points.
        protocol: `A`: everyday poses as they are; `B`: the product's.
        turned: Whether the scans are turned at random.
        corruption: What is done to the points.
        plan: What the optimiser does.
    """

    title: str
    network: str
    equivariant: bool
    protocol: str
    turned: bool
    corruption: Corruption
    plan: Plan

    def build(self) -> FitNetwork:
        """Return the network with its seeded random weights."""
        torch.manual_seed(self.plan.seed)
        config = CONFIGS[self.network]
        return BodyNetwork(config) if self.equivariant else PlainNetwork(config)

    def scans(self) -> ScanMaker:
        """Return what makes its scans."""
        body, config = bundled_body(), CONFIGS[self.network]
        motion = motion_file()
        if self.protocol == "A":
            poses = motion_poses(motion, "id_train")
        else:
            everyday = motion_poses(motion, "id_train") if motion.is_file() else None
            poses = product_poses(everyday, POSES, np.random.default_rng(self.plan.seed))
        patterns = make_patterns(body, PATTERNS, config.samples, config.labelled, self.plan.seed)
        return ScanMaker(body, poses, patterns, self.corruption, self.turned)

    def loss(self) -> Loss:
        """Return the loss of a batch of new scans; the indices only say how many."""
        scans, fit_loss = self.scans(), FitLoss(bundled_body())

        def loss_of(network: nn.Module, indices: Tensor, generator: Generator) -> Tensor:
            return fit_loss(network, scans(len(indices), generator))

        return loss_of


def motion_file() -> Path:
    """Return where the motion file is expected: `body/openmotion.npz` below `EQUISERVE_DATA`."""
    return Path(os.environ.get("EQUISERVE_DATA", "")) / "body" / "openmotion.npz"


_PLAN = Plan(
    epochs=60,
    batch_size=8,
    learning_rate=2e-3,
    weight_decay=0.01,
    warmup=0.02,
    ema_decay=0.998,
    clip=1.0,
    seed=0,
    optimizer="muon",
)
_PROTOCOL_A = Recipe(
    title="body fitter, protocol A: everyday poses only, equivariant network",
    network="body2048",
    equivariant=True,
    protocol="A",
    turned=True,
    corruption=Corruption(),
    plan=_PLAN,
)

RECIPES = {
    "articulated-body": Recipe(
        title="fits an articulated human body to a point cloud in any orientation",
        network="body2048",
        equivariant=True,
        protocol="B",
        turned=True,
        corruption=Corruption(noise=(0.0005, 0.004), fewer=0.15, cropped=0.1, one_sided=0.1, outliers=0.15),
        plan=replace(_PLAN, epochs=240),
    ),
    "body-everyday": _PROTOCOL_A,
    "body-everyday-plain": replace(
        _PROTOCOL_A,
        title="body fitter, protocol A: plain network, upright scans only",
        equivariant=False,
        turned=False,
    ),
    "body-everyday-plain-turned": replace(
        _PROTOCOL_A, title="body fitter, protocol A: plain network, scans turned at random", equivariant=False
    ),
}
