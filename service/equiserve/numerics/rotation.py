"""Turning what a diffusion model draws: four ways, of which one is the paper's (Anjum 2024, arXiv 2411.09174).

- ``drift``: x is turned a little after every step, signal and noise together, as the paper does. Training-free; a model
  that knows upright pictures only pulls each step back.
- ``drift_x0``: the clean estimate alone is turned, and only in the band of noise levels that decides the shape.
- ``conditioned``: the model is told the angle. It only ever sees [-45, 45) degrees: quarter turns are made exactly, on
  the finished picture. All noise is turned by the rest too, so that every angle gives the same picture, turned.
- ``exact``: the finished upright picture is turned by resampling. The reference.

Angles are degrees, counter-clockwise as seen. Pictures are [..., C, H, W], square, about their centre.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from equiserve.numerics.resampling import (
    resample,
    rotation_pullback,
    source_places,
    upsample,
)

RotationMode = Literal["drift", "drift_x0", "conditioned", "exact"]
ROTATION_MODES: tuple[RotationMode, ...] = get_args(RotationMode)

#: Noise levels between which `drift_x0` turns the clean estimate, where a model's manifest does not choose.
DRIFT_BAND = (0.3, 5.0)


def signed_angle(angle_deg: float) -> float:
    """Return the same rotation in (-180, 180] degrees."""
    reduced = math.remainder(round(angle_deg, 9), 360.0)
    return 180.0 if reduced == -180.0 else reduced + 0.0


def split_angle(angle_deg: float) -> tuple[int, float]:
    """Return quarter turns (0 to 3) and the rest in [-45, 45) degrees."""
    turns = math.floor(round(angle_deg, 9) / 90 + 0.5)
    return turns % 4, round(angle_deg, 9) - 90.0 * turns + 0.0


def turn_noise(noise: NDArray[Any], angle_deg: float) -> NDArray[Any]:
    """Return white noise turned, and still white: an orthogonal map of its pixels.

    Three shears whose rows move by a fraction of a pixel through their spectrum, on a torus: each keeps every sum of
    squares. Resampling does not: it averages neighbours, and a denoiser then sees noise that it was not trained on.
    What the shears carry over the border, outside of the inscribed disc, comes in on the other side.

    Args:
        noise: [..., H, W]; independent and normal, of mean 0 and variance 1, as is what is returned.
        angle_deg: Quarter turns only permute pixels.

    Returns:
        The same shape and dtype.

    Source: Unser, Thevenaz and Yaroslavsky, "Convolution-based interpolation for fast, high-quality rotation of
    images", IEEE Trans. Image Processing 4, 1995.
    """
    turns, rest = split_angle(angle_deg)
    if rest:
        height, width = noise.shape[-2:]
        along_rows = _shear(-math.tan(math.radians(rest) / 2), height, width)
        along_columns = _shear(math.sin(math.radians(rest)), width, height)
        moved = _sheared(noise, along_rows)
        moved = _sheared(moved.swapaxes(-2, -1), along_columns).swapaxes(-2, -1)
        noise = _sheared(moved, along_rows).astype(noise.dtype)
    return np.rot90(noise, turns, axes=(-2, -1)) if turns else noise


def turn_picture(pictures: NDArray[Any], angle_deg: float, background: float = -1.0) -> NDArray[Any]:
    """Return finished pictures turned; what comes in from beyond the border is the background.

    Args:
        pictures: [..., H, W].
        angle_deg: Quarter turns are exact.
        background: The value of empty corners.

    Returns:
        The same shape and dtype.
    """
    turns, rest = split_angle(angle_deg)
    if rest:
        moved = resample(upsample(pictures - background), rotation_pullback(rest)[None], "zero")[0]
        pictures = (moved + background).astype(pictures.dtype)
    return np.ascontiguousarray(np.rot90(pictures, turns, axes=(-2, -1)))


def drift(x: NDArray[Any], angle_deg: float) -> NDArray[Any]:
    """Return x turned as the paper turns it after every step: cubic splines on a torus, noise and all.

    Args:
        x: [..., H, W].
        angle_deg: What one step turns, the whole angle over the number of steps.

    Returns:
        The same shape and dtype.
    """
    height, width = x.shape[-2:]
    rows, columns, taps, weights = _torus_spline(angle_deg, height, width)
    coefficients = (rows @ x.astype(np.float64) @ columns.T).reshape(*x.shape[:-2], height * width)
    moved = (coefficients[..., taps] * weights).sum(axis=-2)
    return np.asarray(moved.reshape(x.shape).astype(x.dtype))


def turn_estimate(denoised: NDArray[Any], angle_deg: float) -> NDArray[Any]:
    """Return by how much the clean estimate changes when it is turned: what `drift_x0` adds to x after a step.

    With x = D + sigma * noise this moves D and leaves the noise where it is.

    Args:
        denoised: [..., H, W].
        angle_deg: What this step turns, see `drift_x0_angles`.

    Returns:
        The same shape and dtype.
    """
    moved = resample(upsample(denoised), rotation_pullback(angle_deg)[None], "edge")[0]
    return np.asarray(moved.astype(denoised.dtype) - denoised)


def drift_x0_angles(angle_deg: float, sigmas: Sequence[float], band: tuple[float, float]) -> tuple[float, ...]:
    """Return what each of the N steps turns the clean estimate by: the angle, evenly over the steps within the band.

    Args:
        angle_deg: In all.
        sigmas: N + 1 noise levels; a step lies where it begins.
        band: Lowest and highest level; where no step begins within, the one nearest to its middle takes all.
    """
    starts = np.log(np.asarray(sigmas[:-1]))
    low, high = math.log(band[0]), math.log(band[1])
    within = (starts >= low) & (starts <= high)
    if not within.any():
        within = np.arange(len(starts)) == np.abs(starts - (low + high) / 2).argmin()
    return tuple(float(angle) for angle in np.where(within, angle_deg / within.sum(), 0.0))


def angle_features(angle_deg: float) -> tuple[float, float, float]:
    """Return what a conditioned model is told: cosine, sine, and 1 for "this is a statement"."""
    return math.cos(math.radians(angle_deg)), math.sin(math.radians(angle_deg)), 1.0


def _sheared(planes: NDArray[Any], gains: NDArray[np.complex128]) -> NDArray[np.float64]:
    """Return [..., H, W] with every row moved as its gains say; float64."""
    return np.fft.irfft(np.fft.rfft(planes.astype(np.float64)) * gains, planes.shape[-1])


@lru_cache(maxsize=64)
def _shear(slope: float, height: int, width: int) -> NDArray[np.complex128]:
    """Return what moves row y to the left by slope times its place above or below the centre, [H, W // 2 + 1]."""
    moved = slope * (np.arange(height) - (height - 1) / 2)
    gains: NDArray[np.complex128] = np.exp(2j * np.pi * moved[:, None] * np.fft.rfftfreq(width))
    if width % 2 == 0:
        # The highest frequency of an even length has no phase: it stays, or its energy would be lost.
        gains[:, -1] = 1
    gains.flags.writeable = False
    return gains


@lru_cache(maxsize=16)
def _torus_spline(
    angle_deg: float, height: int, width: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.intp], NDArray[np.float64]]:
    """Return what turns a picture on a torus: both axes' prefilters, and 16 taps and weights a pixel, [16, H W]."""
    taps, weights = np.zeros((1, height * width), np.intp), np.ones((1, height * width))
    sources = source_places(rotation_pullback(angle_deg)[None], height, width)[0]
    for places, size in zip(sources, (height, width), strict=True):
        before = np.floor(places)
        t = places - before
        own = np.stack([(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3]) / 6
        index = (before + np.arange(-1, 3)[:, None]).astype(np.intp) % size
        taps = (taps[:, None] * size + index[None]).reshape(-1, height * width)
        weights = (weights[:, None] * own[None]).reshape(-1, height * width)
    return _torus_prefilter(height), _torus_prefilter(width), taps, weights


@lru_cache(maxsize=32)
def _torus_prefilter(size: int) -> NDArray[np.float64]:
    """Return [size, size]: from samples on a circle to the coefficients of their cubic spline."""
    step = np.eye(size)
    return np.asarray(np.linalg.inv((4 * step + np.roll(step, 1, axis=0) + np.roll(step, -1, axis=0)) / 6))
