"""Canonical origin of pictures on the torus: a frame that moves with the picture under every circular shift.

Polyphase anchoring (Ding et al. 2023, arXiv 2306.07470) rolls a picture to its phase of largest energy; ties, and the
multiple of the stride that it leaves open, break exactness. Here the origin is the lexicographic maximum over all
positions of three integer keys: energy of the position's polyphase component, energy of the patch that starts there,
and, only where these tie, a hash of the whole picture as seen from there. Integers do not round, so the rolled picture
is the same, bit for bit, for every circular shift of a picture. A tie that is left means that the picture repeats
itself, and then either choice gives the same picture.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from equiserve.errors import InvalidRequest
from equiserve.numerics.dividing_steps import patches_that_fit

#: A Mersenne prime: residue + multiplier * residue stays below 2**63.
PRIME = 2**31 - 1
#: Random residues modulo PRIME, two (rows, columns) for each doubling of the distance; enough for sizes up to 1024.
MULTIPLIERS = (
    (1812433253, 1566083941), (69069677, 1103515245), (1664525003, 1013904223), (134775813, 214013247),
    (1140671485, 842502087), (1597334677, 741103597), (1284865837, 1481765933), (935559831, 1181783497),
    (747796405, 1098754231), (1370589317, 2053028353),
)  # fmt: skip
MAX_SIZE = 2 ** len(MULTIPLIERS)

# Floating pixels are compared in steps of 1 / 4096; beyond +-256 the energies could pass 63 bits.
_STEPS, _LARGEST = 4096.0, 256.0
# Pixels of one block: its integers stay in the processor's cache.
_BLOCK_PIXELS = 1 << 16


def canonical_origin(pictures: NDArray[Any], patch: int) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Roll each picture to its canonical origin.

    Args:
        pictures: [N, C, H, W], uint8 or floating (any values, also such that are not finite), H and W at most 1024.
        patch: Side of the patches whose energies are compared, in pixels; divides H and W. The stride of the patch
            embedding is the natural one; every choice gives exact invariance.

    Returns:
        The rolled pictures, a new array of the same shape and dtype, and the offsets int64 [N, 2]: row and column of
        the origin in the picture as it came, ``moved[n] == numpy.roll(pictures[n], -offsets[n], (1, 2))``.

    Raises:
        InvalidRequest: `patch` does not divide H or W, or a picture is larger than 1024.
    """
    count, _, height, width = pictures.shape
    _require_fit(patch, height, width)
    moved = np.empty(pictures.shape, pictures.dtype)
    offsets = np.empty((count, 2), np.int64)
    step = max(1, _BLOCK_PIXELS // (height * width))
    for start in range(0, count, step):
        block = pictures[start : start + step]
        offsets[start : start + step] = np.stack(np.divmod(_origins(block, patch), width), axis=1)
    for picture, target, (dy, dx) in zip(pictures, moved, offsets.tolist(), strict=True):
        _roll(picture, target, dy, dx)
    return moved, offsets


def default_patch(height: int, width: int) -> int:
    """Return the patch where nobody chose one: 4 for sides up to 64 pixels and 16 above, or the next smaller common
    divisor of both sides.
    """
    wanted = 4 if max(height, width) <= 64 else 16
    return next(patch for patch in range(wanted, 0, -1) if height % patch == 0 and width % patch == 0)


def _require_fit(patch: int, height: int, width: int) -> None:
    if patch < 1 or height % patch or width % patch:
        raise InvalidRequest(
            f"symmetrize: patch {patch} does not divide a picture of {height} x {width} pixels; "
            f"{patches_that_fit(patch, {'height': height, 'width': width})}",
            code="patch_does_not_divide",
            field="symmetrize",
        )
    if max(height, width) > MAX_SIZE:
        raise InvalidRequest(
            f"symmetrize: the picture has {height} x {width} pixels, the canonical origin takes at most "
            f"{MAX_SIZE} x {MAX_SIZE}",
            code="picture_too_large",
            field="symmetrize",
        )


def _origins(pictures: NDArray[Any], patch: int) -> NDArray[np.int64]:
    """Return the flat position of each picture's origin, int64 [N]."""
    count, _, height, width = pictures.shape
    rows, columns = height // patch, width // patch
    energy = _energies(pictures, patch)
    # Two sums over one axis each: numpy is several times slower over both at once.
    phases = energy.reshape(count, rows, patch * width).sum(axis=1, dtype=energy.dtype)
    phases = phases.reshape(count, patch, columns, patch).sum(axis=2, dtype=energy.dtype)
    largest = phases == phases.max(axis=(1, 2), keepdims=True)
    patches = _window_sums(_window_sums(energy, patch, 1), patch, 2).reshape(count, rows, patch, columns, patch)
    patches = np.where(largest[:, None, :, None, :], patches, -1).reshape(count, height * width)
    best = patches == patches.max(axis=1, keepdims=True)
    origins: NDArray[np.int64] = best.argmax(axis=1)
    tied = np.flatnonzero(np.count_nonzero(best, axis=1) > 1)
    if tied.size:
        views = _torus_hash(pictures[tied]).reshape(tied.size, height * width)
        origins[tied] = np.where(best[tied], views, -1).argmax(axis=1)
    return origins


def _energies(pictures: NDArray[Any], patch: int) -> NDArray[Any]:
    """Return the sum of squares over the channels at each position, integers [N, H, W] whose sums do not overflow."""
    _, channels, height, width = pictures.shape
    if pictures.dtype != np.uint8:
        wide = np.asarray(pictures, np.promote_types(pictures.dtype, np.float32))
        steps = np.rint(np.clip(wide, -_LARGEST, _LARGEST) * wide.dtype.type(_STEPS))
        pixels = np.nan_to_num(steps, copy=False, nan=0.0).astype(np.int64)
    else:
        terms = channels * max(patch * patch, (height // patch) * (width // patch))
        pixels = pictures.astype(np.int32 if terms * 255 * 255 < 2**31 else np.int64)
    pixels *= pixels
    energies: NDArray[Any] = pixels[:, 0] if channels == 1 else pixels.sum(axis=1, dtype=pixels.dtype)
    return energies


def _window_sums(values: NDArray[Any], size: int, axis: int) -> NDArray[Any]:
    """Sum `size` circularly consecutive values from each position on, along one axis of [N, H, W]."""
    length, along = values.shape[axis], (slice(None),) * axis
    wrapped = np.concatenate([values, values[(*along, slice(size))]], axis)
    # Entry k is the sum of the first k values; differences are exact even where it wraps around.
    running: NDArray[Any] = np.cumsum(wrapped, axis=axis, dtype=values.dtype) - wrapped
    sums: NDArray[Any] = running[(*along, slice(size, size + length))] - running[(*along, slice(length))]
    return sums


def _torus_hash(pictures: NDArray[Any]) -> NDArray[np.int64]:
    """Hash the whole picture as seen from each position: int64 [N, H, W], 0 <= hash < PRIME.

    Each round adds a multiple of the hash at distance 1, 2, 4, ..., so that after log2 of the size every position has
    seen the whole torus. The hash is a linear form of the pixels whose coefficients are different monomials of the
    multipliers: two different views collide with probability below 20 / PRIME (Schwartz-Zippel).
    """
    count, channels, height, width = pictures.shape
    words, base = pictures[..., None], 257
    if pictures.dtype != np.uint8:
        # The bits and not the steps: pictures that differ in the last bit are different pictures.
        words = np.ascontiguousarray(pictures).view(np.uint16).reshape(count, channels, height, width, -1)
        base = 65537
    view: NDArray[np.int64] = np.zeros((count, height, width), np.int64)
    for word in range(words.shape[-1]):
        for channel in range(channels):
            factor = pow(base, channel + channels * word, PRIME)
            view = (view + words[:, channel, ..., word].astype(np.int64) * factor) % PRIME
    for axis, size in ((1, height), (2, width)):
        for level in range((size - 1).bit_length()):
            neighbour = np.roll(view, -(2**level), axis)
            view = (view + neighbour * MULTIPLIERS[level][axis - 1]) % PRIME
    return view


def _roll(picture: NDArray[Any], target: NDArray[Any], dy: int, dx: int) -> None:
    """Write picture [C, H, W] to `target` so that (dy, dx) comes to the upper left corner."""
    down, right = picture.shape[1] - dy, picture.shape[2] - dx
    target[:, :down, :right] = picture[:, dy:, dx:]
    target[:, :down, right:] = picture[:, dy:, :dx]
    target[:, down:, :right] = picture[:, :dy, dx:]
    target[:, down:, right:] = picture[:, :dy, :dx]
