"""Noise that depends on nothing but a seed and a number: the same on every worker, after a restart, in any company.

A picture of seed s takes its draws from Philox-4x64 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3")
keyed by s. Draw 0 is the initial noise, draw k >= 1 the noise of stochastic step k - 1; draw k begins at counter
k * 2^192, so that no draw depends on how many came before it. Picture i of a request of seed s has seed s + i, modulo
2^64.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

#: Seeds are whole numbers below this.
SEEDS = 1 << 64


def standard_normal(seeds: Sequence[int], draw: int, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Return draw number `draw` of each seed, [n, *shape] float32, filled in C order.

    Args:
        seeds: n whole numbers in [0, 2^64).
        draw: 0 for the initial noise, k for that of stochastic step k - 1.
        shape: Of one picture, [C, H, W].
    """
    noise = np.empty((len(seeds), *shape), np.float32)
    generator, philox, fresh = _OF_THREAD.philox
    counter = np.array([0, 0, 0, draw], np.uint64)
    for place, seed in enumerate(seeds):
        philox.state = {**fresh, "state": {"key": np.array([seed, 0], np.uint64), "counter": counter}}
        generator.standard_normal(dtype=np.float32, out=noise[place])
    return noise


class _OfThread(threading.local):
    """A generator a thread, set anew for each seed: to make one costs ten times as much as to draw a small picture."""

    def __init__(self) -> None:
        philox = np.random.Philox(0)
        self.philox = np.random.Generator(philox), philox, philox.state


_OF_THREAD = _OfThread()


def seeds_from(seed: int, count: int) -> tuple[int, ...]:
    """Return the seeds of the `count` pictures of a request."""
    return tuple((seed + place) % SEEDS for place in range(count))
