"""Turned training pictures: upsampled once, turned once, low-passed, brought down; and the embedding of an angle.

A positive angle turns what is drawn counter-clockwise as seen (y points down in memory).
"""

from __future__ import annotations

import math
from functools import cache

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

from equiserve_models.diffusion import filters

# Turns by 90 degrees are exact on the pixel grid; the network has to know what is left.
LARGEST_ANGLE = 45.0


def angle_condition(degrees: Tensor, stated: Tensor) -> Tensor:
    """Return the denoiser's third condition, float32 [B, 3]: (cos, sin, 1), or zeros where nothing is stated.

    Args:
        degrees: Float [B].
        stated: Bool [B].
    """
    radians = degrees * (math.pi / 180)
    return torch.stack((radians.cos(), radians.sin(), torch.ones_like(radians)), 1) * stated[:, None]


def turned(pictures: Tensor, degrees: Tensor, beyond: float) -> Tensor:
    """Turn each picture about its centre, on a grid twice as fine.

    Args:
        pictures: float32 [B, C, n, n].
        degrees: Counter-clockwise as seen, float32 [B].
        beyond: Value outside of the picture.

    Returns:
        float32 [B, C, n, n].
    """
    size = pictures.shape[-1]
    up, down = (matrix.to(pictures.dtype) for matrix in _matrices(size))
    fine = up @ (pictures - beyond) @ up.T
    radians = degrees * (math.pi / 180)
    cos, sin, zero = radians.cos(), radians.sin(), torch.zeros_like(radians)
    # Where an output pixel's content comes from, in (x, y) with y downwards: the inverse turn.
    pullback = torch.stack((torch.stack((cos, -sin, zero), 1), torch.stack((sin, cos, zero), 1)), 1)
    places = affine_grid(pullback, list(fine.shape), align_corners=False)
    return down @ grid_sample(fine, places, mode="bilinear", align_corners=False) @ down.T + beyond


@cache
def _matrices(size: int) -> tuple[Tensor, Tensor]:
    kernel = filters.half_band()
    up, down = filters.upsampling_matrix(size, kernel), filters.downsampling_matrix(2 * size, kernel)
    return torch.from_numpy(up), torch.from_numpy(down)
