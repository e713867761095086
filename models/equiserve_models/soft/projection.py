"""Projections of all linear layers at once: one gather, then one small product for each pair (T(p), T(q)).

A projector onto equivariant maps works on the 3^(p+q) entries that join one channel to another; the channels of all
layers with the same (p, q) are rows of one matrix. Biases are maps from T(0).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from equiserve_models.soft.candidates import Candidate, Kind
from equiserve_models.soft.features import FeatureSpace, Summand

_ONE = Summand(1, 0)


class BlockLayout:
    """Where the entries of every block lie among the parameters of a stack of linear layers.

    The flat parameters are, a layer after another, W row by row [out, in] and then the bias [out].

    Args:
        layers: Input and output space of each layer.
    """

    def __init__(self, layers: Sequence[tuple[FeatureSpace, FeatureSpace]]) -> None:
        found: dict[Kind, list[Tensor]] = {}
        start = 0
        for source, target in layers:
            weights = torch.arange(start, start + target.size * source.size).reshape(target.size, source.size)
            start += weights.numel()
            bias = torch.arange(start, start + target.size)[:, None]
            start += target.size
            for summand_out, rows in target.slices():
                for summand_in, columns in source.slices():
                    kind, block = _block(weights[rows, columns], summand_in, summand_out)
                    found.setdefault(kind, []).append(block)
                kind, block = _block(bias[rows], _ONE, summand_out)
                found.setdefault(kind, []).append(block)
        self.size = start
        self.kinds = {kind: torch.cat(blocks).shape for kind, blocks in found.items()}
        self.order = torch.cat([block.reshape(-1) for blocks in found.values() for block in blocks])
        self.inverse = torch.argsort(self.order)

    def split(self, flat: Tensor) -> list[Tensor]:
        """Return the blocks by kind: [..., size] -> a [..., rows, 3^(p+q)] for each kind."""
        gathered = flat[..., self.order]
        parts = gathered.split([rows * width for rows, width in self.kinds.values()], -1)
        shapes = self.kinds.values()
        return [part.reshape(*flat.shape[:-1], *shape) for part, shape in zip(parts, shapes, strict=True)]

    def join(self, blocks: Sequence[Tensor]) -> Tensor:
        """Undo `split`."""
        return torch.cat([block.flatten(-2) for block in blocks], -1)[..., self.inverse]

    def projectors(self, candidate: Candidate) -> list[Tensor]:
        """Return the candidate's projector for each kind."""
        return [candidate.projector(kind) for kind in self.kinds]

    def complements(self, candidates: Sequence[Candidate], strengths: Tensor) -> list[Tensor]:
        """Return sum_c strength_c (1 - P_c) for each kind, [..., d, d], for strengths [..., candidates]."""
        found = []
        for kind, (_, width) in self.kinds.items():
            away = torch.stack([torch.eye(width) - candidate.projector(kind) for candidate in candidates])
            found.append(torch.tensordot(strengths, away, 1))
        return found

    @torch.no_grad()
    def residuals(self, flat: Tensor, candidates: Sequence[Candidate]) -> Tensor:
        """Return 1/2 |theta - P_c theta|^2 of each candidate, [..., candidates]."""
        blocks = self.split(flat)
        columns = []
        for candidate in candidates:
            parts = zip(blocks, self.projectors(candidate), strict=True)
            columns.append(sum(0.5 * (b - b @ p).square().sum((-2, -1)) for b, p in parts))
        return torch.stack([torch.as_tensor(column) for column in columns], -1)


class _Project(torch.autograd.Function):
    """P theta; its gradient is P again, because P is symmetric."""

    @staticmethod
    def forward(ctx: Any, flat: Tensor, layout: BlockLayout, projectors: list[Tensor]) -> Tensor:
        ctx.layout, ctx.projectors = layout, projectors
        return _apply(layout, flat, projectors)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        return _apply(ctx.layout, gradients[0], ctx.projectors), None, None


class _QuadraticForm(torch.autograd.Function):
    """1/2 theta^T M theta for a symmetric M by blocks; its gradient M theta is computed with the value."""

    @staticmethod
    def forward(ctx: Any, flat: Tensor, layout: BlockLayout, matrices: list[Tensor]) -> Tensor:
        gradient = _apply(layout, flat, matrices)
        ctx.save_for_backward(gradient)
        return 0.5 * (flat * gradient).sum(-1)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (gradient,) = ctx.saved_tensors
        return gradients[0][..., None] * gradient, None, None


def project(flat: Tensor, layout: BlockLayout, projectors: list[Tensor]) -> Tensor:
    """Return the nearest parameters of equivariant layers: [..., size] -> the same."""
    return _Project.apply(flat, layout, projectors)


def quadratic_form(flat: Tensor, layout: BlockLayout, matrices: list[Tensor]) -> Tensor:
    """Return 1/2 theta^T M theta, [...]: with `BlockLayout.complements`, sum_c strength_c R_c of the paper."""
    return _QuadraticForm.apply(flat, layout, matrices)


def _apply(layout: BlockLayout, flat: Tensor, matrices: list[Tensor]) -> Tensor:
    return layout.join([block @ matrix for block, matrix in zip(layout.split(flat), matrices, strict=True)])


def _block(entries: Tensor, summand_in: Summand, summand_out: Summand) -> tuple[Kind, Tensor]:
    # [q, channels out, p, channels in] -> a row for each pair of channels.
    folded = entries.reshape(summand_out.components, summand_out.count, summand_in.components, summand_in.count)
    rows = folded.permute(1, 3, 0, 2).reshape(-1, summand_out.components * summand_in.components)
    return (summand_in.power, summand_out.power, summand_out.degree - summand_in.degree), rows
