"""Canonical origin: an exact choice of frame that moves with the picture for every circular shift.

The published anchor takes the first phase on a tie, and pictures of few grey levels tie often. Here the origin is the
lexicographic maximum of three integer keys over all pixel positions; a tie that is left after the third means that
the picture repeats itself, and then every choice gives the same picture. Integers do not round, so the rolled
picture is the same, bit for bit, for every circular shift of the same picture.
"""

from __future__ import annotations

import torch
from torch import Tensor

from equiserve.numerics.canonical_origin import MULTIPLIERS, PRIME
from equiserve_models.shift.anchoring import circular_gather, phase_energies


def _energy_dtype(count: int) -> torch.dtype:
    return torch.int32 if count * 255 * 255 < 2**31 else torch.int64


def patch_energies(energy: Tensor, stride: int) -> Tensor:
    """Sum of the stride x stride patch that starts at each position, circularly: integer [B, H, W] -> [B, H, W]."""
    rows = energy
    for offset in range(1, stride):
        rows = rows + torch.roll(energy, -offset, 1)
    patches = rows
    for offset in range(1, stride):
        patches = patches + torch.roll(rows, -offset, 2)
    return patches


def torus_hash(x: Tensor) -> Tensor:
    """Hash of the whole picture as seen from each position.

    Each round adds a multiple of the hash at distance 1, 2, 4, ... so that every position has seen the whole torus
    after log2(max(H, W)) rounds. The hash is a linear form of the pixels whose coefficients are different monomials of
    the multipliers: two different views collide with probability below 20 / PRIME (Schwartz-Zippel).

    Args:
        x: Raw pixels, int64 [B, C, H, W], 0..255.

    Returns:
        int64 [B, H, W], 0 <= hash < PRIME; covariant under circular shifts.

    Raises:
        ValueError: H or W is above 1024.
    """
    _, C, H, W = x.shape
    if max(H, W) > 2 ** len(MULTIPLIERS):
        raise ValueError(f"picture of {H}x{W}: at most {2 ** len(MULTIPLIERS)} rows and columns are supported")
    view = x[:, 0]
    for channel in range(1, C):
        view = view + x[:, channel] * 257**channel
    for axis, size in ((1, H), (2, W)):
        for level in range((size - 1).bit_length()):
            neighbour = torch.roll(view, -(2**level), axis)
            view = (view + neighbour * MULTIPLIERS[level][axis - 1]) % PRIME
    return view


def origin_of(x: Tensor, stride: int) -> tuple[Tensor, Tensor]:
    """Row and column of the canonical origin of each picture.

    Keys, most important first: energy of the position's polyphase component (the published rule), energy of the
    patch that starts at the position (picks the multiple of the stride), hash of the whole picture (breaks ties).

    Args:
        x: Raw pixels, uint8 [B, C, H, W], C <= 3; stride divides H and W.
        stride: Stride of the patch embedding, in pixels.

    Returns:
        (dy, dx), int64 [B] each.
    """
    _, C, H, W = x.shape
    dtype = _energy_dtype(C * max(stride * stride, (H // stride) * (W // stride)))
    pixels = x.to(dtype)
    phases = phase_energies(pixels, stride).repeat(1, H // stride, W // stride).flatten(1)
    patches = patch_energies((pixels * pixels).sum(1, dtype=dtype), stride).flatten(1)
    views = torus_hash(x.to(torch.int64)).flatten(1)
    nothing = torch.full_like(patches, -1)
    patches = torch.where(phases == phases.amax(1, keepdim=True), patches, nothing)
    views = torch.where(patches == patches.amax(1, keepdim=True), views, torch.full_like(views, -1))
    origin = views.argmax(1)
    return origin // W, origin % W


def to_canonical_origin(x: Tensor, stride: int) -> Tensor:
    """Roll each picture to its canonical origin: the same bits for every circular shift of the same picture.

    Args:
        x: Raw pixels, uint8 [B, C, H, W], C <= 3; stride divides H and W.
        stride: Stride of the patch embedding, in pixels.

    Returns:
        uint8 [B, C, H, W], in the canonical frame.
    """
    dy, dx = origin_of(x, stride)
    return circular_gather(x, dy, dx)
