"""The networks: a stack of typed linear layers with a parameter-free bilinear and a gated nonlinearity; a plain one.

Parameters may have a leading axis of members: networks of different seeds that are trained side by side, which costs
little more than one. All of the typed network's weights lie in spaces of maps between typed features, so that each can
be softened, projected or snapped; the bilinear layer multiplies channels that the linear layer has prepared, and is
exactly equivariant under O(3) whatever the weights.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import silu

from equiserve_models.soft.candidates import Candidate
from equiserve_models.soft.features import FeatureSpace, Summand, space
from equiserve_models.soft.projection import BlockLayout, project

# Products and answers start small, so that early training is that of the linear part.
_PRODUCT = 0.1
_ANSWER = 0.3
_SWISH = 1e-3
# Share of dense weights in what begins near an equivariant network.
_LOOSE = 0.1


@dataclass(frozen=True)
class Width:
    """Channels of the hidden features: scalars, vectors, matrices; no more matrices than vectors, than scalars."""

    scalars: int = 24
    vectors: int = 8
    matrices: int = 4

    @property
    def features(self) -> FeatureSpace:
        """What a nonlinearity returns."""
        return space(self.scalars, self.vectors, self.matrices)

    @property
    def prepared(self) -> FeatureSpace:
        """What it takes: also a gate and a factor for each vector and matrix, and two more sets of vectors."""
        scalars = Summand(self.scalars + 2 * (self.vectors + self.matrices), 0)
        return FeatureSpace((scalars, *[Summand(self.vectors, 1)] * 3, Summand(self.matrices, 2)))


class TypedNetwork(nn.Module):
    """linear -> bilinear -> gated nonlinearity, `depth` times, then linear (EMLP, arXiv 2104.09459, softened).

    Args:
        source: Input features.
        target: Output features.
        width: Hidden channels.
        depth: Nonlinear layers.
        members: Networks side by side; None for one without that axis.
        form: ``soft``: free weights, and the nonlinearity has a swish residual that no symmetry allows.
            ``exact``: weights are projected onto the maps that commute with ``group``.
            ``residual``: the sum of projected and of free weights (RPP, arXiv 2112.01388), with the swish residual.
        group: Of the projection; ``soft`` weights begin near it.
    """

    def __init__(
        self,
        source: FeatureSpace,
        target: FeatureSpace,
        width: Width,
        depth: int,
        members: int | None,
        form: Literal["soft", "exact", "residual"],
        group: Candidate,
    ) -> None:
        super().__init__()
        hidden = [source] + [width.features] * depth
        self.layers = [*((space, width.prepared) for space in hidden[:-1]), (hidden[-1], target)]
        self.layout = BlockLayout(self.layers)
        self.width, self.form = width, form
        lead = () if members is None else (members,)
        dense = _initial(self.layers, lead)
        self.weights = nn.Parameter(self._symmetric(dense, group))
        self.projectors = [] if form == "soft" else self.layout.projectors(group)
        if form == "residual":
            self.free = nn.Parameter(_LOOSE * _initial(self.layers, lead))
        if form == "soft":
            self.weights.data.add_(dense, alpha=_LOOSE)
        if form != "exact":
            self.swish = nn.Parameter(torch.full((*lead, depth, width.features.size), _SWISH))

    def _symmetric(self, dense: Tensor, group: Candidate) -> Tensor:
        """Return the projection onto equivariant weights, scaled so that no layer loses its norm."""
        nearest = project(dense, self.layout, self.layout.projectors(group))
        sizes = [target.size * (source.size + 1) for source, target in self.layers]
        pairs = zip(dense.split(sizes, -1), nearest.split(sizes, -1), strict=True)
        return torch.cat([part * (old.norm() / part.norm().clamp_min(1e-9)) for old, part in pairs], -1)

    def effective(self) -> Tensor:
        """Return the parameters that the layers use, flat [..., size], in the order of `BlockLayout`."""
        if not self.projectors:
            return self.weights
        exact = project(self.weights, self.layout, self.projectors)
        return exact + self.free if self.form == "residual" else exact

    def forward(self, features: Tensor) -> Tensor:
        """Typed input features [..., B, source] -> typed output features [..., B, target]."""
        flat, start = self.effective(), 0
        for place, (source, target) in enumerate(self.layers):
            end = start + target.size * source.size
            weight = flat[..., start:end].unflatten(-1, (target.size, source.size))
            bias = flat[..., None, end : end + target.size]
            start = end + target.size
            features = features @ weight.transpose(-1, -2) + bias
            if place < len(self.layers) - 1:
                residual = self.swish[..., None, place, :] if self.form != "exact" else None
                features = self._nonlinear(features, residual)
        return features

    def _nonlinear(self, prepared: Tensor, residual: Tensor | None) -> Tensor:
        w = self.width
        gated = w.vectors + w.matrices
        scalars, gates, factors, vectors, left, right, matrices = prepared.split(
            [w.scalars, gated, gated, *[3 * w.vectors] * 3, 9 * w.matrices], -1
        )
        raw = torch.cat([scalars, vectors, matrices], -1) if residual is not None else scalars
        vectors, left, right = (part.unflatten(-1, (3, w.vectors)) for part in (vectors, left, right))
        dots = _PRODUCT * (left * right).sum(-2)
        scalars = torch.cat([scalars[..., : w.vectors] + dots, scalars[..., w.vectors :]], -1)
        outer = left[..., :, None, : w.matrices] * right[..., None, :, : w.matrices]
        matrices = matrices.unflatten(-1, (3, 3, w.matrices)) + _PRODUCT * outer
        # Twice the sigmoid: open gates pass what comes in as it is.
        gate = 2 * torch.sigmoid(gates) * (1 + _PRODUCT * factors)
        vectors = gate[..., None, : w.vectors] * vectors
        matrices = gate[..., None, None, w.vectors :] * matrices
        out = torch.cat([silu(scalars), vectors.flatten(-2), matrices.flatten(-3)], -1)
        return out if residual is None else out + residual * silu(raw)

    @torch.no_grad()
    def member(self, index: int) -> TypedNetwork:
        """Return one member alone, with the weights that its layers use, in ``soft`` form."""
        alone = copy.copy(self)
        alone._parameters = {"weights": nn.Parameter(self.effective()[index].clone())}
        shape = (
            self.swish[index] if self.form != "exact" else torch.zeros(len(self.layers) - 1, self.width.features.size)
        )
        alone._parameters["swish"] = nn.Parameter(shape.clone())
        alone.form, alone.projectors = "soft", []
        return alone

    @torch.no_grad()
    def snapped(self, group: Candidate) -> TypedNetwork:
        """Return a copy that is exactly equivariant: projected weights, and no swish residual."""
        copied = copy.deepcopy(self)
        copied.weights.copy_(project(self.effective(), self.layout, self.layout.projectors(group)))
        copied.form, copied.projectors = "soft", []
        copied.swish.zero_()
        return copied


class PlainNetwork(nn.Module):
    """Three swish layers without any type.

    Args:
        source: Input features.
        target: Output features.
        width: Hidden numbers.
        depth: Nonlinear layers.
        members: As in `TypedNetwork`.
    """

    def __init__(self, source: FeatureSpace, target: FeatureSpace, width: int, depth: int, members: int | None) -> None:
        super().__init__()
        sizes = [source.size] + [width] * depth + [target.size]
        lead = () if members is None else (members,)
        self.matrices = nn.ParameterList()
        self.biases = nn.ParameterList()
        for fan_in, fan_out in pairwise(sizes):
            bound = fan_in**-0.5
            self.matrices.append(nn.Parameter(torch.empty(*lead, fan_out, fan_in).uniform_(-bound, bound)))
            self.biases.append(nn.Parameter(torch.empty(*lead, 1, fan_out).uniform_(-bound, bound)))

    def forward(self, features: Tensor) -> Tensor:
        """Input features [..., B, source] -> output features [..., B, target]."""
        for place, (matrix, bias) in enumerate(zip(self.matrices, self.biases, strict=True)):
            features = features @ matrix.transpose(-1, -2) + bias
            if place < len(self.matrices) - 1:
                features = silu(features)
        return features


def _initial(layers: list[tuple[FeatureSpace, FeatureSpace]], lead: tuple[int, ...]) -> Tensor:
    parts = []
    for place, (source, target) in enumerate(layers):
        gain = 1.0 if place < len(layers) - 1 else _ANSWER
        weight = torch.randn(*lead, target.size, source.size) * gain * source.size**-0.5
        parts += [weight.flatten(-2), torch.zeros(*lead, target.size)]
    return torch.cat(parts, -1)
