"""The baseline of protocol A: a network of the same size and heads without equivariance.

Set abstraction as in PointNet++ (Qi et al. 2017, arXiv 1706.02413) on the same levels of points, then attention over
the few, labels, part features and attention over parts as in `network.py`; a part's rotation is nine numbers, averaged
to the nearest rotation. It sees coordinates, so that a turned cloud is another cloud to it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from equiserve.numerics.body_model import JOINTS, MAX_BETAS
from equiserve_models.body.layers import Attention, nearest, rows, smooth_interpolation
from equiserve_models.body.network import BodyConfig, FitNetwork, Prediction
from equiserve_models.body.rotation_average import nearest_rotation
from equiserve_models.body.skeleton import PARENT_OR_SELF

_WIDTHS = (64, 128, 160)
_ATTENTION_LAYERS = 2


class SetAbstraction(nn.Module):
    """Maximum over the nearest points of an MLP of feature and offset, [B, P, inputs] -> [B, Q, outputs]."""

    def __init__(self, inputs: int, outputs: int, radius: float, neighbours: int) -> None:
        super().__init__()
        self.radius = radius
        self.neighbours = neighbours
        self.mlp = nn.Sequential(nn.Linear(inputs + 3, outputs), nn.GELU(), nn.Linear(outputs, outputs))
        self.norm = nn.LayerNorm(outputs)

    def forward(self, x: Tensor | None, points: Tensor, centres: Tensor) -> Tensor:
        """See the class; without features the offsets are all there is."""
        index = nearest(centres, points, self.neighbours)
        offsets = (rows(points, index) - centres[:, :, None]) * (1 / self.radius)
        near = offsets if x is None else torch.cat([offsets, rows(x, index)], -1)
        return self.norm(self.mlp(near).amax(2))


class PlainNetwork(FitNetwork):
    """The network without equivariance.

    Args:
        config: Of the equivariant network: the same levels, neighbours and heads.
    """

    parent: Tensor

    def __init__(self, config: BodyConfig) -> None:
        super().__init__(config)
        first, second, third = _WIDTHS
        self.level1 = SetAbstraction(0, first, config.moments_radius, config.neighbours[0])
        self.level2 = SetAbstraction(first, second, config.down[0].radius, config.neighbours[1])
        self.level3 = SetAbstraction(second, third, config.down[1].radius, 32)
        self.place = nn.Linear(3, third)
        self.attention = nn.ModuleList([Attention(third, 4) for _ in range(_ATTENTION_LAYERS)])
        self.label_in = nn.Linear(second + third, config.token)
        self.label_mlp = nn.Sequential(
            nn.LayerNorm(config.token), nn.Linear(config.token, config.token), nn.GELU(),
            nn.Linear(config.token, JOINTS + 1),
        )  # fmt: skip
        self.register_buffer("parent", torch.tensor(PARENT_OR_SELF), persistent=False)
        self.embed = nn.Linear(2 * (config.token + 3), config.head)
        self.gain = nn.Parameter(torch.randn(JOINTS, config.head) * 0.3)
        self.offset = nn.Parameter(torch.randn(JOINTS, config.head) * 0.3)
        self.layers = nn.ModuleList([Attention(config.head, 4) for _ in range(config.head_layers)])
        self.matrix = nn.Sequential(nn.LayerNorm(config.head), nn.Linear(config.head, 9))
        self.shape = nn.Sequential(
            nn.Linear(JOINTS * 12 + third, 128), nn.GELU(), nn.Linear(128, MAX_BETAS)
        )  # fmt: skip
        self.narrow = nn.Linear(config.head, 12)

    def predict(self, points: Tensor) -> tuple[Prediction, Tensor]:
        """See `FitNetwork.predict`."""
        centroid = points[:, : self.config.labelled].mean(1, keepdim=True)
        points = points - centroid
        p1, p2, p3 = (points[:, :count] for count in self.config.points)
        f2 = self.level2(self.level1(None, points, p1), p1, p2)
        tokens = self.level3(f2, p2, p3) + self.place(p3)
        for attend in self.attention:
            tokens = attend(tokens)
        f = self.label_in(torch.cat([f2, smooth_interpolation(p2, p3, 0.12) @ tokens], -1))
        scores = self.label_mlp(f)
        log_probabilities = torch.log_softmax(scores[..., :JOINTS], -1)
        probabilities = log_probabilities.exp()
        weights = probabilities * torch.sigmoid(scores[..., JOINTS:])
        weights = (weights / (weights.sum(1, keepdim=True) + 1e-3)).transpose(1, 2)
        parts = torch.cat([weights @ f, weights @ p2], -1)
        x = self.embed(torch.cat([parts, parts.index_select(1, self.parent)], -1)) * (1 + self.gain) + self.offset
        for layer in self.layers:
            x = layer(x)
        matrices = self.matrix(x).unflatten(2, (3, 3))
        betas = self.shape(torch.cat([self.narrow(x).flatten(1), tokens.mean(1)], -1))
        prediction = Prediction(matrices, nearest_rotation(matrices), betas, log_probabilities, probabilities.mean(1))
        return prediction, centroid
