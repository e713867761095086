"""Percentile bootstrap over pictures (Efron 1979): the pictures are the sample, not the shifts of one of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

CHUNK = 50  # resamples at a time bound the memory of the indices


@dataclass(frozen=True)
class Estimate:
    """A mean over pictures and its interval."""

    mean: float
    low: float
    high: float


def bootstrap_mean(
    values: NDArray[np.float64], resamples: int = 2000, confidence: float = 0.95, seed: int = 0
) -> Estimate:
    """Return the mean of one value a picture, with its percentile interval.

    For the difference of two models pass the differences on the same pictures: the interval is then the paired one.

    Args:
        values: [N], one for each picture.
        resamples: Number of resampled sets of N pictures.
        confidence: Share of the resampled means inside the interval.
        seed: Of the resampling.
    """
    generator = np.random.default_rng(seed)
    means = np.concatenate(
        [
            values[generator.integers(0, len(values), (min(CHUNK, resamples - at), len(values)))].mean(1)
            for at in range(0, resamples, CHUNK)
        ]
    )
    low, high = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Estimate(float(values.mean()), float(low), float(high))
