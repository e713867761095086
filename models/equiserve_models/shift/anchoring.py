"""Adaptive polyphase anchoring as published: the phase of largest L2 norm is rolled onto the stride grid.

Source: Ding et al. 2023, "Reviving Shift Equivariance in Vision Transformers", arXiv 2306.07470, operator P.
"""

from __future__ import annotations

import torch
from torch import Tensor


def circular_gather(x: Tensor, dy: Tensor, dx: Tensor) -> Tensor:
    """Roll each picture of a batch by its own offset: ``out[b, :, i, j] = x[b, :, (i + dy_b) % H, (j + dx_b) % W]``.

    Index arithmetic and one gather: a loop over ``torch.roll`` exports without complaint and then applies the
    offset of the first picture to the whole batch.

    Args:
        x: Feature maps, any dtype, [B, C, H, W].
        dy: Row of x that becomes row 0, int64 [B], 0 <= dy < H.
        dx: Column of x that becomes column 0, int64 [B], 0 <= dx < W.

    Returns:
        Same dtype and shape as x.
    """
    _, _, H, W = x.shape
    return _take(x, _rolled(dy, H).unsqueeze(2) * W + _rolled(dx, W).unsqueeze(1))


def phase_energies(x: Tensor, stride: int) -> Tensor:
    """Squared L2 norm of every polyphase component ``x[:, :, i::stride, j::stride]``.

    Args:
        x: Feature maps, floating or integer, [B, C, H, W]; stride divides H and W.
        stride: Stride of the sampling that follows, in pixels.

    Returns:
        Energies [B, stride, stride], row i and column j of the phase, dtype of x.
    """
    _, _, H, W = x.shape
    return _phase_sums((x * x).sum(1, dtype=x.dtype), H, W, stride)


def polyphase_anchor(x: Tensor, stride: int) -> Tensor:
    """Roll each feature map so that its polyphase component of largest L2 norm lies on the stride grid.

    The first index wins a tie, as published; a picture with an exact tie is therefore *not* anchored
    covariantly (see `canonical_origin`).

    Args:
        x: Feature maps, floating, [B, C, H, W]; stride divides H and W.
        stride: Stride of the sampling that follows, in pixels.

    Returns:
        Rolled feature maps, shape and dtype of x.
    """
    _, C, H, W = x.shape
    # A product with ones: the runtimes sum over channels several times slower.
    energy = x.new_ones(1, C) @ (x * x).flatten(2)
    phase = _phase_sums(energy, H, W, stride).flatten(1).argmax(1)
    # Constants of an exported graph: two look-ups instead of a dozen operators of index arithmetic.
    phases = torch.arange(stride * stride, device=x.device)
    rows, columns = _rolled(phases // stride, H).unsqueeze(2) * W, _rolled(phases % stride, W).unsqueeze(1)
    return _take(x, rows.index_select(0, phase) + columns.index_select(0, phase))


def _phase_sums(energy: Tensor, H: int, W: int, stride: int) -> Tensor:
    """Sum each polyphase component of a plane of H * W values: [B, ...] -> [B, stride, stride]."""
    return energy.reshape(-1, H // stride, stride, W // stride, stride).sum((1, 3), dtype=energy.dtype)


def _rolled(offset: Tensor, size: int) -> Tensor:
    """Return ``(i + offset) % size`` for i < size, int64 [B] -> [B, size]."""
    return (torch.arange(size, device=offset.device) + offset.unsqueeze(1)) % size


def _take(x: Tensor, source: Tensor) -> Tensor:
    """``out[b, :, i, j] = x[b].flatten(1)[:, source[b, i, j]]``; x [B, C, H, W], source int64 [B, H, W]."""
    _, C, H, W = x.shape
    places = source.reshape(-1, 1, H * W).expand(-1, C, -1)
    return x.reshape(-1, C, H * W).gather(2, places).reshape(-1, C, H, W)
