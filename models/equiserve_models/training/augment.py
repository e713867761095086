"""Augmentation of raw uint8 pictures, a batch at a time, from a generator that the caller seeds."""

from __future__ import annotations

import torch
from torch import Generator, Tensor


def random_flip(images: Tensor, generator: Generator) -> Tensor:
    """Mirror half of the pictures left to right: uint8 [B, C, H, W] -> the same shape."""
    mirrored = torch.rand(len(images), generator=generator) < 0.5
    return torch.where(mirrored[:, None, None, None], images.flip(3), images)


def random_translation(images: Tensor, reach: int, generator: Generator, *, mirrored: bool = False) -> Tensor:
    """Move each picture by up to `reach` pixels along each axis: uint8 [B, C, H, W] -> the same shape.

    Args:
        images: The pictures.
        reach: At most so many pixels, fewer than a side has.
        generator: Source of randomness.
        mirrored: Whether the picture mirrored at its border comes in; zeros otherwise.
    """
    B, C, H, W = images.shape
    offsets = torch.randint(0, 2 * reach + 1, (2, B, 1), generator=generator)
    if mirrored:
        rows, columns = (
            _reflected(torch.arange(size) + offsets[axis] - reach, size) for axis, size in ((0, H), (1, W))
        )
        source = images
    else:
        rows, columns = torch.arange(H) + offsets[0], torch.arange(W) + offsets[1]
        source = torch.zeros(B, C, H + 2 * reach, W + 2 * reach, dtype=images.dtype)
        source[:, :, reach : reach + H, reach : reach + W] = images
    batch, channel = torch.arange(B)[:, None, None, None], torch.arange(C)[None, :, None, None]
    return source[batch, channel, rows[:, None, :, None], columns[:, None, None, :]]


def _reflected(places: Tensor, size: int) -> Tensor:
    """Return places outside 0 ... size - 1 mirrored at the first or the last one."""
    return size - 1 - (size - 1 - places.abs()).abs()


def random_erasing(images: Tensor, probability: float, generator: Generator) -> Tensor:
    """Fill a random rectangle, 2..H/3 pixels on a side, with one random value (Zhong et al. 2020, arXiv 1708.04896).

    Args:
        images: uint8 [B, C, H, W].
        probability: Share of the pictures that lose a rectangle.
        generator: Source of randomness.

    Returns:
        uint8 [B, C, H, W].
    """
    B, _, H, W = images.shape
    height = torch.randint(2, H // 3 + 1, (B,), generator=generator)
    width = torch.randint(2, W // 3 + 1, (B,), generator=generator)
    top = (torch.rand(B, generator=generator) * (H - height)).long()
    left = (torch.rand(B, generator=generator) * (W - width)).long()
    chosen = torch.rand(B, generator=generator) < probability
    value = torch.randint(0, 256, (B, 1, 1, 1), generator=generator).to(images.dtype)
    rows, columns = torch.arange(H)[None], torch.arange(W)[None]
    in_rows = (rows >= top[:, None]) & (rows < (top + height)[:, None])
    in_columns = (columns >= left[:, None]) & (columns < (left + width)[:, None])
    erased = in_rows[:, :, None] & in_columns[:, None, :] & chosen[:, None, None]
    return torch.where(erased[:, None], value, images)
