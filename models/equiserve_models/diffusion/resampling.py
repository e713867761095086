"""Layers that change the sampling rate of feature maps by 2, and nonlinearities that act on the finer grid."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import conv2d, conv_transpose2d, max_pool2d, silu

from equiserve_models.diffusion import filters

#: `pooled`: 2x2 maximum and bilinear. `half_band`: Kaiser low-pass. `published`: the paper's 3x3 kernel, of which the
#: parameters beta and normalised follow.
Resampling = Literal["pooled", "half_band", "published"]
Kernel = tuple[Resampling, float, bool]

# Bilinear doubling on half-pixel centres is a resampling like the others, with a triangle as its kernel.
BILINEAR = np.array([1.0, 3.0, 3.0, 1.0]) / 8


class MatrixResampling(nn.Module):
    """Resampling by one constant matrix an axis: [B, C, n, n] -> [B, C, m, m].

    Args:
        matrix: float64 [m, n].
    """

    matrix: Tensor

    def __init__(self, matrix: NDArray[np.float64]) -> None:
        super().__init__()
        # Not part of a checkpoint: it follows from the size.
        self.register_buffer("matrix", torch.from_numpy(matrix).to(torch.float32), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        if x.is_contiguous() or not x.is_contiguous(memory_format=torch.channels_last):
            return self.matrix @ x @ self.matrix.T
        # The layout of training: the same two products without moving the channels.
        rows = (self.matrix @ x.permute(0, 2, 3, 1).flatten(2)).unflatten(2, (x.shape[3], x.shape[1]))
        return (self.matrix @ rows).permute(0, 3, 1, 2)


class PublishedResampling(nn.Module):
    """The paper's layers: depthwise 3x3 kernel, zeros beyond the border; doubling without the gain of 4.

    Args:
        channels: C.
        kernel: float64 [3, 3].
        doubling: [B, C, n, n] -> [B, C, 2n, 2n], otherwise to [B, C, n / 2, n / 2].
    """

    weight: Tensor

    def __init__(self, channels: int, kernel: NDArray[np.float64], doubling: bool) -> None:
        super().__init__()
        self.channels, self.doubling = channels, doubling
        weight = torch.from_numpy(kernel).to(torch.float32).expand(channels, 1, 3, 3).contiguous()
        self.register_buffer("weight", weight, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        if self.doubling:
            return conv_transpose2d(x, self.weight, stride=2, padding=1, output_padding=1, groups=self.channels)
        return conv2d(x, self.weight, stride=2, padding=1, groups=self.channels)


class MaxPooling(nn.Module):
    """2x2 maximum: [B, C, n, n] -> [B, C, n / 2, n / 2]."""

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        return max_pool2d(x, 2)


class FilteredSiLU(nn.Module):
    """SiLU on a grid twice as fine, so that the frequencies that it makes do not fold: [B, C, n, n] -> the same."""

    def __init__(self, size: int, channels: int, kernel: Kernel) -> None:
        super().__init__()
        self.up, self.down = doubling(size, channels, kernel), halving(2 * size, channels, kernel)

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        return self.down(silu(self.up(x)))


def doubling(size: int, channels: int, kernel: Kernel) -> nn.Module:
    """Return the layer [B, channels, size, size] -> [B, channels, 2 size, 2 size]."""
    kind, beta, normalised = kernel
    if kind == "published":
        return PublishedResampling(channels, filters.published_kernel(beta, normalised), doubling=True)
    low_pass = BILINEAR if kind == "pooled" else filters.half_band()
    return MatrixResampling(filters.upsampling_matrix(size, low_pass))


def halving(size: int, channels: int, kernel: Kernel) -> nn.Module:
    """Return the layer [B, channels, size, size] -> [B, channels, size / 2, size / 2]."""
    kind, beta, normalised = kernel
    if kind == "published":
        return PublishedResampling(channels, filters.published_kernel(beta, normalised), doubling=False)
    return (
        MaxPooling() if kind == "pooled" else MatrixResampling(filters.downsampling_matrix(size, filters.half_band()))
    )
