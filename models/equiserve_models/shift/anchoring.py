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
    return _take(x, _rolled(dy, H) * W, _rolled(dx, W))


def phase_energies(x: Tensor, stride: int) -> Tensor:
    """Squared L2 norm of every polyphase component ``x[:, :, i::stride, j::stride]``.

    Args:
        x: Feature maps, floating or integer, [B, C, H, W]; stride divides H and W.
        stride: Stride of the sampling that follows, in pixels.

    Returns:
        Energies [B, stride, stride], row i and column j of the phase, dtype of x.
    """
    _, _, H, W = x.shape
    energy = (x * x).sum(1, dtype=x.dtype)
    return energy.reshape(-1, H // stride, stride, W // stride, stride).sum((1, 3), dtype=x.dtype)


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
    _, _, H, W = x.shape
    phase = phase_energies(x, stride).flatten(1).argmax(1)
    # Constants of an exported graph: two look-ups instead of a dozen operators of index arithmetic.
    phases = torch.arange(stride * stride, device=x.device)
    return _take(x, (_rolled(phases // stride, H) * W)[phase], _rolled(phases % stride, W)[phase])


def _rolled(offset: Tensor, size: int) -> Tensor:
    """Return ``(i + offset) % size`` for i < size, int64 [B] -> [B, size]."""
    return (torch.arange(size, device=offset.device) + offset.unsqueeze(1)) % size


def _take(x: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """``out[b, :, i, j] = x[b].flatten(1)[:, rows[b, i] + columns[b, j]]``; rows int64 [B, H], columns int64 [B, W]."""
    _, C, H, W = x.shape
    source = (rows.unsqueeze(2) + columns.unsqueeze(1)).reshape(-1, H * W)
    return x.reshape(-1, C, H * W).gather(2, source.unsqueeze(1).expand(-1, C, -1)).reshape(-1, C, H, W)
