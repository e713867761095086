"""At what angle a picture was drawn: registration to the same seed's upright picture; and what a turn must keep."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from equiserve.numerics.resampling import disc_mask, resample, rotation_pullback, upsample
from equiserve.numerics.rotation import split_angle, turn_picture

Pictures = NDArray[np.float32]

COARSE, FINE = 10.0, 1.0  # degrees between the angles that are tried
# Classes that a turn by some angle makes look like themselves; a 6 and a 9 are another's, not their own.
SYMMETRIC = (0, 1, 8)


@dataclass(frozen=True)
class Registration:
    """Achieved angles, degrees in (-180, 180], float64 [N], and the correlation that each reaches, float64 [N]."""

    degrees: NDArray[np.float64]
    correlation: NDArray[np.float64]


def register(pictures: Pictures, upright: Pictures) -> Registration:
    """Find the turn of each upright picture that is most like its partner, in the inscribed disc.

    Args:
        pictures: float32 [N, C, n, n].
        upright: The same seeds' upright pictures, of the same shape.
    """
    achieved, correlation = np.empty(len(pictures)), np.empty(len(pictures))
    for place, (picture, reference) in enumerate(zip(pictures, upright, strict=True)):
        fine_grid = upsample(reference)
        best = _best(picture, fine_grid, np.arange(-180.0, 180.0, COARSE))[0]
        achieved[place], correlation[place] = _best(picture, fine_grid, best + np.arange(-COARSE, COARSE + FINE, FINE))
    return Registration((achieved + 180.0) % 360.0 - 180.0, correlation)


def angle_error(achieved: NDArray[np.float64], asked: float | NDArray[np.float64]) -> NDArray[np.float64]:
    """Return |achieved - asked| around the circle, degrees in [0, 180]."""
    return np.abs((achieved - asked + 180.0) % 360.0 - 180.0)


def kept_correlation(pictures: Pictures, upright: Pictures, asked: float) -> NDArray[np.float64]:
    """Return the correlation, in the disc, of each picture and the upright one turned by what was asked, [N]."""
    return _correlation(pictures, turn_picture(upright, asked))


def equivariance_psnr(pictures: Pictures, upright: Pictures, asked: float) -> NDArray[np.float64]:
    """Return EQ-R: the PSNR, in the disc, between each picture and the upright one turned by what was asked, dB [N].

    The peak is 2, the range of the pictures. Source: Karras et al. 2021, arXiv 2106.12423, appendix E.3.
    """
    weights = disc_mask(*pictures.shape[-2:])
    squared = np.square(pictures - turn_picture(upright, asked)).mean(1)
    error = (squared * weights).sum((1, 2)) / weights.sum()
    return np.asarray(10 * np.log10(4 / np.maximum(error, 1e-12)))


def turned_back(pictures: Pictures, asked: float) -> Pictures:
    """Return pictures as they would be read upright; quarter turns are exact."""
    turns, rest = split_angle(asked)
    pictures = np.rot90(pictures, -turns, axes=(-2, -1))
    return np.asarray(turn_picture(pictures, -rest) if rest else np.ascontiguousarray(pictures))


def _best(picture: Pictures, fine_grid: Pictures, degrees: NDArray[np.float64]) -> tuple[float, float]:
    """Return the best angle, by a parabola through the best three, and its correlation."""
    pullbacks = np.stack([rotation_pullback(angle) for angle in degrees])
    score = _correlation(resample(fine_grid, pullbacks), picture[None])
    best = int(score.argmax())
    if 0 < best < len(degrees) - 1:
        below, top, above = score[best - 1 : best + 2]
        bend = below - 2 * top + above
        if bend < 0:
            return float(degrees[best] + 0.5 * (degrees[1] - degrees[0]) * (below - above) / bend), float(top)
    return float(degrees[best]), float(score[best])


def _correlation(first: Pictures, second: Pictures) -> NDArray[np.float64]:
    """Return the correlation of pictures [N, C, n, n], weighted by the disc, channel means taken away: [N]."""
    weights = disc_mask(*first.shape[-2:])
    centred = []
    for pictures in (first, second):
        mean = (pictures * weights).sum((-2, -1), keepdims=True) / weights.sum()
        centred.append(pictures - mean)
    products = [
        (weights * one * other).sum((1, 2, 3))
        for one, other in ((centred[0], centred[1]), (centred[0], centred[0]), (centred[1], centred[1]))
    ]
    return np.asarray(products[0] / np.sqrt(np.maximum(products[1] * products[2], 1e-24)))
