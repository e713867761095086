"""Layers on features that live on points and on twelve directions each, [B, points, 12, channels].

Turning the cloud by one of the sixty rotations permutes the directions and nothing else; every layer here commutes with
that permutation. Products, sums and index tables are all the geometry there is: no operation leaves what ONNX has.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from equiserve_models.body import harmonics, icosahedron
from equiserve_models.body.icosahedron import DIRECTIONS


class DirectionNorm(nn.Module):
    """Layer norm of a point over all its directions and channels at once: one mean, one variance, so equivariant."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(channels))
        self.shift = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """[..., 12, channels] -> the same."""
        shape = (DIRECTIONS, self.scale.shape[0])
        return functional.layer_norm(x, shape, self.scale.expand(shape), self.shift.expand(shape))


def squared_distances(a: Tensor, b: Tensor) -> Tensor:
    """Return |a_i - b_j|^2, [B, n, 3] and [B, m, 3] -> [B, n, m]: one product of vectors of five numbers."""
    left = torch.cat([-2 * a, (a * a).sum(-1, keepdim=True), torch.ones_like(a[..., :1])], -1)
    right = torch.cat([b, torch.ones_like(b[..., :1]), (b * b).sum(-1, keepdim=True)], -1)
    return left @ right.transpose(1, 2)


def nearest(centres: Tensor, points: Tensor, count: int) -> Tensor:
    """Return the rows, in [B * points], of the `count` points nearest to each centre, int64 [B, centres, count]."""
    B, P, _ = points.shape
    found = squared_distances(centres, points).topk(count, dim=2, largest=False, sorted=False).indices
    return found + torch.arange(B, device=points.device)[:, None, None] * P


def rows(x: Tensor, index: Tensor) -> Tensor:
    """Return x[index] of the points of all samples, [B, P, ...] and [B, Q, n] -> [B, Q, n, ...].

    `index_select` of whole rows: indexing with several tensors was most of the time of such a network.
    """
    flat = x.flatten(0, 1)
    return flat.index_select(0, index.flatten()).reshape(*index.shape, *x.shape[2:])


def smooth_interpolation(targets: Tensor, points: Tensor, reach: float) -> Tensor:
    """Return weights that sum to 1 over the points, [B, targets, points], from a Gaussian of width `reach` metres."""
    return torch.softmax(squared_distances(targets, points) * (-1 / reach**2), -1)


def invariants(x: Tensor) -> Tensor:
    """Return what the rotations do not move: means over directions of x, x^2 and gelu(x), [..., 12, C] -> [..., 3 C].

    A maximum would be invariant under the sixty rotations too, but jump in between.
    """
    return torch.cat([x.mean(-2), (x * x).mean(-2), functional.gelu(x).mean(-2)], -1)


