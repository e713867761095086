"""The body fitter: an equivariant network from a cloud of points to a rotation of every part, shape and position.

Reading order: surface moments on many points; convolutions over points and directions down to few points; attention
over the few, on invariants; back up to label the points; one feature a part; attention over directions and parts; sixty
weights a part, whose weighted sum of rotations is averaged to one.

Turning the cloud by one of the sixty rotations of the icosahedron turns every part by it and changes nothing else; any
translation moves the position and nothing else. Other rotations are between group elements, and are learned.

Source: Feng et al. 2023 (ArtEq, arXiv 2304.10528) for part segmentation from invariants, attention over the group,
rotation averaging and the conditioning on the parent; docs/body.md lists what differs.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from equiserve.numerics.body_model import JOINTS, MAX_BETAS, bundled_body
from equiserve_models.body import icosahedron
from equiserve_models.body.icosahedron import DIRECTIONS, ROTATIONS
from equiserve_models.body.layers import (
    Attention,
    DirectionConvolution,
    DirectionNorm,
    SurfaceMoments,
    invariants,
    nearest,
    smooth_interpolation,
    squared_distances,
)
from equiserve_models.body.rotation_average import nearest_rotation
from equiserve_models.body.skeleton import PARENT_OR_SELF, PartCentres, Skeleton


@dataclass(frozen=True)
class Stage:
    """A convolution block.

    Args:
        width: Channels that leave it.
        narrow: Channels that its convolution reads and writes: the bottleneck that keeps it affordable.
        radius: Of the convolution, metres.
    """

    width: int
    narrow: tuple[int, int]
    radius: float


@dataclass(frozen=True)
class BodyConfig:
    """Sizes of a network.

    Args:
        samples: Points of a cloud that it is trained on; fewer work, more are resampled to as many by the service.
        points: Points of the three levels, prefixes of the farthest-point order.
        labelled: First points that get part probabilities.
        moments_radius: Of the first layer, metres.
        neighbours: Nearest points that the first and the second level look at.
        first_width: Channels of the first level.
        down: Blocks from the first level to the second, and from there to the third.
        blocks: Blocks on the third level.
        token: Channels of an invariant token.
        part: Channels of a part's feature at a direction.
        head: Channels of the attention over directions and parts.
        head_layers: Number of its layers.
    """

    samples: int
    points: tuple[int, int, int]
    labelled: int
    moments_radius: float
    neighbours: tuple[int, int]
    first_width: int
    down: tuple[Stage, Stage]
    blocks: tuple[Stage, ...]
    token: int
    part: int
    head: int
    head_layers: int


class Prediction(NamedTuple):
    """What the network says of B clouds; frames as in the input.

    Attributes:
        matrices: Weighted sums of the sixty rotations, [B, 24, 3, 3]: near a rotation where the network is sure, short
            where it is not.
        rotations: The rotations nearest to them: global, body frame to input frame, [B, 24, 3, 3].
        betas: Shape coefficients, [B, 10].
        log_probabilities: Of the parts at the points of the second level, [B, points, 24].
        part_mass: Share of the points that each part has, [B, 24].
    """

    matrices: Tensor
    rotations: Tensor
    betas: Tensor
    log_probabilities: Tensor
    part_mass: Tensor


class ConvolutionBlock(nn.Module):
    """Bottleneck convolution and MLP, both residual, [B, P, 12, inputs] -> [B, Q, 12, width]; Q first points stay.

    Args:
        inputs: Channels.
        stage: Sizes.
        token: Channels of the invariant tokens that its MLP sees; 0 = none.
    """

    def __init__(self, inputs: int, stage: Stage, token: int) -> None:
        super().__init__()
        narrow_in, narrow_out = stage.narrow
        self.norm = DirectionNorm(inputs)
        self.reduce = nn.Linear(inputs, narrow_in)
        self.convolution = DirectionConvolution(narrow_in, narrow_out, stage.radius)
        self.inner_norm = DirectionNorm(narrow_out)
        self.expand = nn.Linear(narrow_out, stage.width)
        self.skip = nn.Linear(inputs, stage.width) if inputs != stage.width else nn.Identity()
        self.outer_norm = DirectionNorm(stage.width)
        self.mlp_in = nn.Linear(stage.width, 2 * stage.width)
        self.mlp_token = nn.Linear(token, 2 * stage.width) if token else None
        self.mlp_out = nn.Linear(2 * stage.width, stage.width)

    def forward(
        self, x: Tensor, points: Tensor, centres: Tensor, index: Tensor | None, tokens: Tensor | None = None
    ) -> Tensor:
        """See the class; `index` as for `DirectionConvolution`, `tokens` [B, Q, token]."""
        convolved = self.convolution(self.reduce(self.norm(x)), points, centres, index)
        x = self.skip(x[:, : centres.shape[1]]) + self.expand(functional.gelu(self.inner_norm(convolved)))
        hidden = self.mlp_in(self.outer_norm(x))
        if self.mlp_token is not None and tokens is not None:
            hidden = hidden + self.mlp_token(tokens)[:, :, None]
        return x + self.mlp_out(functional.gelu(hidden))


class TokenAttention(nn.Module):
    """Attention over points on invariants, [B, P, width] -> the same; the farther apart, the less, as learned."""

    def __init__(self, width: int, heads: int = 4) -> None:
        super().__init__()
        self.falloff = nn.Parameter(torch.linspace(-2, 2, heads))
        self.attention = Attention(width, heads)

    def forward(self, tokens: Tensor, apart: Tensor) -> Tensor:
        """See the class; `apart` are squared distances, [B, P, P]."""
        bias = -functional.softplus(self.falloff)[:, None, None] * apart[:, None]
        return self.attention(tokens, bias)


class PartAttention(nn.Module):
    """Attention over the directions of a part, then over the parts at a direction, [B, 24, 12, width] -> the same."""

    relation: Tensor

    def __init__(self, width: int, heads: int = 4) -> None:
        super().__init__()
        classes, count = icosahedron.direction_relations()
        self.register_buffer("relation", torch.tensor(classes).flatten(), persistent=False)
        self.relation_bias = nn.Parameter(torch.zeros(count, heads))
        self.over_directions = Attention(width, heads)
        self.over_parts = Attention(width, heads)

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        B, J, A, C = x.shape
        bias = self.relation_bias.index_select(0, self.relation).reshape(A, A, -1).permute(2, 0, 1)
        x = self.over_directions(x.reshape(B * J, A, C), bias).reshape(B, J, A, C)
        x = self.over_parts(x.transpose(1, 2).reshape(B * A, J, C)).reshape(B, A, J, C)
        return x.transpose(1, 2)


class RotationHead(nn.Module):
    """A matrix a part from its feature and its parent's, [B, 24, 12, part] -> [B, 24, 3, 3].

    The sixty rotations are the directed edges of the icosahedron: a pair of directions' features weighs one.
    """

    parent: Tensor
    starts: Tensor
    ends: Tensor
    matrices: Tensor

    def __init__(self, config: BodyConfig) -> None:
        super().__init__()
        width = config.head
        self.register_buffer("parent", torch.tensor(PARENT_OR_SELF), persistent=False)
        self.embed = nn.Linear(3 * config.part, width)
        self.gain = nn.Parameter(torch.randn(JOINTS, 1, width) * 0.3)
        self.offset = nn.Parameter(torch.randn(JOINTS, 1, width) * 0.3)
        self.layers = nn.ModuleList([PartAttention(width) for _ in range(config.head_layers)])
        self.norm = nn.LayerNorm(width)
        self.start = nn.Linear(width, width)
        self.end = nn.Linear(width, width, bias=False)
        self.weigh = nn.Linear(width, 1)
        starts, ends = icosahedron.directed_edges()
        self.register_buffer("starts", torch.tensor(starts), persistent=False)
        self.register_buffer("ends", torch.tensor(ends), persistent=False)
        # sum_g trace(g^T R) g = 20 R: weights of size 1 make a rotation.
        matrices = torch.tensor(icosahedron.rotations(), dtype=torch.float32).reshape(ROTATIONS, 9) * (3 / ROTATIONS)
        self.register_buffer("matrices", matrices, persistent=False)

    def forward(self, parts: Tensor) -> Tensor:
        """See the class."""
        whole = parts.mean(1, keepdim=True).expand_as(parts)
        x = self.embed(torch.cat([parts, parts.index_select(1, self.parent), whole], -1))
        x = x * (1 + self.gain) + self.offset
        for layer in self.layers:
            x = layer(x)
        x = self.norm(x)
        pairs = self.start(x).index_select(2, self.starts) + self.end(x).index_select(2, self.ends)
        weights = self.weigh(functional.gelu(pairs))[..., 0]
        return (weights @ self.matrices).unflatten(2, (3, 3))


class ShapeHead(nn.Module):
    """Shape from what is invariant: the parts' features and how far apart their centres are."""

    parent: Tensor
    grandparent: Tensor

    def __init__(self, config: BodyConfig) -> None:
        super().__init__()
        parents = torch.tensor(PARENT_OR_SELF)
        self.register_buffer("parent", parents, persistent=False)
        self.register_buffer("grandparent", parents[parents], persistent=False)
        self.narrow = nn.Linear(config.part, 12)
        self.mlp = nn.Sequential(
            nn.Linear(JOINTS * (12 + 3) + config.token, 128), nn.GELU(), nn.Linear(128, 128), nn.GELU(),
            nn.Linear(128, MAX_BETAS),
        )  # fmt: skip

    def forward(self, parts: Tensor, tokens: Tensor, centres: Tensor) -> Tensor:
        """[B, 24, 12, part], [B, P, token], [B, 24, 3] -> [B, 10]."""
        others = (centres.index_select(1, self.parent), centres.index_select(1, self.grandparent), centres[:, :1])
        lengths = [torch.sqrt(((centres - other) ** 2).sum(-1) + 1e-6) for other in others]
        return self.mlp(torch.cat([self.narrow(parts.mean(2)).flatten(1), *lengths, tokens.mean(1)], -1))


