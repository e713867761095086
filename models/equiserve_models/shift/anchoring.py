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
    _, C, H, W = x.shape
    rows = (torch.arange(H, device=x.device).unsqueeze(0) + dy.unsqueeze(1)) % H
    columns = (torch.arange(W, device=x.device).unsqueeze(0) + dx.unsqueeze(1)) % W
    source = (rows.unsqueeze(2) * W + columns.unsqueeze(1)).reshape(-1, 1, H * W).expand(-1, C, -1)
    return x.reshape(-1, C, H * W).gather(2, source).reshape(-1, C, H, W)


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
    phase = phase_energies(x, stride).flatten(1).argmax(1)
    return circular_gather(x, phase // stride, phase % stride)
