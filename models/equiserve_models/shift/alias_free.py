"""Alias-free layers for shifts by fractions of a pixel: fixed resampling matrices around a pointwise activation.

A pointwise activation makes frequencies that its grid cannot hold, and a stride folds frequencies that the next grid
cannot hold; both then move otherwise than the picture. Here the activation acts on a grid twice as fine, and an ideal
low-pass leaves what the next grid holds before its samples are taken. What the activation makes beyond the finer grid
still folds: the layers are nearly, not exactly, covariant.

Source: Michaeli et al. 2023, arXiv 2303.08085 (AFC). They filter by FFT; at 28 pixels a product with a fixed matrix is
as cheap and is plain ONNX.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import gelu


def resampling_matrix(size: int, samples: int) -> Tensor:
    """Return the matrix that samples a periodic signal anew, by trigonometric interpolation.

    Kept are the frequencies that the coarser of the two grids holds and can shift by any fraction of a sample: those
    below its Nyquist frequency.

    Args:
        size: Samples of the signal.
        samples: Equidistant samples of the result; the first lies where the signal's first does.

    Returns:
        float32 [samples, size].
    """
    kept = (min(size, samples) + 1) // 2
    spectrum = np.fft.rfft(np.eye(size), axis=0)[:kept]
    return torch.from_numpy(np.fft.irfft(spectrum, samples, axis=0) * (samples / size)).to(torch.float32)


class AliasFreeActivation(nn.Module):
    """GELU on a grid twice as fine, then an ideal low-pass: [B, C, size, size] -> [B, C, samples, samples].

    Args:
        size: Height and width, samples.
        samples: Height and width of the result.
    """

    up: Tensor
    down: Tensor

    def __init__(self, size: int, samples: int) -> None:
        super().__init__()
        # Not part of a checkpoint: they follow from the sizes.
        self.register_buffer("up", resampling_matrix(size, 2 * size), persistent=False)
        self.register_buffer("down", resampling_matrix(2 * size, samples), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        return self.down @ gelu(self.up @ x @ self.up.T) @ self.down.T