class FitNetwork(nn.Module):
    """float32 points [B, N, 3], metres, farthest-point ordered -> what `forward` returns; a subclass predicts.

    N is at least `labelled`. The points may be anywhere: the centroid of the first ones is taken off.
    """

    def __init__(self, config: BodyConfig) -> None:
        super().__init__()
        self.config = config
        body = bundled_body()
        self.skeleton = Skeleton(body)
        self.part_centres = PartCentres(body)

    def predict(self, points: Tensor) -> tuple[Prediction, Tensor]:
        """Return the prediction, and the centroid [B, 1, 3] that was taken off."""
        raise NotImplementedError

    def forward(self, points: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Fit.

        Args:
            points: [B, N, 3].

        Returns:
            `global_rotations` [B, 24, 3, 3], `betas` [B, 10], `translation` [B, 3] (where the pelvis is, in the input
            frame, metres), `part_probabilities` [B, labelled, 24] of the first points, `part_mass` [B, 24].
        """
        prediction, centroid = self.predict(points)
        near = points - centroid
        labelled, level = near[:, : self.config.labelled], near[:, : self.config.points[1]]
        # Half of the second level's spacing: a point of that level keeps its own label.
        probabilities = smooth_interpolation(labelled, level, 0.04) @ prediction.log_probabilities.exp()
        seen = probabilities.sum(1)
        centres = (probabilities.transpose(1, 2) @ labelled) / (seen[..., None] + 1e-6)
        _, carried = self.skeleton(prediction.rotations, prediction.betas)
        expected = self.part_centres(prediction.rotations, prediction.betas, carried)
        offset = ((centres - expected) * seen[..., None]).sum(1) / seen.sum(1, keepdim=True)
        return prediction.rotations, prediction.betas, offset + centroid[:, 0], probabilities, prediction.part_mass


class BodyNetwork(FitNetwork):
    """The equivariant network."""

    directions: Tensor

    def __init__(self, config: BodyConfig) -> None:
        super().__init__(config)
        first, second = config.down
        third = second.width
        self.moments = SurfaceMoments(config.first_width, config.moments_radius, config.neighbours[0])
        self.down1 = ConvolutionBlock(config.first_width, first, 0)
        self.down2 = ConvolutionBlock(first.width, second, 0)
        self.place = nn.Linear(3, third)
        self.register_buffer("directions", torch.tensor(icosahedron.directions().T, dtype=torch.float32), False)
        self.tokens = nn.ModuleList([nn.Linear(3 * third, config.token) for _ in config.blocks])
        self.attention = nn.ModuleList([TokenAttention(config.token) for _ in config.blocks])
        self.blocks = nn.ModuleList([ConvolutionBlock(third, stage, config.token) for stage in config.blocks])
        self.up = nn.Linear(third, first.width)
        self.merge = nn.Linear(2 * first.width, config.part)
        self.merge_norm = DirectionNorm(config.part)
        self.label_in = nn.Linear(3 * config.part + config.token, config.token)
        self.label_mlp = nn.Sequential(
            nn.LayerNorm(config.token), nn.Linear(config.token, config.token), nn.GELU(),
            nn.Linear(config.token, JOINTS + 1),
        )  # fmt: skip
        self.rotation_head = RotationHead(config)
        self.shape_head = ShapeHead(config)

    def predict(self, points: Tensor) -> tuple[Prediction, Tensor]:
        """See `FitNetwork.predict`."""
        config = self.config
        centroid = points[:, : config.labelled].mean(1, keepdim=True)
        points = points - centroid
        p1, p2, p3 = (points[:, :count] for count in config.points)
        f1 = self.moments(points, p1)
        f2 = self.down1(f1, p1, p2, nearest(p2, p1, config.neighbours[1]))
        f3 = self.down2(f2, p2, p3, None)
        along = (p3 @ self.directions)[..., None]
        f3 = f3 + self.place(torch.cat([along, along * along, (p3 * p3).sum(-1)[..., None, None].expand_as(along)], -1))
        tokens, apart = torch.zeros(1, dtype=points.dtype, device=points.device), squared_distances(p3, p3)
        for embed, attend, block in zip(self.tokens, self.attention, self.blocks, strict=True):
            tokens = attend(tokens + embed(invariants(f3)), apart)
            f3 = block(f3, p3, p3, None, tokens)

        spread = smooth_interpolation(p2, p3, 0.12)
        lifted = (spread @ self.up(f3).flatten(2)).unflatten(2, (DIRECTIONS, -1))
        f = functional.gelu(self.merge_norm(self.merge(torch.cat([lifted, f2], -1))))
        labels = self.label_in(torch.cat([invariants(f), spread @ tokens], -1))
        scores = self.label_mlp(labels)
        log_probabilities = torch.log_softmax(scores[..., :JOINTS], -1)
        probabilities = log_probabilities.exp()
        weights = probabilities * torch.sigmoid(scores[..., JOINTS:])
        weights = (weights / (weights.sum(1, keepdim=True) + 1e-3)).transpose(1, 2)
        parts = (weights @ f.flatten(2)).unflatten(2, (DIRECTIONS, -1))

        matrices = self.rotation_head(parts)
        betas = self.shape_head(parts, tokens, weights @ p2)
        prediction = Prediction(matrices, nearest_rotation(matrices), betas, log_probabilities, probabilities.mean(1))
        return prediction, centroid


_SMALL = BodyConfig(
    samples=2048, points=(256, 160, 48), labelled=512, moments_radius=0.10, neighbours=(24, 24), first_width=16,
    down=(Stage(32, (8, 24), 0.25), Stage(64, (16, 32), 0.50)), blocks=(Stage(64, (16, 32), 0.90),) * 2,
    token=96, part=48, head=64, head_layers=2,
)  # fmt: skip

CONFIGS = {
    "body2048": _SMALL,
    "body5000": replace(_SMALL, samples=5000, points=(1024, 256, 64), labelled=1024, neighbours=(32, 32)),
}