class SurfaceMoments(nn.Module):
    """Features of the surface around each centre: moments of its nearest points along each direction.

    For three hat functions w of the distance and powers p of (x - c) . v: sum_x w (x - c . v)^p / sum_x w. Moments are
    equivariant under *every* rotation, and cost a tenth of the influences of a first layer with kernel points.

    Args:
        channels: Features a direction.
        radius: Of the widest hat, metres.
        neighbours: Points that are looked at.
    """

    axes: Tensor
    widths: Tensor
    _HATS = (0.5, 0.75, 1.0)
    # Brings each power to about unit size.
    _GAINS = (4.0, 6.0, 20.0, 20.0)

    def __init__(self, channels: int, radius: float, neighbours: int) -> None:
        super().__init__()
        self.radius = radius
        self.neighbours = neighbours
        axes = icosahedron.directions()[: DIRECTIONS // 2]
        self.register_buffer("axes", torch.tensor(axes.T, dtype=torch.float32), persistent=False)
        self.register_buffer("widths", torch.tensor(self._HATS) ** -2, persistent=False)
        moments = len(self._HATS) * (len(self._GAINS) + 1)
        self.embed = nn.Linear(moments, 2 * channels)
        self.norm = DirectionNorm(2 * channels)
        self.project = nn.Linear(2 * channels, channels)

    def moments(self, points: Tensor, centres: Tensor) -> Tensor:
        """[B, N, 3] and [B, Q, 3] -> [B, Q, 12, 15]."""
        B, Q, _ = centres.shape
        near = rows(points, nearest(centres, points, self.neighbours)) - centres[:, :, None]
        near = near * (1 / self.radius)
        hats = torch.relu(1 - (near * near).sum(-1, keepdim=True) * self.widths)
        along = near @ self.axes
        square = along * along
        powers = [along, square, along * square, square * square]
        stacked = torch.cat([power * gain for power, gain in zip(powers, self._GAINS, strict=True)], -1)
        sums = (hats.transpose(2, 3) @ stacked).reshape(B, Q, len(self._HATS), 4, DIRECTIONS // 2)
        mass = hats.sum(2)
        # The centre is one of its own points, so that no mass is 0.
        first, second, third, fourth = (sums / (mass[..., None, None] + 1e-3)).unbind(3)
        share = (mass * (1 / self.neighbours))[..., None].expand_as(first)
        there = torch.stack([share, first, second, third, fourth], -1)
        back = torch.stack([share, -first, second, -third, fourth], -1)
        return torch.cat([there, back], 3).permute(0, 1, 3, 2, 4).reshape(B, Q, DIRECTIONS, -1)

    def forward(self, points: Tensor, centres: Tensor) -> Tensor:
        """[B, N, 3] and [B, Q, 3] -> [B, Q, 12, channels]."""
        with torch.no_grad():
            moments = self.moments(points, centres)
        return self.project(functional.gelu(self.norm(self.embed(moments))))


class DirectionConvolution(nn.Module):
    """Equivariant convolution over points: harmonics of the neighbours' places times harmonics of their features.

    The directions' features become coefficients of degree 0 to 2; each neighbour's are coupled with the harmonics of
    where it lies, and the couplings, also those that tell left from right, are mixed by one matrix a degree. A fifth of
    the operations of one weight matrix for each orbit of (kernel point, direction, direction), and equivariant under
    all rotations of the cloud where the features are.

    Args:
        inputs, outputs: Channels.
        radius: Metres.
    """

    synthesis: Tensor
    analysis: Tensor
    coupling: Tensor
    # Of the two hats, in units of the radius; and what brings each part of the kernel to about unit size.
    _HATS = (0.5, 1.0)
    _GAINS = (1.0, 2.5, 1.0, 1.25, 1.5)

    def __init__(self, inputs: int, outputs: int, radius: float) -> None:
        super().__init__()
        self.inputs = inputs
        self.outputs = outputs
        self.radius = radius
        values = torch.tensor(harmonics.harmonics(icosahedron.directions()), dtype=torch.float32)
        self.register_buffer("synthesis", values, persistent=False)
        self.register_buffer("analysis", values.T.contiguous() / DIRECTIONS, persistent=False)
        coupling = torch.tensor(harmonics.coupling_matrix(), dtype=torch.float32)
        self.register_buffer("coupling", coupling, persistent=False)
        self.paths = [len(harmonics.paths(degree)) for degree in harmonics.DEGREES]
        self.weights = nn.ParameterList(
            [nn.Parameter(torch.randn(inputs * count, outputs) * (inputs * count) ** -0.5) for count in self.paths]
        )
        self.bias = nn.Parameter(torch.zeros(outputs))

    def kernel(self, offsets: Tensor) -> Tensor:
        """Return the kernel functions at places relative to the centre, [..., 3] -> [..., 13]."""
        u = offsets * (1 / self.radius)
        x, y, z = u.unbind(-1)
        square = (u * u).sum(-1)
        inner, outer = (torch.relu(1 - square * hat**-2) for hat in self._HATS)
        first, second = (3**0.5) * u, 15**0.5
        planes = [x * y, y * z, z * x, (3 * z * z - square) * 12**-0.5, (x * x - y * y) * 0.5]
        gains = self._GAINS
        parts = [
            torch.stack([inner * gains[0]], -1),
            first * (inner * gains[1])[..., None],
            torch.stack([outer * gains[2]], -1),
            first * (outer * gains[3])[..., None],
            torch.stack(planes, -1) * (outer * (second * gains[4]))[..., None],
        ]
        # Like a mean over the neighbours, but small where there are hardly any.
        return torch.cat(parts, -1) * (2 / (outer.sum(-1) + 0.5))[..., None, None]

    def forward(self, x: Tensor, points: Tensor, centres: Tensor, index: Tensor | None) -> Tensor:
        """Convolve.

        Args:
            x: Features of the points, [B, P, 12, inputs].
            points: [B, P, 3].
            centres: [B, Q, 3].
            index: Of `nearest`, [B, Q, n]; None: all points are neighbours of each centre.

        Returns:
            [B, Q, 12, outputs].
        """
        B, Q, _ = centres.shape
        with torch.no_grad():
            near = points[:, None] if index is None else rows(points, index)
            kernel = self.kernel(near - centres[:, :, None]).transpose(2, 3)
        coefficients = (self.analysis @ x).flatten(2)
        if index is None:
            gathered = kernel.reshape(B, -1, kernel.shape[-1]) @ coefficients
        else:
            gathered = kernel @ rows(coefficients, index)
        pairs = gathered.reshape(B * Q, -1, self.inputs).transpose(1, 2).reshape(B * Q * self.inputs, -1)
        coupled = (pairs @ self.coupling).reshape(B * Q, self.inputs, -1)
        mixed: list[Tensor] = []
        start = 0
        for degree, (count, weight) in enumerate(zip(self.paths, self.weights, strict=True)):
            size = 2 * degree + 1
            block = coupled[..., start : start + count * size].unflatten(2, (count, size))
            mixed.append(block.permute(0, 3, 1, 2).reshape(B * Q, size, -1) @ weight)
            start += count * size
        return (self.synthesis @ torch.cat(mixed, 1)).reshape(B, Q, DIRECTIONS, self.outputs) + self.bias


class Attention(nn.Module):
    """Multi-head self-attention with residual and pre-norm, then an MLP, on [..., tokens, width].

    Args:
        width: Channels of a token.
        heads: Number of heads.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(width)
        self.query_key_value = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.mlp = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)
        )

    def forward(self, x: Tensor, bias: Tensor | None = None) -> Tensor:
        """Attend; `bias` is added to the logits, broadcast to [B, heads, tokens, tokens]."""
        B, T, C = x.shape
        parts = self.query_key_value(self.norm(x)).reshape(B, T, 3, self.heads, C // self.heads)
        query, key, value = parts.permute(2, 0, 3, 1, 4).unbind(0)
        logits = query @ key.transpose(2, 3) * (C // self.heads) ** -0.5
        if bias is not None:
            logits = logits + bias
        mixed = torch.softmax(logits, -1) @ value
        x = x + self.out(mixed.transpose(1, 2).reshape(B, T, C))
        return x + self.mlp(x)
