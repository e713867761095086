"""By what angle a picture was turned: registration to the same picture upright, within the inscribed disc."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from equiserve.numerics.resampling import disc_mask, resample, rotation_pullback, upsample

_STEP_DEG = 2.0
# Peaks closer than this belong to the same angle.
_APART_DEG = 30.0


class Registration(NamedTuple):
    """Where the correlation over the full circle is largest.

    Attributes:
        angle_deg: Counter-clockwise as seen, (-180, 180].
        correlation: There; 1 = the same but for brightness and contrast.
        lead: By how much it is larger than anywhere further than 30 degrees off: near 0 for shapes that look alike at
            two angles.
    """

    angle_deg: NDArray[np.float64]
    correlation: NDArray[np.float64]
    lead: NDArray[np.float64]


def register(reference: NDArray[np.float32], pictures: NDArray[np.float32]) -> Registration:
    """Return by what each picture is turned against the reference: a grid of 2 degrees, refined by a parabola.

    Args:
        reference: [C, H, W].
        pictures: [m, C, H, W].

    Returns:
        Arrays [m].
    """
    height, width = reference.shape[-2:]
    angles = np.arange(0.0, 360.0, _STEP_DEG)
    turned = resample(upsample(reference), np.stack([rotation_pullback(angle) for angle in angles]), "edge")
    weights = disc_mask(height, width)
    bank, rows = _normalised(turned, weights), _normalised(pictures, weights)
    correlation = rows @ bank.T
    best = correlation.argmax(axis=1)
    place = np.arange(len(best))
    before, at, after = (correlation[place, (best + offset) % len(angles)] for offset in (-1, 0, 1))
    bend = before - 2 * at + after
    with np.errstate(divide="ignore", invalid="ignore"):
        shift = np.where(bend < 0, 0.5 * (before - after) / bend, 0.0)
    found = angles[best] + _STEP_DEG * np.clip(shift, -0.5, 0.5)
    off = np.abs((angles[None] - angles[best][:, None] + 180) % 360 - 180) > _APART_DEG
    lead = at - np.where(off, correlation, -1.0).max(axis=1)
    return Registration(180 - (180 - found) % 360, at, lead)


def _normalised(pictures: NDArray[np.float32], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return [m, C H W] of weighted mean 0 and norm 1 within the disc."""
    mean = (pictures * weights).sum(axis=(-2, -1), keepdims=True) / weights.sum()
    flat = ((pictures - mean) * np.sqrt(weights)).reshape(len(pictures), -1)
    return np.asarray(flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-12))
